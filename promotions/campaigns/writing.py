"""Writes a campaign as its normalised JSON document: every field, what is no limit as null, decimals as strings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.kernel.clock import rfc3339
from promotions.campaigns.campaign import (
    Allowance,
    AmountOff,
    Benefit,
    Campaign,
    CouponReward,
    CouponTerms,
    FeeOff,
    FixedPrice,
    Limits,
    OnRefund,
    PaceCurve,
    Pacing,
    PercentOff,
    RandomOff,
    Stacking,
)
from promotions.campaigns.reading import AfterFullRefund, AfterRefund


def to_json(campaign: Campaign) -> dict[str, Any]:
    """The document; `document.parse` reads the same campaign from it.  Id, version and status are no part of it."""
    return {
        "name": campaign.name,
        "benefit": _benefit(campaign.benefit),
        "condition": None if campaign.condition is None else campaign.condition.text,
        "limits": _limits(campaign.limits),
        "on_refund": _on_refund(campaign.on_refund),
        "funding": [{"sponsor": part.sponsor, "share": _decimal(part.share)} for part in campaign.funding] or None,
        "stacking": _stacking(campaign.stacking),
        "starts_at": _moment(campaign.starts_at),
        "ends_at": _moment(campaign.ends_at),
        "timezone": campaign.timezone.key,
        "when_exhausted": campaign.when_exhausted.value,
        "pacing": None if campaign.pacing is None else _pacing(campaign.pacing),
        "coupon": None if campaign.coupon is None else _coupon(campaign.coupon),
        "slices": campaign.slices,
    }


def _benefit(benefit: Benefit) -> Mapping[str, Any]:
    match benefit:
        case AmountOff(tiers):
            return {"type": "amount_off", "tiers": [{"spend": each.spend_fen, "off": each.off_fen} for each in tiers]}
        case PercentOff(percent, max_fen, spend):
            return {"type": "percent_off", "percent": _decimal(percent), "max": max_fen, "spend": spend}
        case FeeOff(percent, max_fen, spend):
            return {"type": "fee_off", "percent": _decimal(percent), "max": max_fen, "spend": spend}
        case RandomOff(least, most, mean, spend, percent_max):
            bounds = {"spend": spend, "min": least, "max": most, "mean": mean}
            return {"type": "random_off", **bounds, "percent_max": _optional(percent_max)}
        case FixedPrice(price, spend):
            return {"type": "fixed_price", "price": price, "spend": spend}
        case CouponReward(campaign_id, count, spend):
            return {"type": "coupon", "campaign": campaign_id, "count": count, "spend": spend}


def _limits(limits: Limits) -> Mapping[str, Any]:
    return {
        "budget": limits.budget_fen,
        "budget_per_day": limits.budget_per_day_fen,
        "count": limits.count,
        "count_per_day": limits.count_per_day,
        **{f"per_{scope}": _allowance(allowance) for scope, allowance in sorted(limits.per.items())},
    }


def _allowance(allowance: Allowance) -> Mapping[str, Any]:
    return {
        "lifetime": allowance.lifetime,
        "day": allowance.day,
        "amount": allowance.amount_fen,
        "amount_per_day": allowance.amount_per_day_fen,
    }


def _on_refund(terms: OnRefund) -> Mapping[str, Any]:
    return {
        "budget": (AfterRefund.RETURN if terms.returns_budget else AfterRefund.KEEP).value,
        "limits": (AfterFullRefund.RETURN_ON_FULL if terms.returns_limits else AfterFullRefund.KEEP).value,
    }


def _stacking(stacking: Stacking) -> Mapping[str, Any]:
    return {
        "group": stacking.group,
        "mode": stacking.mode.value,
        "priority": stacking.priority,
        "total_max": stacking.total_max_fen,
        "total_max_percent": _optional(stacking.total_max_percent),
    }


def _pacing(pacing: Pacing) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"curve": pacing.curve.value}
    return shown if pacing.curve is PaceCurve.EVEN else shown | {"shape": list(pacing.shape)}


def _coupon(terms: CouponTerms) -> Mapping[str, Any]:
    """With a code, what only coupons of one's own have is left out."""
    bins = list(terms.bins)
    if terms.code is not None:
        return {"code": terms.code, "bins": bins}
    return {
        "stock": terms.stock,
        "per_customer": terms.per_customer,
        "claim_from": _moment(terms.claim_from),
        "claim_until": _moment(terms.claim_until),
        "valid_days": terms.valid_days,
        "bins": bins,
        "claimable": terms.claimable,
        "returns_on_cancel": terms.returns_on_cancel,
        "returns_on_refund": terms.returns_on_refund,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else _decimal(value)


def _decimal(value: Decimal) -> str:
    """Without zeros at its end: 0.70 is 0.7, and 5E+1 is 50."""
    return format(value.normalize(), "f")
