"""Reads the parts of a campaign's JSON beside its benefit: limits, funding, stacking, pacing, coupons."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from gateway.kernel.documents import shown
from gateway.kernel.money import AMOUNT_FEN_MAX
from promotions.campaigns.campaign import (
    FUNDERS_MAX,
    Allowance,
    CouponTerms,
    Limits,
    Mode,
    OnRefund,
    PaceCurve,
    Pacing,
    Scope,
    Share,
    Stacking,
)
from promotions.campaigns.reading import AfterFullRefund, AfterRefund, CampaignReader

BUDGET_FEN_MAX: Final = 10**15
"""¥10 trillion."""
COUNT_MAX: Final = 10**9
PRIORITY_MAX: Final = 1_000_000
STOCK_MAX: Final = 10**8
VALID_DAYS_MAX: Final = 3_650
BINS_MAX: Final = 1_000
BIN: Final = re.compile(r"[0-9]{6,8}")
CODE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{2,31}")
NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,63}")
"""Of sponsors and stacking groups."""
HOURS: Final = 24
WEIGHT_MAX: Final = 1_000_000
_NAMED: Final = "takes 1 to 64 letters, digits, “_”, “.”, “:” and “-”, beginning with a letter or digit"
_PER: Final = {f"per_{scope}": scope for scope in Scope}
_LIMITS: Final = frozenset({"budget", "budget_per_day", "count", "count_per_day", *_PER})
_ALLOWANCE: Final = frozenset({"lifetime", "day", "amount", "amount_per_day"})
_STACKING: Final = frozenset({"group", "mode", "priority", "total_max", "total_max_percent"})
_COUPON: Final = frozenset(
    {
        "code",
        "stock",
        "per_customer",
        "claim_from",
        "claim_until",
        "valid_days",
        "bins",
        "claimable",
        "returns_on_cancel",
        "returns_on_refund",
    }
)
_OF_OWN_COUPONS: Final = ("stock", "per_customer", "claim_from", "claim_until", "valid_days", "claimable")


def read_limits(document: CampaignReader) -> Limits:
    """Of the whole campaign, and of each in a scope; what is left out is no limit."""
    reader = document.nested("limits", _LIMITS)
    if reader is None:
        return Limits()
    return Limits(
        budget_fen=reader.optional_whole("budget", 1, BUDGET_FEN_MAX),
        budget_per_day_fen=reader.optional_whole("budget_per_day", 1, BUDGET_FEN_MAX),
        count=reader.optional_whole("count", 1, COUNT_MAX),
        count_per_day=reader.optional_whole("count_per_day", 1, COUNT_MAX),
        per={
            scope: allowance
            for name, scope in _PER.items()
            if (allowance := _allowance(reader, name)) not in {None, Allowance()}
        },
    )


def _allowance(limits: CampaignReader, name: str) -> Allowance | None:
    reader = limits.nested(name, _ALLOWANCE)
    if reader is None:
        return None
    return Allowance(
        lifetime=reader.optional_whole("lifetime", 1, COUNT_MAX),
        day=reader.optional_whole("day", 1, COUNT_MAX),
        amount_fen=reader.optional_whole("amount", 1, BUDGET_FEN_MAX),
        amount_per_day_fen=reader.optional_whole("amount_per_day", 1, BUDGET_FEN_MAX),
    )


def read_funding(document: CampaignReader, *, required: bool) -> tuple[Share, ...]:
    """Who pays which share of each discount; the shares add up to 1, exactly."""
    if not required and not document.has("funding"):
        return ()
    readers = document.objects("funding", FUNDERS_MAX, frozenset({"sponsor", "share"}))
    if readers is None:
        return ()
    shares = [_share(reader) for reader in readers]
    found = [share for share in shares if share is not None]
    names = [share.sponsor for share in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            document.refuse(f"funding.{number}.sponsor", f"“{name}” is there already")
    total = sum((share.share for share in found), Decimal(0))
    if len(found) == len(shares) and total != 1:
        document.refuse("funding", f"the shares add up to {total} instead of 1", "every fen of a discount has a funder")
    return tuple(found)


def _share(reader: CampaignReader) -> Share | None:
    sponsor = _name(reader, "sponsor", None)
    if not reader.has("share"):
        reader.refuse("share", "is required")
        return None
    share = reader.share("share", Decimal("0.000001"), Decimal(1), Decimal(0))
    return Share(sponsor, share) if sponsor and share else None


def read_stacking(document: CampaignReader) -> Stacking:
    """How it goes together with others."""
    reader = document.nested("stacking", _STACKING)
    if reader is None:
        return Stacking()
    return Stacking(
        group=_name(reader, "group", "default") or "default",
        mode=reader.choice("mode", Mode.BEST),
        priority=reader.whole("priority", -PRIORITY_MAX, PRIORITY_MAX, 0),
        total_max_fen=reader.optional_whole("total_max", 1, AMOUNT_FEN_MAX),
        total_max_percent=reader.percent("total_max_percent"),
    )


def _name(reader: CampaignReader, name: str, default: str | None) -> str | None:
    value = reader.value(name)
    if value is None and default is not None:
        return default
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    reader.refuse(name, _NAMED if reader.has(name) else "is required")
    return None


def read_on_refund(document: CampaignReader) -> OnRefund:
    """What a refund gives back."""
    reader = document.nested("on_refund", frozenset({"budget", "limits"}))
    if reader is None:
        return OnRefund()
    return OnRefund(
        returns_budget=reader.choice("budget", AfterRefund.RETURN) is AfterRefund.RETURN,
        returns_limits=reader.choice("limits", AfterFullRefund.KEEP) is AfterFullRefund.RETURN_ON_FULL,
    )


def read_pacing(document: CampaignReader) -> Pacing | None:
    """Along which curve the day's budget is spent."""
    reader = document.nested("pacing", frozenset({"curve", "shape"}))
    if reader is None:
        return None
    curve = reader.choice("curve", PaceCurve.SHAPE if reader.has("shape") else PaceCurve.EVEN)
    if curve is PaceCurve.EVEN:
        if reader.has("shape"):
            reader.refuse("shape", "goes with the curve “shape” only")
        return Pacing(curve, (1.0,) * HOURS)
    shape = reader.value("shape")
    if not isinstance(shape, list) or len(shape) != HOURS or not all(map(_is_weight, shape)) or not any(shape):
        reader.refuse("shape", f"is a list of {HOURS} weights from 0 to {WEIGHT_MAX}, one for each hour; not all are 0")
        return None
    return Pacing(curve, tuple(map(float, shape)))


