"""The errors that reach a caller of the API: each class carries its HTTP status and its type (PRODUCT.md "Errors")."""

from __future__ import annotations

from typing import ClassVar, Final

ERRORS: Final = {
    "missing_key": "No key came with the request. Send it as `Authorization: Bearer sk_…`.",
    "invalid_key": "The key is unknown or revoked. Use a key that the admin API has issued.",
    "invalid_admin_token": "The admin API takes the admin token only, as `Authorization: Bearer …`.",
    "incomplete_signature": "A signed request carries `Mashang-Key`, `-Timestamp`, `-Nonce` and `-Signature`; `param` "
    "names the one that is missing or malformed. `docs/signing.md` shows how they are made.",
    "stale_signature": "`Mashang-Timestamp` is more than 300 seconds from the gateway's clock. Set the till's clock.",
    "invalid_signature": "The signature does not fit the request as it arrived: check the signed text, the secret, and "
    "that nothing between changed the path or the body.",
    "nonce_reused": "The nonce was used before. Take a new one for every request, also when sending it again.",
    "signature_required": "The merchant takes signed requests only. Sign it with the key's signing secret.",
    "scope_missing": "The key is valid but lacks the scope for this. Use another key, or have one issued.",
    "invalid_json": "The body is no JSON object. `message` says where the reading stopped.",
    "unknown_field": "`param` names a field that does not exist. Check its spelling.",
    "missing_field": "`param` names a field that is required.",
    "invalid_field": "`param` names a field whose value is wrong; `message` says what it takes.",
    "invalid_header": "`param` names a header whose value is wrong; `message` says what it takes.",
    "invalid_request": "The request is no valid HTTP request for this address.",
    "no_such_path": "There is nothing at this address. `/docs` lists what there is.",
    "method_not_allowed": "This address takes another method. `/docs` lists what there is.",
    "not_found": "There is no such object, or it belongs to somebody else.",
    "body_too_large": "The body is larger than the gateway takes. Send less.",
    "incomplete_body": "The request broke off before its body was complete. Send it again: it is safe.",
    "request_timeout": "The body took too long to arrive. Send it again: it is safe.",
    "unsupported_encoding": "The gateway takes bodies uncompressed only.",
    "unsupported_media_type": "The gateway takes `Content-Type: application/json` only.",
    "order_no_reused": "The `merchant_order_no` belongs to another request; `param` names the first field that "
    "differs. Use a new number for a new payment.",
    "idempotency_key_reused": "The key belongs to another request: one with another `merchant_order_no` or "
    "`merchant_refund_no`, or in the admin API one that differs in anything. Use a new key.",
    "account_exists": "There is a channel account with this id. Take another id, or rotate that account's credentials.",
    "account_identity": "What an account is at its channel, and whose it is, never changes. Create another account and "
    "drain this one.",
    "policy_refused": "The routing policy has problems, and the present one stays in force. `message` names each with "
    "its place; `POST /admin/v1/routing/policy/check` lists them.",
    "policy_changed": "Another version of the routing policy is in force than the one that `base_version` names. Read "
    "it, and change that one.",
    "no_version_before": "The first version of the routing policy is in force: there is none to go back to.",
    "campaign_refused": "The campaign has problems, and nothing was changed. `message` names each with its place; "
    "`POST /admin/v1/campaigns/check` lists them.",
    "campaign_changed": "Somebody has changed the campaign since the version that `base_version` or `If-Match` names. "
    "Read it, and change that one.",
    "campaign_status": "The campaign stands where this cannot be done; `message` says what can.",
    "campaign_running": "The field that `param` names stays as it is once a campaign was activated; `message` says "
    "why. End this campaign and create another one.",
    "below_used": "The limit that `param` names would be below what payments have taken; `message` says how much that "
    "is. To give nothing more, pause or end the campaign.",
    "model_refused": "The document is no model that can be used, and nothing was saved; `message` says why. "
    "`mashang risk train` writes one.",
    "rule_set_refused": "The rule set has problems, and nothing was saved. `message` names each with its place; "
    "`POST /admin/v1/risk/rule_sets/check` lists them.",
    "rule_set_changed": "Another version of the risk rules is in force than the one that `base_version` names. Look at "
    "what differs (`GET /admin/v1/risk/rule_sets/{version}/diff`), and publish on that one.",
    "tests_failed": "The rule set does not do what its tests say, and the present one stays in force. `message` names "
    "each that fails; so does `failed_tests` of the version. Mend the rules or the tests, and save a new version.",
    "rule_set_outdated": "The version of the risk rules names lists or a model that were deleted since it was saved, "
    "so that its rules would not hit; the present one stays in force. `message` names them. Make them again, or save a "
    "version without them.",
    "never_published": "The version of the risk rules was never in force, so there is nothing to go back to. Publish "
    "it.",
    "list_exists": "There is a list of this name, or as many lists as there can be. Take another name.",
    "list_built_in": "The lists `block`, `allow` and `watch` are always there. Empty it instead.",
    "list_in_use": "The rules in force ask for this list. Publish rules that do not, then delete it.",
    "list_full": "A list has at most ten million entries. Remove some, or replace the list by an import.",
    "import_open": "One import of a list is under way at a time; `message` names it. Finish or abandon that one.",
    "import_batch": "Batches of an import come in their order; `message` names the next one. Send that.",
    "import_status": "The import is finished or abandoned, or takes no more batches; `message` says which. Begin "
    "another.",
    "no_maintenance": "No maintenance of the channel account is under way: its terms have what is announced for later.",
    "use_refund": "The payment is past the window in which it can be cancelled. Refund it.",
    "refund_no_reused": "The `merchant_refund_no` belongs to another request; `param` names the first field that "
    "differs. Use a new number for a new refund.",
    "not_refundable": "Only a payment that succeeded, and that is neither being reversed nor under review, can be "
    "refunded.",
    "refund_exceeds_payment": "The refunds that are pending or done leave less of the payment than `amount`; `message` "
    "says how much.",
    "refund_window_closed": "The channel takes refunds for so many days after the payment, and they are over. Give the "
    "money back another way.",
    "refund_limit_reached": "The channel takes no more refunds of this payment; `message` says how many.",
    "under_review": "The channel's books and ours differ on this payment; a person is looking into it.",
    "verdict_impossible": "The verdict is none for what is in review; `message` names those that are.",
    "verdict_refused": "By what the channel says now, the verdict could lose money; `message` says what to do instead.",
    "review_changed": "What was in review was settled, or has changed, meanwhile. Read it again.",
    "channel_away": "The verdict needs the channel's word, and the channel could not be asked. Send the same request "
    "again after `Retry-After`.",
    "case_claimed": "Somebody else works on the case; `message` says who, and how to take it over.",
    "case_changed": "Something was added to the case since the version that `base_version` names. Read it again, and "
    "decide then.",
    "case_decided": "The case is decided; `message` says by whom, and how. Reopen it if something new came to light.",
    "case_open": "The case is open already: note what is new, and decide it.",
    "complaint_reused": "The channel's number belongs to another complaint; `message` names it. Send a complaint again "
    "unchanged, or under its own number.",
    "replaced_payment_unresolved": "The payment named by `replaces` is not decided yet; nothing was charged. "
    "Send the same request again after `Retry-After`.",
    "already_replaced": "Another payment replaces the one named by `replaces` already; `message` names it. A sale's "
    "payments form one chain, so that it is paid once: replace the newest.",
    "not_identified": "The cashier page does not know the payer (any more). Open the code again in the wallet.",
    "unknown_sale": "The cashier page is out of date. Open the code again.",
    "amount_settled": "The sale at the static code was begun with another amount. Open the code again.",
    "not_own_page": "The cashier's endpoints are called by its own page only, not from other sites.",
    "nothing_to_show": "The payment shows no code: it is a bar code payment, or decided, or its code has expired.",
    "code_of_a_payment": "The code is of one payment and cannot be revoked. Cancel the payment.",
    "too_many_codes": "The merchant has as many active codes as it may have. Revoke what is no longer on a wall.",
    "too_many_requests": "Too many requests came from this address or for this code. Wait for `Retry-After`.",
    "not_open_yet": "The campaign's coupons cannot be claimed before the time that `message` names. Claim again after "
    "`Retry-After`.",
    "over": "The time in which the campaign's coupons could be claimed has passed, or the campaign has ended.",
    "sold_out": "All coupons of the campaign are gone. Claiming again helps only once its manager adds to the stock.",
    "limit_reached": "The customer has claimed as many of the coupons as one may; `GET /v1/coupons` lists them.",
    "campaign_paused": "The campaign is paused, and its coupons cannot be claimed until its manager resumes it.",
    "not_claimable": "The campaign's coupons are granted by its manager or issued for payments; nobody can claim them.",
    "wrong_card": "The campaign's coupons are for the cards of other banks than the one that `card_bin` names.",
    "no_coupons": "The campaign's discount is had without a coupon, or by a code that everybody may know.",
    "coupon_not_free": "The coupon was redeemed by a payment, or is void already; `message` says which.",
    "too_many_segments": "There are as many segments as there can be. Delete one that is no longer needed.",
    "customer_full": "A customer is in at most 32 segments, and one of these would be in more: nobody was put in. "
    "`POST /admin/v1/segments/find` tells a customer's; take him out of one.",
    "no_receipt": "Nothing was paid for this payment, so there is no receipt of it.",
    "report_too_large": "The report would hold too much. Ask for a shorter time, or one store, terminal or operator.",
    "address_refused": "Webhooks go to http(s) addresses on the public internet only; `message` says what is wrong "
    "with this one.",
    "too_many_endpoints": "A merchant has at most 16 webhook endpoints. Delete one that is no longer needed.",
    "endpoint_disabled": "The webhook endpoint is switched off, so nothing is sent there. Enable it first.",
    "nobody_to_tell": "No enabled webhook endpoint wants events of this type, and the payment has no `notify_url`.",
    "merchant_rate": "The merchant begins more payments a second than it may; nothing was begun. Send the same request "
    "again after `Retry-After`; `RateLimit-Remaining` tells beforehand.",
    "merchant_concurrency": "The merchant has as many payments in flight as it may; nothing was begun. Send the same "
    "request again after `Retry-After`, once others are answered.",
    "busy": "The gateway carries as many payments as it can. Send the same request again after `Retry-After`.",
    "database_busy": "Too much waits for the database. Send the same request again after `Retry-After`.",
    "database_unavailable": "The database is away. Send the same request again after `Retry-After`: it is safe.",
    "account_away": "The channel account that took the payment cannot be used just now. Send the same request again "
    "after `Retry-After`; operations have been told.",
    "order_in_progress": "An earlier request with this number is still at work. Send it again: it is safe.",
    "try_again": "Another request got in the way. Send the same request again: it is safe.",
    "internal_error": "A fault of the gateway. Tell its operators the `request_id`.",
}
"""Every error code with what it means and what to do; the page under `docs_url` shows this table."""


class ApiError(Exception):
    """An error answer.  `code` stands in ERRORS, `message` says what to do, `param` names the field."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        assert code in ERRORS, code
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.http_status = status or self.status


class InvalidRequest(ApiError):
    """The request is wrong; sending it again unchanged cannot help.  Status 400, or 404, 405, 413, 415, 422."""

    status = 400
    type = "invalid_request"


class NotAuthenticated(ApiError):
    """No valid key or signature came with the request."""

    status = 401
    type = "authentication"


class NotPermitted(ApiError):
    """The key is valid but may not do this."""

    status = 403
    type = "permission"


class Conflict(ApiError):
    """The request contradicts what is there already."""

    status = 409
    type = "conflict"


class RateLimited(ApiError):
    """Too many requests; `Retry-After` says when to come again."""

    status = 429
    type = "rate_limited"


class Unavailable(ApiError):
    """The gateway cannot take this now and has not begun it; `Retry-After` says when to come again."""

    status = 503
    type = "unavailable"


def not_found(what: str, param: str = "id") -> InvalidRequest:
    """The 404 for an object that is not there, or not the caller's."""
    return InvalidRequest("not_found", f"There is no such {what}.", param=param, status=404)
