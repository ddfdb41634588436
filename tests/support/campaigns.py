"""Campaigns and payments for tests of pricing: what a test leaves out is as plain as can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from promotions.campaigns.campaign import (
    AmountOff,
    Benefit,
    Campaign,
    Limits,
    Mode,
    RandomOff,
    Share,
    Stacking,
    Status,
    Tier,
)
from promotions.facts import Facts, History
from promotions.pricing.benefits import DiscountOf, amount_off, given_by, most_of
from promotions.pricing.stacking import Bid
from promotions.pricing.terms import PAYABLE_MIN_FEN, terms_of

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
NOON: Final = datetime(2026, 11, 22, 4, tzinfo=UTC)
"""In Shanghai; a Sunday."""
SECRET: Final = b"a key of the tests"


def campaign(id_: str = "cam_a", benefit: Benefit | None = None, **changes: Any) -> Campaign:
    """An active campaign: 5.00 off from 20.00 on unless told otherwise, funded by the bank alone, without limits."""
    plain = Campaign(
        id=id_,
        version=1,
        status=Status.ACTIVE,
        name=f"the campaign {id_}",
        benefit=benefit or AmountOff((Tier(2_000, 500),)),
        condition=None,
        limits=Limits(),
        funding=(Share("bank", Decimal(1)),),
        stacking=Stacking(),
        timezone=SHANGHAI,
        starts_at=None,
        ends_at=None,
    )
    return replace(plain, **changes)


def discount_of(benefit: Benefit, amount_fen: int, drawn_fen: int = 0) -> DiscountOf | None:
    """What a benefit takes off goods of that value; None where it is no discount."""
    given = given_by(benefit)
    if given is not None:
        return given(amount_fen)
    if not isinstance(benefit, RandomOff):
        return None
    return amount_off(min(drawn_fen, most_of(benefit.percent_max, benefit.max_fen)(amount_fen)))


def bid_of(campaign: Campaign, amount_fen: int) -> Bid:
    """What a campaign without draws bids for goods of that value."""
    discount = discount_of(campaign.benefit, amount_fen)
    alone_fen = 0 if discount is None else discount(amount_fen)
    terms = terms_of(campaign)
    cap_fen = amount_fen if terms.cap_of is None else terms.cap_of(amount_fen)
    cap_fen = min(cap_fen, amount_fen - PAYABLE_MIN_FEN)
    return Bid(terms, discount, min(alone_fen, cap_fen), cap_fen)


def off(fen: int, *, from_fen: int = 0) -> AmountOff:
    """So much off."""
    return AmountOff((Tier(from_fen, fen),))


def cascading(priority: int = 0, group: str = "default", **caps: Any) -> Stacking:
    """One after the other."""
    return Stacking(group, Mode.CASCADING, priority, **caps)


def exclusive(priority: int = 0) -> Stacking:
    """With nothing else."""
    return Stacking("default", Mode.EXCLUSIVE, priority)


def payment(amount_fen: int = 2_599, **changes: Any) -> Facts:
    """A bar code of WeChat's at noon, of a known customer without a past."""
    plain = Facts(
        merchant_id="mer_1",
        order_key="mer_1/POS7-000123",
        amount_fen=amount_fen,
        method="barcode",
        at=NOON,
        wallet="wechat",
        customer="c0ffee",
        history=History(),
    )
    return plain._replace(**changes)
