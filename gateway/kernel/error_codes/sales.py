"""Errors of a merchant's calls: payments, refunds, codes, receipts, reports and webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.kernel.error_codes.meaning import ErrorMeaning

SALES: Final[Mapping[str, ErrorMeaning]] = {
    "order_no_reused": ErrorMeaning(
        "The `merchant_order_no` belongs to another request; `param` names the first field that differs.",
        "Use a new number for a new payment.",
        409,
    ),
    "use_refund": ErrorMeaning("The payment is past the window in which it can be cancelled.", "Refund it.", 409),
    "refund_no_reused": ErrorMeaning(
        "The `merchant_refund_no` belongs to another request; `param` names the first field that differs.",
        "Use a new number for a new refund.",
        409,
    ),
    "not_refundable": ErrorMeaning(
        "Only a payment that succeeded, and that is neither being reversed nor under review, can be refunded.",
        "Look at its `status`, `reversal` and `review`.",
        409,
    ),
    "refund_exceeds_payment": ErrorMeaning(
        "The refunds that are pending or done leave less of the payment than `amount`.",
        "`message` says how much: refund that at most.",
        409,
    ),
    "refund_window_closed": ErrorMeaning(
        "The channel takes refunds for so many days after the payment, and they are over.",
        "Give the money back another way.",
        409,
    ),
    "refund_limit_reached": ErrorMeaning(
        "The channel takes no more refunds of this payment; `message` says how many.",
        "Give the rest back another way.",
        409,
    ),
    "under_review": ErrorMeaning(
        "The channel's books and ours differ on this payment.",
        "A person is looking into it: wait for the webhook.",
        409,
    ),
    "replaced_payment_unresolved": ErrorMeaning(
        "The payment named by `replaces` is not decided yet; nothing was charged.",
        "Send the same request again after `Retry-After`.",
        409,
        again=True,
    ),
    "already_replaced": ErrorMeaning(
        "Another payment replaces the one named by `replaces` already; `message` names it. A sale's payments form "
        "one chain, so that it is paid once.",
        "Replace the newest.",
        409,
    ),
    "not_identified": ErrorMeaning(
        "The cashier page does not know the payer (any more).", "Open the code again in the wallet.", 403
    ),
    "unknown_sale": ErrorMeaning("The cashier page is out of date.", "Open the code again.", 400),
    "amount_settled": ErrorMeaning(
        "The sale at the static code was begun with another amount.", "Open the code again.", 409
    ),
    "not_own_page": ErrorMeaning(
        "The cashier's endpoints are called by its own page only, not from other sites.",
        "Send the customer to the code's address.",
        403,
    ),
    "nothing_to_show": ErrorMeaning(
        "The payment shows no code: it is a bar code payment, or decided, or its code has expired.",
        "Read the payment; make a new one where there is still something to pay.",
        409,
    ),
    "code_of_a_payment": ErrorMeaning("The code is of one payment and cannot be revoked.", "Cancel the payment.", 409),
    "too_many_codes": ErrorMeaning(
        "The merchant has as many active codes as it may have.", "Revoke what is no longer on a wall.", 409
    ),
    "no_receipt": ErrorMeaning(
        "Nothing was paid for this payment, so there is no receipt of it.",
        "Ask for it once the payment succeeded.",
        409,
    ),
    "report_too_large": ErrorMeaning(
        "The report would hold too much.", "Ask for a shorter time, or one store, terminal or operator.", 400
    ),
    "address_refused": ErrorMeaning(
        "Webhooks go to http(s) addresses on the public internet only.",
        "`message` says what is wrong with this one.",
        400,
    ),
    "too_many_endpoints": ErrorMeaning(
        "A merchant has at most 16 webhook endpoints.", "Delete one that is no longer needed.", 409
    ),
    "endpoint_disabled": ErrorMeaning(
        "The webhook endpoint is switched off, so nothing is sent there.", "Enable it first.", 409
    ),
    "nobody_to_tell": ErrorMeaning(
        "No enabled webhook endpoint wants events of this type, and the payment has no `notify_url`.",
        "Enable one, or have it want the type.",
        409,
    ),
    "account_away": ErrorMeaning(
        "The channel account that took the payment cannot be used just now.",
        "Send the same request again after `Retry-After`; operations have been told.",
        503,
    ),
    "order_in_progress": ErrorMeaning(
        "An earlier request with this number is still at work.", "Send it again: it is safe.", 503
    ),
}
