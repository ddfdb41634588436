"""The terms of an account are read whole or refused by the path of what is wrong; hours, maintenance and limits."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.clock import BEIJING
from routing.accounts.fees import Fee, FeeBand, FeePromotion
from routing.accounts.terms import BEGINNING, END, Limits, Terms, TermsError
from routing.channels.base import Wallet
from routing.sale import Method

FULL: dict[str, Any] = {
    "fee": {
        "rate_millionths": 6_000,
        "min_fen": 1,
        "cap_fen": 2_000,
        "bands": [{"up_to_fen": 100_000, "rate_millionths": 3_800, "cap_fen": None}],
        "promotions": [
            {
                "from": "2026-11-01T00:00:00+08:00",
                "until": "2026-12-01T00:00:00+08:00",
                "rate_millionths": 2_000,
                "wallets": ["wechat"],
            }
        ],
    },
    "limits": {
        "payment_min_fen": 10,
        "payment_max_fen": 5_000_000,
        "day_fen": 100_000_000,
        "month_fen": 2_000_000_000,
        "static_code_max_fen": 50_000,
    },
    "hours": {"timezone": "Asia/Shanghai", "open": [{"days": [1, 2, 3, 4, 5], "from": "00:30", "until": "23:30"}]},
    "maintenance": [{"from": "2026-11-20T02:00:00+08:00", "until": "2026-11-20T04:00:00+08:00", "note": "升级"}],
    "merchants": ["mer_1"],
    "methods": ["barcode", "page"],
}


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def changed(path: str, value: object) -> dict[str, Any]:
    """The full terms with another value at a path such as `fee.bands[0].up_to_fen`."""
    document = copy.deepcopy(FULL)
    *way, last = [int(step) if step.isdigit() else step for step in path.replace("[", ".").replace("]", "").split(".")]
    place: Any = document
    for step in way:
        place = place[step]
    place[last] = value
    return document


def test_every_part_is_read() -> None:
    terms = Terms.of(FULL, 9_999)
    promotion = FeePromotion(
        beijing("2026-11-01 00:00"), beijing("2026-12-01 00:00"), 2_000, frozenset({Wallet.WECHAT})
    )
    assert terms.fee == Fee(6_000, 1, 2_000, (FeeBand(100_000, 3_800),), (promotion,))
    assert terms.limits == Limits(10, 5_000_000, 100_000_000, 2_000_000_000, 50_000)
    assert (terms.merchants, terms.methods) == ({"mer_1"}, {Method.BARCODE, Method.PAGE})
    assert [each.note for each in terms.maintenance] == ["升级"]


@pytest.mark.parametrize("document", [None, {}, {"fee": None, "hours": None, "merchants": None}, {"fee": {}}])
def test_without_terms_the_plain_rate_holds_always_and_for_all(document: dict[str, Any] | None) -> None:
    terms = Terms.of(document, 3_800)
    assert terms == Terms(Fee(3_800))
    assert terms.limits == Limits(1, None, None, None, None)
    assert terms.is_open(beijing("2026-11-22 03:00"))
    assert terms.settled(beijing("2026-11-22 03:00")) == (BEGINNING, END)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("fee", 3_800),
        ("fee.rate_millionths", 1_000_001),
        ("fee.rate_millionths", 3_800.0),
        ("fee.rate_millionths", True),
        ("fee.min_fen", -1),
        ("fee.cap_fen", 0),
        ("fee.bands[0].up_to_fen", 0),
        ("fee.bands[0].rate_millionths", None),
        ("fee.promotions[0].until", "2026-11-01T00:00:00+08:00"),
        ("fee.promotions[0].from", "2026-11-01T00:00:00"),
        ("fee.promotions[0].from", 20261101),
        ("fee.promotions[0].wallets[0]", "paypal"),
        ("fee.promotions", {}),
        ("limits.payment_min_fen", 0),
        ("limits.payment_max_fen", 9),
        ("limits.day_fen", "1000"),
        ("hours.timezone", "Asia/Atlantis"),
        ("hours.timezone", "../etc"),
        ("hours.timezone", "Asia"),
        ("hours.open[0].days[0]", 0),
        ("hours.open[0].days[0]", 8),
        ("hours.open[0].from", "24:30"),
        ("hours.open[0].from", "8:30"),
        ("hours.open[0].until", "00:30"),
        ("hours.open", None),
        ("maintenance[0].until", "2026-11-20T02:00:00+08:00"),
        ("maintenance[0].note", "x" * 201),
        ("maintenance[0].note", "\x00"),
        ("merchants", "mer_1"),
        ("merchants", ["mer_1"] * 1_001),
        ("methods[0]", "carrier_pigeon"),
        ("fee.rate", 1),
        ("unheard_of", {}),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(path: str, value: object) -> None:
    with pytest.raises(TermsError) as caught:
        Terms.of(changed(path, value), 3_800)
    assert caught.value.path == f"terms.{path}"


def test_bands_ascend() -> None:
    band = {"up_to_fen": 100_000, "rate_millionths": 1}
    with pytest.raises(TermsError) as caught:
        Terms.of(changed("fee.bands", [band, band]), 3_800)
    assert caught.value.path == "terms.fee.bands[1].up_to_fen"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PATHS = st.sampled_from(
    [
        "fee.bands[0].up_to_fen",
        "fee.promotions[0].from",
        "fee.promotions[0].wallets",
        "limits.day_fen",
        "hours.timezone",
        "hours.open[0].from",
        "hours.open[0].days",
        "maintenance[0].until",
        "merchants",
        "methods",
        "fee",
        "limits",
        "hours",
        "maintenance",
    ]
)


@given(PATHS, ANYTHING)
def test_anything_else_is_read_or_refused_by_its_path(path: str, value: object) -> None:
    document = json.loads(json.dumps(changed(path, value)))
    refusal = ""
    try:
        Terms.of(document, 3_800)
    except TermsError as error:
        refusal = error.path
    assert refusal.startswith(f"terms.{path}") or not refusal


def test_an_account_is_closed_outside_its_hours_and_on_other_days() -> None:
    terms = Terms.of({"hours": FULL["hours"]}, 3_800)
    friday = ["2026-11-20 00:29", "2026-11-20 00:30", "2026-11-20 23:29", "2026-11-20 23:30"]
    assert [terms.is_open(beijing(at)) for at in friday] == [False, True, True, False]
    assert not terms.is_open(beijing("2026-11-21 12:00"))
    assert terms.is_open(beijing("2026-11-20 12:00").astimezone(UTC))


def test_hours_may_last_past_midnight() -> None:
    hours = {"timezone": "Asia/Shanghai", "open": [{"days": [5], "from": "22:00", "until": "02:00"}]}
    terms = Terms.of({"hours": hours}, 3_800)
    at = ["2026-11-20 01:00", "2026-11-20 22:00", "2026-11-21 01:59", "2026-11-21 02:00", "2026-11-21 23:00"]
    assert [terms.is_open(beijing(each)) for each in at] == [False, True, True, False, False]


def test_a_day_may_be_open_to_its_end() -> None:
    hours = {"timezone": "Asia/Shanghai", "open": [{"from": "00:00", "until": "24:00"}]}
    terms = Terms.of({"hours": hours}, 3_800)
    assert terms.is_open(beijing("2026-11-20 23:59"))
    assert terms.is_open(beijing("2026-11-21 00:00"))


def test_maintenance_ends_to_the_moment() -> None:
    terms = Terms.of(FULL, 3_800)
    at = ["2026-11-20 01:59", "2026-11-20 02:00", "2026-11-20 03:59", "2026-11-20 04:00"]
    assert [terms.is_maintained(beijing(each)) for each in at] == [False, True, True, False]


MOMENTS = st.integers(0, 14 * 24 * 60).map(lambda minutes: beijing("2026-11-10 00:00") + timedelta(minutes=minutes))
MINUTES = st.integers(0, 23 * 60 + 59).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
OPEN = st.builds(
    lambda days, first, last: {"days": days, "from": first, "until": last},
    st.lists(st.integers(1, 7), min_size=1, max_size=7),
    MINUTES,
    MINUTES,
).filter(lambda open_time: open_time["from"] != open_time["until"])


@given(st.lists(OPEN, max_size=3), MOMENTS, st.integers(-24 * 60, 24 * 60))
def test_nothing_changes_while_it_is_settled(open_times: list[Any], at: datetime, minutes: int) -> None:
    hours = {"timezone": "Asia/Shanghai", "open": open_times}
    terms = Terms.of({**FULL, "hours": hours}, 3_800)
    other = at + timedelta(minutes=minutes)
    since, until = terms.settled(at)
    assert since <= at < until
    if since <= other < until:
        assert (terms.is_open(other), terms.is_maintained(other)) == (terms.is_open(at), terms.is_maintained(at))
        assert terms.fee.rules(Wallet.WECHAT, other) == terms.fee.rules(Wallet.WECHAT, at)