def _is_weight(value: object) -> bool:
    return type(value) in {int, float} and 0 <= value <= WEIGHT_MAX and math.isfinite(value)  # type: ignore[operator, arg-type]


def read_coupon(document: CampaignReader) -> CouponTerms | None:
    """What its coupons are, where it is had by a coupon only."""
    reader = document.nested("coupon", _COUPON)
    if reader is None:
        return None
    code = _code(reader)
    if code is not None:
        for name in _OF_OWN_COUPONS:
            if reader.has(name):
                hint = "a code is everybody's; “limits” says how often it counts"
                reader.refuse(name, "does not go with “code”", hint)
        return CouponTerms(code=code, bins=_bins(reader))
    terms = CouponTerms(
        stock=reader.optional_whole("stock", 1, STOCK_MAX),
        per_customer=reader.whole("per_customer", 1, COUNT_MAX, 1),
        claim_from=reader.moment("claim_from"),
        claim_until=reader.moment("claim_until"),
        valid_days=reader.optional_whole("valid_days", 1, VALID_DAYS_MAX),
        bins=_bins(reader),
        claimable=reader.flag("claimable", default=True),
        returns_on_cancel=reader.flag("returns_on_cancel", default=True),
        returns_on_refund=reader.flag("returns_on_refund", default=True),
    )
    if not terms.claimable:
        for name in ("claim_from", "claim_until"):
            if reader.has(name):
                reader.refuse(name, "does not go with “claimable”: false")
    return terms


def _code(reader: CampaignReader) -> str | None:
    code = reader.value("code")
    if code is None or (isinstance(code, str) and CODE.fullmatch(code)):
        return code
    reader.refuse("code", "takes 3 to 32 letters, digits, “_” and “-”, beginning with a letter or digit")
    return None


def _bins(reader: CampaignReader) -> tuple[str, ...]:
    given = reader.value("bins")
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > BINS_MAX:
        reader.refuse("bins", f"is a list of at most {BINS_MAX} card BINs")
        return ()
    seen: dict[str, None] = {}
    for number, each in enumerate(given):
        if not isinstance(each, str) or not BIN.fullmatch(each):
            reader.refuse(f"bins.{number}", "is the first 6 to 8 digits of a card, as a text")
        elif each in seen:
            reader.refuse(f"bins.{number}", f"“{shown(each)}” is there already")
        else:
            seen[each] = None
    return tuple(seen)
