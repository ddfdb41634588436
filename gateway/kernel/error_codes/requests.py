"""Errors of any request: keys and signatures, reading, overload, and what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.kernel.error_codes.meaning import ErrorMeaning

REQUESTS: Final[Mapping[str, ErrorMeaning]] = {
    "missing_key": ErrorMeaning("No key came with the request.", "Send it as `Authorization: Bearer sk_…`.", 401),
    "invalid_key": ErrorMeaning("The key is unknown or revoked.", "Use a key that the admin API has issued.", 401),
    "invalid_admin_token": ErrorMeaning(
        "The admin API takes the admin token only.", "Send it as `Authorization: Bearer …`.", 401
    ),
    "incomplete_signature": ErrorMeaning(
        "A signed request carries `Mashang-Key`, `-Timestamp`, `-Nonce` and `-Signature`, and `param` names the "
        "one that is missing or malformed.",
        "`docs/signing.md` shows how they are made.",
        401,
    ),
    "stale_signature": ErrorMeaning(
        "`Mashang-Timestamp` is more than 300 seconds from the gateway's clock.", "Set the till's clock.", 401
    ),
    "invalid_signature": ErrorMeaning(
        "The signature does not fit the request as it arrived.",
        "Check the signed text, the secret, and that nothing between changed the path or the body.",
        401,
    ),
    "nonce_reused": ErrorMeaning(
        "The nonce was used before.", "Take a new one for every request, also when sending it again.", 401
    ),
    "signature_required": ErrorMeaning(
        "The merchant takes signed requests only.", "Sign it with the key's signing secret.", 401
    ),
    "scope_missing": ErrorMeaning(
        "The key is valid but lacks the scope for this.", "Use another key, or have one issued.", 403
    ),
    "invalid_json": ErrorMeaning("The body is no JSON object.", "`message` says where the reading stopped.", 400),
    "unknown_field": ErrorMeaning("`param` names a field that does not exist.", "Check its spelling.", 400),
    "missing_field": ErrorMeaning("`param` names a field that is required.", "Send it.", 400),
    "invalid_field": ErrorMeaning(
        "`param` names a field whose value is wrong.", "`message` says what it takes.", 400, 422
    ),
    "invalid_header": ErrorMeaning(
        "`param` names a header whose value is wrong.", "`message` says what it takes.", 400
    ),
    "invalid_request": ErrorMeaning(
        "The request is no valid HTTP request for this address.", "`message` says what is wrong with it.", 400, 431
    ),
    "no_such_path": ErrorMeaning("There is nothing at this address.", "`/docs` lists what there is.", 404),
    "method_not_allowed": ErrorMeaning("This address takes another method.", "`/docs` lists what there is.", 405),
    "not_found": ErrorMeaning(
        "There is no such object, or it belongs to somebody else.", "Check the id, and whose key it is.", 404
    ),
    "body_too_large": ErrorMeaning("The body is larger than the gateway takes.", "Send less.", 413),
    "incomplete_body": ErrorMeaning(
        "The request broke off before its body was complete.", "Send it again: it is safe.", 400, again=True
    ),
    "request_timeout": ErrorMeaning("The body took too long to arrive.", "Send it again: it is safe.", 408, again=True),
    "unsupported_encoding": ErrorMeaning(
        "The gateway takes bodies uncompressed only.", "Send it without `Content-Encoding`.", 415
    ),
    "unsupported_media_type": ErrorMeaning(
        "The body is not announced as JSON.", "Send it with `Content-Type: application/json`.", 415
    ),
    "idempotency_key_reused": ErrorMeaning(
        "The key belongs to another request: one with another `merchant_order_no` or `merchant_refund_no`, or in "
        "the admin API one that differs in anything.",
        "Use a new key.",
        409,
    ),
    "too_many_requests": ErrorMeaning(
        "Too many requests came from this address or for this code.", "Wait for `Retry-After`.", 429
    ),
    "merchant_rate": ErrorMeaning(
        "The merchant begins more payments a second than it may; nothing was begun.",
        "Send the same request again after `Retry-After`; `RateLimit-Remaining` tells beforehand.",
        429,
    ),
    "merchant_concurrency": ErrorMeaning(
        "The merchant has as many payments in flight as it may; nothing was begun.",
        "Send the same request again after `Retry-After`, once others are answered.",
        429,
    ),
    "busy": ErrorMeaning(
        "The gateway carries as many payments as it can.", "Send the same request again after `Retry-After`.", 503
    ),
    "database_busy": ErrorMeaning(
        "Too much waits for the database.", "Send the same request again after `Retry-After`.", 503
    ),
    "database_unavailable": ErrorMeaning(
        "The database is away.", "Send the same request again after `Retry-After`: it is safe.", 503
    ),
    "try_again": ErrorMeaning(
        "Another request got in the way.", "Send the same request again: it is safe.", 503, 409, again=True
    ),
    "internal_error": ErrorMeaning("A fault of the gateway.", "Tell its operators the `request_id`.", 500, again=True),
}
