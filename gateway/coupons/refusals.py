"""The errors of claims that got no coupon."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ApiError, Conflict, Unavailable, not_found
from promotions.coupons.claiming import ClaimRefusal, Refused

_CAMPAIGN: Final = "campaign_id"


def refusal(refused: Refused) -> ApiError:
    """The error that tells the till why, and when to come again where that helps."""
    if refused.reason is ClaimRefusal.NOT_OPEN_YET:
        assert refused.opens_at is not None
        message = f"The campaign's coupons can be claimed from {rfc3339(refused.opens_at)} on."
        wait_s = max(1, math.ceil(refused.opens_in_s))
        return Conflict("not_open_yet", message, param=_CAMPAIGN, retry_after_s=wait_s)
    return _ERRORS[refused.reason]()


def _conflict(code: str, message: str, param: str = _CAMPAIGN) -> Callable[[], ApiError]:
    return lambda: Conflict(code, message, param=param)


_ERRORS: Final[Mapping[ClaimRefusal, Callable[[], ApiError]]] = {
    ClaimRefusal.NO_COUPONS: lambda: not_found("campaign with coupons to claim", _CAMPAIGN),
    ClaimRefusal.NOT_CLAIMABLE: _conflict(
        "not_claimable", "The campaign's coupons are granted or earned: they cannot be claimed."
    ),
    ClaimRefusal.WRONG_CARD: _conflict(
        "wrong_card", "The campaign's coupons are for other cards.", "customer.card_bin"
    ),
    ClaimRefusal.PAUSED: _conflict("campaign_paused", "The campaign is paused: its manager may resume it."),
    ClaimRefusal.OVER: _conflict("over", "The campaign's coupons can no longer be claimed."),
    ClaimRefusal.SOLD_OUT: _conflict("sold_out", "All coupons of the campaign are gone."),
    ClaimRefusal.LIMIT_REACHED: _conflict(
        "limit_reached", "The customer has claimed as many as one may.", "customer.id"
    ),
    ClaimRefusal.KEY_REUSED: _conflict(
        "idempotency_key_reused", "This customer's key belongs to a claim of another campaign.", "Idempotency-Key"
    ),
    ClaimRefusal.BUSY: lambda: Unavailable(
        "try_again", "The campaign is being changed: send it again.", retry_after_s=1
    ),
}
