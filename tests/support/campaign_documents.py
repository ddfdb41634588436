"""Campaigns as managers write them, for tests: PRODUCT's own, and generated ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from promotions.campaigns.campaign import Campaign
from promotions.campaigns.document import CampaignError, parse

NOW: Final = datetime(2026, 11, 22, 4, tzinfo=UTC)
"""Noon in Shanghai, a Sunday."""
DOCUMENT: Final[Mapping[str, Any]] = {
    "name": "满20减5",
    "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]},
    "condition": "payment.wallet == 'wechat' && payment.hour >= 7",
    "limits": {
        "budget": 1_000_000,
        "budget_per_day": 200_000,
        "count": None,
        "count_per_day": None,
        "per_customer": {"lifetime": 3, "day": 1},
    },
    "on_refund": {"budget": "return", "limits": "keep"},
    "funding": [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}],
    "stacking": {"group": "default", "mode": "best", "priority": 10},
    "starts_at": "2026-11-01T00:00:00+08:00",
    "ends_at": "2026-12-01T00:00:00+08:00",
    "timezone": "Asia/Shanghai",
    "when_exhausted": "charge_full",
}
"""As PRODUCT.md has it."""


def changed(**changes: Any) -> dict[str, Any]:
    """PRODUCT's campaign with other fields; `...` leaves one out."""
    return {name: value for name, value in {**DOCUMENT, **changes}.items() if value is not ...}


def parsed(**changes: Any) -> Campaign:
    """The same, read."""
    return parse(changed(**changes), now=NOW)


def problems_of(given: object) -> list[tuple[str, str]]:
    """What is wrong with a document, as (path, sentence); nothing where it is right."""
    try:
        parse(given, now=NOW)
    except CampaignError as error:
        return [(problem.path, problem.message) for problem in error.problems]
    return []


def _optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


_FEN: Final = st.integers(1, 5_000)
_PERCENT: Final = st.sampled_from(["1", "5", "12.5", "33.3333", "99.9", 20, 7])
_SHARES: Final = st.sampled_from(
    [["1"], ["0.7", "0.3"], ["0.50", "0.25", "0.25"], ["0.333333", "0.333333", "0.333334"]]
)
_MANY: Final = st.integers(100_000, 10**9)


@st.composite
def _tiers(draw: st.DrawFn) -> dict[str, Any]:
    spend = off = 0
    tiers = []
    for _ in range(draw(st.integers(1, 5))):
        off += draw(_FEN)
        spend = max(spend, off) + draw(_FEN)
        tiers.append({"spend": spend, "off": off})
    return {"type": "amount_off", "tiers": tiers}


@st.composite
def _random(draw: st.DrawFn) -> dict[str, Any]:
    least, mean, most = sorted([draw(_FEN), draw(_FEN), draw(_FEN)])
    if draw(st.booleans()):
        return {"type": "random_off", "min": least, "mean": mean, "max": most, "spend": most + draw(_FEN)}
    return {"type": "random_off", "min": least, "mean": mean, "max": most, "spend": least * 20, "percent_max": "5"}


def _percentage(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    spend = st.integers(0, 9_999)
    return st.fixed_dictionaries({"type": st.just(kind), "percent": _PERCENT}, optional={"max": _FEN, "spend": spend})


BENEFITS: Final = st.one_of(
    _tiers(),
    _random(),
    _percentage("percent_off"),
    _percentage("fee_off"),
    st.fixed_dictionaries({"type": st.just("fixed_price"), "price": _FEN}, optional={"spend": st.just(5_001)}),
    st.fixed_dictionaries(
        {"type": st.just("coupon"), "campaign": st.just("cam_01JDEXAMPXEC1NEMAV0VCHER00")},
        optional={"count": st.integers(1, 10), "spend": st.integers(0, 9_999)},
    ),
)
ALLOWANCES: Final = st.fixed_dictionaries(
    {}, optional={name: _optional(_MANY) for name in ("lifetime", "day", "amount", "amount_per_day")}
)
LIMITS: Final = st.fixed_dictionaries(
    {"budget": _MANY},
    optional={
        **{name: _optional(_MANY) for name in ("budget_per_day", "count", "count_per_day")},
        **{f"per_{scope}": _optional(ALLOWANCES) for scope in ("customer", "device", "store", "code", "region")},
    },
)
OWN_COUPONS: Final = st.fixed_dictionaries(
    {},
    optional={
        "stock": _optional(st.integers(1, 10**8)),
        "per_customer": st.integers(1, 9),
        "claim_from": st.just("2026-11-23T10:00:00.5+08:00"),
        "claim_until": st.just("2026-11-24T10:00:00Z"),
        "valid_days": st.integers(1, 99),
        "bins": st.just(["622202", "62220299"]),
        "returns_on_cancel": st.booleans(),
        "returns_on_refund": st.booleans(),
    },
)
DOCUMENTS: Final = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["满20减5", "x", "a name with blanks"]),
        "benefit": BENEFITS,
        "funding": _SHARES.map(lambda all_: [{"sponsor": f"s{n}", "share": share} for n, share in enumerate(all_)]),
        "limits": LIMITS,
    },
    optional={
        "condition": st.sampled_from([None, "payment.hour >= 7", "customer.known || payment.amount > 500"]),
        "on_refund": st.fixed_dictionaries(
            {}, optional={"budget": st.sampled_from(["return", "keep"]), "limits": st.just("return_on_full")}
        ),
        "stacking": st.fixed_dictionaries(
            {},
            optional={
                "group": st.just("bank"),
                "mode": st.sampled_from(["exclusive", "best", "cascading"]),
                "priority": st.integers(-9, 9),
                "total_max": _optional(st.integers(5_000, 9_999)),
                "total_max_percent": _PERCENT,
            },
        ),
        "starts_at": st.just("2026-11-01T00:00:00.123456Z"),
        "ends_at": st.just("2027-11-01T00:00:00-03:30"),
        "timezone": st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]),
        "when_exhausted": st.sampled_from(["charge_full", "decline"]),
        "pacing": st.sampled_from([None, {"curve": "even"}, {"curve": "shape", "shape": [0, 1.5] * 12}]),
        "coupon": _optional(OWN_COUPONS | st.just({"code": "SPRING5"}) | st.just({"claimable": False})),
        "slices": st.integers(1, 64),
    },
)
