"""Errors of campaigns, coupons and segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.kernel.error_codes.meaning import ErrorMeaning

DISCOUNTS: Final[Mapping[str, ErrorMeaning]] = {
    "campaign_refused": ErrorMeaning(
        "The campaign has problems, and nothing was changed. `message` names each with its place.",
        "`POST /admin/v1/campaigns/check` lists them; mend them.",
        400,
    ),
    "campaign_changed": ErrorMeaning(
        "Somebody has changed the campaign since the version that `base_version` or `If-Match` names.",
        "Read it, and change that one.",
        409,
    ),
    "campaign_status": ErrorMeaning("The campaign stands where this cannot be done.", "`message` says what can.", 409),
    "campaign_running": ErrorMeaning(
        "The field that `param` names stays as it is once a campaign was activated; `message` says why.",
        "End this campaign and create another one.",
        409,
    ),
    "below_used": ErrorMeaning(
        "The limit that `param` names would be below what payments have taken; `message` says how much that is.",
        "To give nothing more, pause or end the campaign.",
        409,
    ),
    "not_open_yet": ErrorMeaning(
        "The campaign's coupons cannot be claimed before the time that `message` names.",
        "Claim again after `Retry-After`.",
        409,
        again=True,
    ),
    "over": ErrorMeaning(
        "The time in which the campaign's coupons could be claimed has passed, or the campaign has ended.",
        "Tell the customer.",
        409,
    ),
    "sold_out": ErrorMeaning(
        "All coupons of the campaign are gone.", "Claiming again helps only once its manager adds to the stock.", 409
    ),
    "limit_reached": ErrorMeaning(
        "The customer has claimed as many of the coupons as one may.", "`GET /v1/coupons` lists them.", 409
    ),
    "campaign_paused": ErrorMeaning(
        "The campaign is paused, and its coupons cannot be claimed.", "Wait until its manager resumes it.", 409
    ),
    "not_claimable": ErrorMeaning(
        "The campaign's coupons are granted by its manager or issued for payments.", "Nobody can claim them.", 409
    ),
    "wrong_card": ErrorMeaning(
        "The campaign's coupons are for the cards of other banks than the one that `card_bin` names.",
        "Take a card of those banks.",
        409,
    ),
    "no_coupons": ErrorMeaning(
        "The campaign's discount is had without a coupon, or by a code that everybody may know.",
        "Claim nothing: just pay, with the code where there is one.",
        409,
    ),
    "coupon_not_free": ErrorMeaning(
        "The coupon was redeemed by a payment, or is void already.", "`message` says which.", 409
    ),
    "too_many_segments": ErrorMeaning(
        "There are as many segments as there can be.", "Delete one that is no longer needed.", 409
    ),
    "customer_full": ErrorMeaning(
        "A customer is in at most 32 segments, and one of these would be in more: nobody was put in.",
        "`POST /admin/v1/segments/find` tells a customer's; take him out of one.",
        409,
    ),
}
