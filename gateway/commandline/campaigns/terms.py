"""What `mashang campaign show` says of a campaign's rules, in words: only where they say something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_OF_ONE: Final = ("lifetime", "day", "amount", "amount_per_day")


def terms_of(campaign: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Limits, coupon, pacing, stacking and what happens at the end, each with its name."""
    coupon, pacing, stacking = campaign["coupon"], campaign["pacing"], campaign["stacking"]
    for name, limit in campaign["limits"].items():
        if name.startswith("per_") and limit is not None:
            yield name.replace("_", " "), limit_of(limit)
    if coupon is not None:
        yield "coupon", coupon_of(coupon)
    if pacing is not None:
        yield "pacing", "evenly over the day" if pacing["curve"] == "even" else "over the day, by its own shape"
    if stacking is not None:
        yield "stacking", stacking_of(stacking)
    refund = campaign["on_refund"]
    back = "gives the budget back" if refund["budget"] == "return" else "gives the budget nothing back"
    limits = ", a full one the limits too" if refund["limits"] == "return_on_full" else ""
    yield "a refund", f"{back}{limits}"
    if campaign["when_exhausted"] == "decline":
        yield "when gone", "the payment is declined"


def limit_of(limit: Mapping[str, Any]) -> str:
    """Such as “3 payments, 1 a day, at most ¥100.00”."""
    lifetime, day, amount, amount_per_day = (limit.get(name) for name in _OF_ONE)
    parts = (
        "" if lifetime is None else f"{lifetime} payment{'' if lifetime == 1 else 's'}",
        "" if day is None else f"{day} a day",
        "" if amount is None else f"at most {_yuan(amount)}",
        "" if amount_per_day is None else f"at most {_yuan(amount_per_day)} a day",
    )
    return ", ".join(part for part in parts if part)


def coupon_of(coupon: Mapping[str, Any]) -> str:
    """Who has the discount by which coupon."""
    bins = f"cards {', '.join(coupon['bins'])}" if coupon.get("bins") else ""
    if coupon.get("code"):
        return "; ".join(part for part in (f"whoever sends “{coupon['code']}”", bins) if part)
    parts = (
        "claimed by customers" if coupon.get("claimable", True) else "issued or granted only",
        "" if coupon.get("stock") is None else f"{coupon['stock']:,} in stock",
        f"{coupon['per_customer']} per customer" if coupon.get("per_customer") else "",
        f"from {coupon['claim_from']}" if coupon.get("claim_from") else "",
        f"until {coupon['claim_until']}" if coupon.get("claim_until") else "",
        f"good for {coupon['valid_days']} days" if coupon.get("valid_days") else "",
        bins,
    )
    return "; ".join(part for part in parts if part)


def stacking_of(stacking: Mapping[str, Any]) -> str:
    """Group, mode, priority and caps."""
    parts = [f"group {stacking['group']}", stacking["mode"], f"priority {stacking['priority']}"]
    if stacking.get("total_max") is not None:
        parts.append(f"all discounts together at most {_yuan(stacking['total_max'])}")
    if stacking.get("total_max_percent") is not None:
        parts.append(f"at most {stacking['total_max_percent']} % of the amount")
    return ", ".join(parts)


def _yuan(amount_fen: int) -> str:
    return f"¥{amount_fen // 100:,}.{amount_fen % 100:02d}"
