"""Reading a campaign's document: nothing is guessed, and everything that is wrong is told at once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.kernel.documents import PROBLEMS_MAX
from gateway.kernel.expressions import check
from promotions.campaigns.campaign import (
    Allowance,
    AmountOff,
    Campaign,
    CouponReward,
    Limits,
    Mode,
    PaceCurve,
    PercentOff,
    RandomOff,
    Scope,
    Share,
    Stacking,
    Status,
    Tier,
    WhenExhausted,
)
from promotions.campaigns.document import CampaignError, parse, read, to_json
from promotions.campaigns.fields import FIELDS
from tests.support.campaign_documents import DOCUMENT, DOCUMENTS, NOW, changed, parsed, problems_of

COUPON_CAMPAIGN = "cam_01JDEXAMPXEC1NEMAV0VCHER00"
RANDOM = {"type": "random_off", "spend": 1801, "min": 1000, "max": 1800, "mean": 1200}
PERCENT = {"type": "percent_off", "percent": "10", "max": 1000, "spend": 100}
REWARD = {"type": "coupon", "campaign": COUPON_CAMPAIGN}


def test_a_campaign_is_read_as_it_was_written() -> None:
    assert parse(DOCUMENT, campaign_id="cam_1", version=3, status=Status.ACTIVE, now=NOW) == Campaign(
        id="cam_1",
        version=3,
        status=Status.ACTIVE,
        name="满20减5",
        benefit=AmountOff((Tier(2_000, 500),)),
        condition=check("payment.wallet == 'wechat' && payment.hour >= 7", FIELDS),
        limits=Limits(1_000_000, 200_000, None, None, {Scope.CUSTOMER: Allowance(lifetime=3, day=1)}),
        funding=(Share("bank", Decimal("0.7")), Share("merchant", Decimal("0.3"))),
        stacking=Stacking("default", Mode.BEST, 10),
        timezone=ZoneInfo("Asia/Shanghai"),
        starts_at=datetime(2026, 10, 31, 16, tzinfo=UTC),
        ends_at=datetime(2026, 11, 30, 16, tzinfo=UTC),
        when_exhausted=WhenExhausted.CHARGE_FULL,
    )


def test_what_is_left_out_or_null_has_its_default() -> None:
    needed = {name: DOCUMENT[name] for name in ("name", "benefit", "funding")}
    plain = parse(needed, now=NOW)
    assert (plain.condition, plain.limits, plain.stacking, plain.slices) == (None, Limits(), Stacking(), 1)
    assert (plain.starts_at, plain.ends_at, plain.timezone.key) == (None, None, "Asia/Shanghai")
    assert plain.on_refund.returns_budget
    assert not plain.on_refund.returns_limits
    assert (plain.pacing, plain.coupon) == (None, None)
    assert parse(needed | dict.fromkeys(DOCUMENT.keys() - needed.keys()), now=NOW) == plain
    assert parse(to_json(plain), now=NOW) == plain


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS)
def test_what_is_written_is_read_as_the_same_campaign(document: dict[str, Any]) -> None:
    campaign = parse(document, campaign_id="cam_1", now=NOW)
    written = to_json(campaign)
    assert parse(written, campaign_id="cam_1", now=NOW) == campaign
    assert read(written, campaign_id="cam_1", version=1, status=Status.DRAFT) == campaign
    assert to_json(parse(written, now=NOW)) == written


def test_the_normalised_document_has_every_field_and_exact_decimals() -> None:
    shares = [{"sponsor": "a", "share": "0.70"}, {"sponsor": "b", "share": "0.3"}]
    written = to_json(parsed(benefit=PERCENT | {"percent": 50}, funding=shares))
    assert written["benefit"] == {"type": "percent_off", "percent": "50", "max": 1000, "spend": 100}
    assert [part["share"] for part in written["funding"]] == ["0.7", "0.3"]
    assert written["ends_at"] == "2026-11-30T16:00:00.000Z"
    assert {name for name, value in written.items() if value is None} == {"pacing", "coupon"}


def test_a_share_of_a_second_below_a_millisecond_is_cut() -> None:
    assert parsed(starts_at="2026-11-01T00:00:00.1239999Z").starts_at == datetime(2026, 11, 1, 0, 0, 0, 123_000, UTC)


def test_each_benefit_has_its_fields() -> None:
    assert parsed(benefit=RANDOM | {"percent_max": "60"}).benefit == RandomOff(1000, 1800, 1200, 1801, Decimal(60))
    assert parsed(benefit={"type": "percent_off", "percent": 12}).benefit == PercentOff(Decimal(12))
    assert parsed(benefit=REWARD, funding=...).benefit == CouponReward(COUPON_CAMPAIGN)


def test_an_even_pace_has_the_same_weight_for_every_hour() -> None:
    pacing = parsed(pacing={"curve": "even"}).pacing
    assert pacing is not None
    assert (pacing.curve, pacing.shape) == (PaceCurve.EVEN, (1.0,) * 24)


def test_every_problem_is_told_at_once_in_the_order_of_the_fields() -> None:
    given = changed(
        slices=0,
        benefit=RANDOM | {"mean": 1900, "surprise": 1},
        condition="payment.amuont > 1",
        limits={"budget": 0, "per_customer": {"week": 1}},
        funding=[{"sponsor": "bank", "share": "0.7"}],
        ends_at="tomorrow",
        coupon={"bins": ["62"]},
        surprise=1,
    )
    assert [path for path, _ in problems_of(given)] == [
        "surprise",
        "benefit.surprise",
        "benefit.mean",
        "condition",
        "limits.budget",
        "limits.per_customer.week",
        "funding",
        "ends_at",
        "coupon.bins.0",
        "slices",
    ]


def test_a_problem_in_the_condition_has_its_line_and_column_and_a_hint() -> None:
    with pytest.raises(CampaignError) as caught:
        parse(changed(condition="payment.amount > 1 &&\n  payment.hours < 6"), now=NOW)
    [problem] = caught.value.problems
    assert (problem.path, problem.line, problem.column) == ("condition", 2, 3)
    assert "payment.hour" in problem.hint


def test_a_field_that_is_nearly_one_is_told_with_what_was_meant() -> None:
    with pytest.raises(CampaignError) as caught:
        parse(changed(limits={"per_costumer": {"day": 1}}), now=NOW)
    [problem] = caught.value.problems
    assert (problem.path, problem.hint) == ("limits.per_costumer", "did you mean “per_customer”?")


WRONG_WHOLE = (0, -1, 1.0, "1", True, [], 10**400)
WRONG_TEXTS = ("", " ", 1, "\x07", "\ud800", [], {})
WRONG_MOMENTS = ("", "2026-11-22", "2026-11-22T10:00:00", "2026-02-30T00:00:00Z", 0, "1999-01-01T00:00:00Z", "x" * 99)
WRONG_PERCENTS = ("0", "100.1", "1e1", "-1", 12.5, 0, 101, True, "", "12.34567", [])
WRONG: list[tuple[dict[str, Any], str]] = [
    *[({"name": value}, "name") for value in (..., None, "x" * 81, "two\nlines", *WRONG_TEXTS)],
    *[({"benefit": value}, "benefit") for value in (..., None, [], "amount_off", 5)],
    *[({"benefit": {"type": value}}, "benefit.type") for value in (None, "", "bogof", 5, [], {})],
    *[({"benefit": {"type": "amount_off", "tiers": value}}, "benefit.tiers") for value in (None, [], {}, "x")],
    ({"benefit": {"type": "amount_off", "tiers": [{"spend": n, "off": 1} for n in range(2, 30)]}}, "benefit.tiers"),
    ({"benefit": {"type": "amount_off", "tiers": [5]}}, "benefit.tiers.0"),
    ({"benefit": {"type": "amount_off", "tiers": [{"off": 5}]}}, "benefit.tiers.0.spend"),
    ({"benefit": {"type": "amount_off", "tiers": [{"spend": 5}]}}, "benefit.tiers.0.off"),
    ({"benefit": {"type": "amount_off", "tiers": [{"spend": 5, "off": 5}]}}, "benefit.tiers.0.off"),
    ({"benefit": {"type": "amount_off", "tiers": [{"spend": 5, "off": 1, "x": 1}]}}, "benefit.tiers.0.x"),
    *[({"benefit": RANDOM | {"min": value}}, "benefit.min") for value in (None, *WRONG_WHOLE)],
    *[({"benefit": RANDOM | {"mean": value}}, "benefit.mean") for value in (999, 1801)],
    ({"benefit": RANDOM | {"max": 999}}, "benefit.max"),
    *[({"benefit": RANDOM | {"spend": value}}, "benefit.spend") for value in (0, None, 1800)],
    ({"benefit": RANDOM | {"percent_max": "10"}}, "benefit.percent_max"),
    *[({"benefit": PERCENT | {"percent": value}}, "benefit.percent") for value in (None, *WRONG_PERCENTS)],
    *[({"benefit": PERCENT | {"max": value}}, "benefit.max") for value in WRONG_WHOLE],
    *[({"benefit": PERCENT | {"percent": 100, "max": value}}, "benefit.percent") for value in (None, 100, 1000)],
    ({"benefit": {"type": "fixed_price"}}, "benefit.price"),
    ({"benefit": {"type": "fixed_price", "price": 100, "spend": 100}}, "benefit.spend"),
    *[({"benefit": REWARD | {"campaign": value}}, "benefit.campaign") for value in (None, "", "cam_1", 5, "pay_x")],
    *[({"benefit": REWARD | {"count": value}}, "benefit.count") for value in (11, *WRONG_WHOLE)],
    ({"benefit": PERCENT | {"price": 5}}, "benefit.price"),
    *[({"condition": value}, "condition") for value in ("1", "payment.amount", "(", "x" * 8_193, *WRONG_TEXTS)],
    *[({"limits": value}, "limits") for value in ([], 5, "none")],
    *[({"limits": {"budget": value}}, "limits.budget") for value in (10**15 + 1, *WRONG_WHOLE)],
    *[({"limits": {"count": value}}, "limits.count") for value in (10**9 + 1, *WRONG_WHOLE)],
    *[({"limits": {"per_customer": value}}, "limits.per_customer") for value in ([], 3)],
    *[({"limits": {"per_store": {"day": value}}}, "limits.per_store.day") for value in WRONG_WHOLE],
    ({"limits": {"per_month": 5}}, "limits.per_month"),
    ({"limits": {"per_month": None}}, "limits.per_month"),
    *[({"funding": value}, "funding") for value in (..., None, [], {}, "bank")],
    ({"funding": [{"sponsor": f"s{n}", "share": "0.125"} for n in range(8)]}, "funding"),
    *[({"funding": [{"sponsor": v, "share": "1"}]}, "funding.0.sponsor") for v in (None, "", "a b", 5, "ü", "x" * 65)],
    *[({"funding": [{"sponsor": "b", "share": v}]}, "funding.0.share") for v in (None, 1, 0.5, "0", "1.1", "½", "1e0")],
    ({"funding": [{"sponsor": "a", "share": "0.5"}, {"sponsor": "b", "share": "0.499999"}]}, "funding"),
    ({"funding": [{"sponsor": "a", "share": "0.5"}, {"sponsor": "b", "share": "0.500001"}]}, "funding"),
    ({"funding": [{"sponsor": "a", "share": "0.5"}] * 2}, "funding.1.sponsor"),
    *[({"on_refund": {"budget": value}}, "on_refund.budget") for value in ("", "both", 1, True, [])],
    *[({"on_refund": {"limits": value}}, "on_refund.limits") for value in ("return", 1)],
    *[({"stacking": {"mode": value}}, "stacking.mode") for value in ("all", 1, [])],
    *[({"stacking": {"group": value}}, "stacking.group") for value in ("", " ", 5, "ä")],
    *[({"stacking": {"priority": value}}, "stacking.priority") for value in (1.5, "1", True, 10**7)],
    *[({"stacking": {"total_max": value}}, "stacking.total_max") for value in WRONG_WHOLE],
    *[({"stacking": {"total_max_percent": value}}, "stacking.total_max_percent") for value in WRONG_PERCENTS],
    *[({"starts_at": value}, "starts_at") for value in WRONG_MOMENTS],
    *[({"ends_at": value}, "ends_at") for value in WRONG_MOMENTS],
    *[({"timezone": value}, "timezone") for value in ("", "Mars/Base", "asia/shanghai", "../etc", 8, "+08:00")],
    *[({"when_exhausted": value}, "when_exhausted") for value in ("", "refuse", 5)],
    *[({"pacing": value}, "pacing") for value in ("even", [])],
    ({"pacing": {"curve": "bell"}}, "pacing.curve"),
    ({"pacing": {"curve": "even", "shape": [1] * 24}}, "pacing.shape"),
    *[
        ({"pacing": {"curve": "shape", "shape": value}}, "pacing.shape")
        for value in (None, [], [1] * 23, [0] * 24, [-1] * 24, ["1"] * 24, [True] * 24, [float("nan")] * 24)
    ],
    *[({"coupon": value}, "coupon") for value in ([], "SPRING5", True)],
    *[({"coupon": {"code": value}}, "coupon.code") for value in ("", "ab", "with blank", 5, "x" * 33)],
    *[({"coupon": {"code": "SPRING5", name: 1}}, f"coupon.{name}") for name in ("stock", "per_customer", "valid_days")],
    *[({"coupon": {"stock": value}}, "coupon.stock") for value in WRONG_WHOLE],
    *[({"coupon": {"bins": value}}, "coupon.bins") for value in ("622202", {}, ["622202"] * 1_001)],
    *[({"coupon": {"bins": ["622202", value]}}, "coupon.bins.1") for value in ("62220", "622202", 622_202, "62220a")],
    *[({"coupon": {"claimable": value}}, "coupon.claimable") for value in (1, "no")],
    ({"coupon": {"claimable": False, "claim_from": "2026-11-23T10:00:00Z"}}, "coupon.claim_from"),
    *[({"slices": value}, "slices") for value in (65, *WRONG_WHOLE)],
    ({"": 1}, "?"),
    ({"a" * 5_000: 1}, "a" * 64),
    ({"a\x00\ud800": None}, "a??"),
]


@pytest.mark.parametrize(("change", "path"), WRONG, ids=lambda value: ascii(value)[:60])
def test_whatever_is_wrong_is_named_and_nothing_else(change: dict[str, Any], path: str) -> None:
    assert [path for path, _ in problems_of(changed(**change))] == [path]


@pytest.mark.parametrize("given", [None, [], "", 5, True])
def test_what_is_no_object_is_no_campaign(given: object) -> None:
    assert problems_of(given) == [("body", "a campaign is a JSON object")]


def test_tiers_that_do_not_rise_are_told_one_by_one() -> None:
    tiers = [{"spend": 2000, "off": 500}, {"spend": 2000, "off": 600}, {"spend": 3000, "off": 600}]
    assert problems_of(changed(benefit={"type": "amount_off", "tiers": tiers})) == [
        ("benefit.tiers.1.spend", "is 2000, which is not above the 2000 of the tier before"),
        ("benefit.tiers.2.off", "is 600, which is not above the 600 of the tier before"),
    ]


def test_shares_that_do_not_add_up_say_what_they_come_to() -> None:
    shares = [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.2"}]
    assert problems_of(changed(funding=shares)) == [("funding", "the shares add up to 0.9 instead of 1")]


def test_the_list_of_problems_is_bounded() -> None:
    assert len(problems_of({f"field{number}": 1 for number in range(500)})) == PROBLEMS_MAX


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1", "even", "default"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)
PLACES = [
    *[(name, "") for name in DOCUMENT],
    *[("benefit", name) for name in ("type", "tiers")],
    *[("limits", name) for name in ("budget", "per_customer", "per_code", "x")],
    *[("coupon", name) for name in ("code", "bins", "stock", "claim_from")],
    *[("pacing", name) for name in ("curve", "shape")],
    *[("stacking", name) for name in ("group", "total_max_percent")],
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), ANYTHING)
def test_anything_at_all_is_read_or_refused(place: tuple[str, str], value: object) -> None:
    """A refusal names places of the document; what is read can be stored and read again."""
    field, inner = place
    document = changed(**{field: value if not inner else {**(DOCUMENT.get(field) or {}), inner: value}})
    try:
        campaign = parse(document, now=NOW)
    except CampaignError as error:
        assert error.problems  # noqa: PT017
        assert all(problem.path for problem in error.problems)  # noqa: PT017
    else:
        assert parse(to_json(campaign), now=NOW) == campaign


@pytest.mark.parametrize(
    ("change", "path", "hint"),
    [
        ({"limits": {"budget": 10000.5}}, "limits.budget", "¥10.50 is 1050"),
        ({"limits": {"budget": "¥5000"}}, "limits.budget", "¥10.50 is 1050"),
        ({"limits": {"budget": 0}}, "limits.budget", "leave it out"),
        ({"funding": [{"sponsor": "bank", "share": "70"}]}, "funding.0.share", '70 % is "0.7"'),
        ({"funding": [{"sponsor": "bank", "share": 0.7}]}, "funding.0.share", 'write "0.7"'),
    ],
)
def test_a_number_that_is_written_wrong_comes_with_how_it_is_written(
    change: dict[str, Any], path: str, hint: str
) -> None:
    with pytest.raises(CampaignError) as refused:
        parse(changed(**change), now=NOW)
    (problem,) = [each for each in refused.value.problems if each.path == path]
    assert hint in problem.hint


def test_a_tier_that_cannot_be_read_is_refused_once() -> None:
    tiers = [{"spend": 2000, "off": 5.0}, {"spend": "¥30", "off": 600}]
    assert [path for path, _ in problems_of(changed(benefit={"type": "amount_off", "tiers": tiers}))] == [
        "benefit.tiers.0.off",
        "benefit.tiers.1.spend",
    ]
