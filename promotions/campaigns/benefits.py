"""Reads a campaign's benefit from JSON, and refuses one that contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Final

from gateway.kernel.ids import is_id
from gateway.kernel.money import AMOUNT_FEN_MAX
from promotions.campaigns.campaign import (
    AmountOff,
    Benefit,
    CouponReward,
    FeeOff,
    FixedPrice,
    PercentOff,
    RandomOff,
    Tier,
)
from promotions.campaigns.reading import CampaignReader

TIERS_MAX: Final = 20
COUPONS_MAX: Final = 10
"""That one payment can be rewarded with, by one campaign."""
_HUNDRED: Final = Decimal(100)


def read_benefit(reader: CampaignReader) -> Benefit | None:
    """The benefit of a JSON object; None where it is wrong, which is noted."""
    kind = reader.value("type")
    known = _READERS.get(kind) if isinstance(kind, str) else None
    if known is None:
        reader.refuse("type", f"is one of {', '.join(_READERS)}" if reader.has("type") else "is required")
        return None
    read, fields = known
    reader.refuse_unknown(frozenset({"type", *fields}))
    return read(reader)


def _amount_off(reader: CampaignReader) -> Benefit | None:
    readers = reader.objects("tiers", TIERS_MAX, frozenset({"spend", "off"}))
    if readers is None:
        return None
    tiers = [
        Tier(each.required_whole("spend", 1, AMOUNT_FEN_MAX), each.required_whole("off", 1, AMOUNT_FEN_MAX))
        for each in readers
    ]
    are_read = [_given(each) == (tier.spend_fen, tier.off_fen) for each, tier in zip(readers, tiers, strict=True)]
    for each, tier, is_read in zip(readers, tiers, are_read, strict=True):
        if is_read and tier.off_fen >= tier.spend_fen:
            each.refuse("off", "leaves nothing to pay at its “spend”: at least 1 fen is paid", "take less off")
    for number, (lower, higher) in enumerate(pairwise(tiers), start=1):
        for name, before, now in (
            ("spend", lower.spend_fen, higher.spend_fen),
            ("off", lower.off_fen, higher.off_fen),
        ):
            if now <= before and all(are_read[number - 1 : number + 1]):
                reader.refuse(f"tiers.{number}.{name}", f"is {now}, which is not above the {before} of the tier before")
    return AmountOff(tuple(tiers))


def _given(tier: CampaignReader) -> tuple[object, object]:
    """A tier as it was written: where that is not what was read, it is refused already."""
    return tier.value("spend"), tier.value("off")


def _percent_off(reader: CampaignReader) -> Benefit | None:
    percent, max_fen, spend_fen = _percentage(reader)
    if percent is None:
        return None
    if percent == _HUNDRED and (max_fen is None or max_fen >= spend_fen):
        hint = "take less, or set a “spend” above “max”"
        reader.refuse("percent", "leaves nothing to pay: at least 1 fen is paid", hint)
    return PercentOff(percent, max_fen, spend_fen)


def _fee_off(reader: CampaignReader) -> Benefit | None:
    percent, max_fen, spend_fen = _percentage(reader)
    return None if percent is None else FeeOff(percent, max_fen, spend_fen)


def _percentage(reader: CampaignReader) -> tuple[Decimal | None, int | None, int]:
    """`percent`, `max` and `spend`."""
    if not reader.has("percent"):
        reader.refuse("percent", "is required")
    return reader.percent("percent"), reader.optional_whole("max", 1, AMOUNT_FEN_MAX), _spend(reader)


def _random_off(reader: CampaignReader) -> Benefit | None:
    least, most, mean = (reader.required_whole(name, 1, AMOUNT_FEN_MAX) for name in ("min", "max", "mean"))
    spend_fen = _spend(reader)
    percent_max = reader.percent("percent_max")
    if most < least:
        reader.refuse("max", f"is {most}, below the {least} of “min”")
    elif not least <= mean <= most:
        reader.refuse("mean", f"is {mean}: the expectation is between “min” and “max”, {least} to {most}")
    if percent_max in {None, _HUNDRED} and spend_fen <= most:
        hint = f"a “spend” of {most + 1} or more, or a “percent_max” below 100"
        reader.refuse("spend", f"is {spend_fen}, at which “max” leaves nothing to pay: at least 1 fen is paid", hint)
    if percent_max is not None and spend_fen * percent_max < least * 100:
        enough = (Decimal(least * 100) / percent_max).to_integral_value(ROUND_CEILING)
        hint = f"a “spend” of {enough} or more"
        reader.refuse("percent_max", f"is less than “min” at the lowest amount ({spend_fen})", hint)
    return RandomOff(least, most, mean, spend_fen, percent_max)


def _fixed_price(reader: CampaignReader) -> Benefit | None:
    price_fen, spend_fen = reader.required_whole("price", 1, AMOUNT_FEN_MAX), _spend(reader)
    if 0 < spend_fen <= price_fen:
        reader.refuse("spend", f"is not above the price, {price_fen}: there would be no discount", "leave it out")
    return FixedPrice(price_fen, spend_fen)


def _coupon(reader: CampaignReader) -> Benefit | None:
    campaign_id = reader.value("campaign")
    if not isinstance(campaign_id, str) or not is_id(campaign_id, "cam"):
        reader.refuse("campaign", "is the id of the campaign whose coupons are given, “cam_…”")
        return None
    return CouponReward(campaign_id, reader.whole("count", 1, COUPONS_MAX, 1), _spend(reader))


def _spend(reader: CampaignReader) -> int:
    return reader.whole("spend", 0, AMOUNT_FEN_MAX, 0)


_READERS: Final[Mapping[str, tuple[Callable[[CampaignReader], Benefit | None], tuple[str, ...]]]] = {
    "amount_off": (_amount_off, ("tiers",)),
    "percent_off": (_percent_off, ("percent", "max", "spend")),
    "random_off": (_random_off, ("spend", "min", "max", "mean", "percent_max")),
    "fixed_price": (_fixed_price, ("price", "spend")),
    "fee_off": (_fee_off, ("percent", "max", "spend")),
    "coupon": (_coupon, ("campaign", "count", "spend")),
}
"""By type: what reads it, and its fields."""
BENEFIT_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {kind: fields for kind, (_, fields) in _READERS.items()}
