"""A campaign that could never apply is refused with the reason; one that could is taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from promotions.campaigns.campaign import Status
from promotions.campaigns.document import CampaignError, parse
from promotions.pricing.price import price
from tests.support.campaign_documents import BENEFITS, NOW, changed, problems_of
from tests.support.campaigns import SECRET, payment

RANDOM = {"type": "random_off", "spend": 2000, "min": 100, "max": 500, "mean": 300}
CHEAP = {"type": "fixed_price", "price": 100}
FREE: dict[str, Any] = {"limits": ...}
"""Without a limit per customer, unknown customers are meant too."""

NEVER_TRUE: list[tuple[str, dict[str, Any], str]] = [
    ("false", {}, "“false” is never true"),
    ("payment.hour > 25", {}, "“payment.hour > 25” is never true"),
    ("payment.hour >= 7 && payment.hour == 24", {}, "“payment.hour == 24” is never true"),
    ("payment.weekday == 0", {}, "is never true"),
    ("payment.month in [0, 13]", {}, "is never true"),
    ("payment.minute < 0", {}, "is never true"),
    ("payment.wallet == 'paypal'", {}, "is never true"),
    ("payment.method == 'cash'", {}, "is never true"),
    ("payment.card_bin == '62'", {}, "is never true"),
    ("customer.segment == 'rich'", {}, "is never true"),
    ("customer.orders < 0", {}, "is never true"),
    ("payment.amount <= 0", {}, "is never true"),
    ("!known(payment.amount)", {}, "is never true"),
    ("payment.hour > 20 && payment.hour < 5", {}, "“payment.hour < 5” contradicts what stands before it"),
    ("payment.hour > 4 && payment.hour < 6 && payment.hour != 5", {}, "“payment.hour != 5” contradicts"),
    ("payment.wallet == 'wechat' && payment.wallet == 'alipay'", {}, "contradicts"),
    ("payment.wallet == 'wechat' && !known(payment.wallet)", {}, "contradicts"),
    ("payment.wallet == 'wechat' && payment.wallet != 'wechat'", {}, "contradicts"),
    ("(payment.hour < 3 || payment.hour > 20) && payment.hour == 12", {}, "contradicts"),
    ("customer.first_payment && customer.orders > 2", {}, "contradicts"),
    ("customer.first_payment && customer.days_since_last > 3", {}, "contradicts"),
    ("customer.first_payment && customer.segment == 'active'", {}, "contradicts"),
    ("customer.first_payment && customer.orders_on_wallet >= 1", {}, "contradicts"),
    ("customer.segment == 'new' && customer.spent > 0", {}, "contradicts"),
    ("customer.segment == 'sleeping' && customer.days_since_last < 30", {}, "contradicts"),
    ("customer.segment == 'high_value' && customer.orders < 10", {}, "contradicts"),
    ("!customer.known && customer.orders == 0", FREE, "contradicts"),
    ("payment.amount < 2000", {}, "“payment.amount < 2000” is never true where the benefit gives anything"),
    ("payment.amount in [100, 1999]", {}, "is never true where the benefit gives anything"),
    ("payment.amount <= 9", {"benefit": {"type": "percent_off", "percent": 10}, **FREE}, "where the benefit gives"),
    ("payment.amount <= 100", {"benefit": CHEAP, **FREE}, "where the benefit gives"),
    ("!customer.known", {}, "“!customer.known” is never true for this campaign"),
    (
        "!known(payment.code)",
        {"limits": {"per_code": {"day": 9}}},
        "“!known(payment.code)” is never true for this campaign",
    ),
    ("payment.date == '2026-11-31'", {}, "is never true while the campaign runs"),
    ("payment.date == '2026-11-11'", {}, "is never true while the campaign runs"),
    ("payment.date > '2026-12-01'", {}, "is never true while the campaign runs"),
    ("payment.month == 12", {}, "is never true while the campaign runs"),
    ("payment.month == 2 && payment.day == 30", {"ends_at": ...}, "contradicts"),
    ("payment.weekday == 1 && payment.date == '2026-11-24'", {}, "contradicts"),
    ("payment.hour == 9", {"ends_at": "2026-11-22T20:00:00+08:00"}, "is never true while the campaign runs"),
    ("payment.card_bin == '622202'", {"coupon": {"bins": ["621700"]}}, "is never true with the campaign's coupons"),
    ("!known(payment.card_bin)", {"coupon": {"bins": ["621700"]}}, "is never true with the campaign's coupons"),
    ("payment.hour % 2 == 2", {}, "“payment.hour % 2 == 2” is never true"),
    ("payment.amount > 5000 && payment.wallet.startsWith('we_chat')", {}, "“payment.wallet.startsWith('we_chat')” is"),
    ("payment.wallet.matches('^we_')", {}, "“payment.wallet.matches('^we_')” is never true"),
    ("payment.hour % 2 == 1 && payment.hour % 4 == 0", {}, "“payment.hour % 4 == 0” contradicts what stands before it"),
    ("payment.hour + payment.minute > 82", {}, "is never true"),
    ("payment.hour == payment.month + 12 && payment.weekday - 8 == 0", {}, "“payment.weekday - 8 == 0” is never true"),
]


@pytest.mark.parametrize(("condition", "around", "reason"), NEVER_TRUE, ids=lambda value: str(value)[:60])
def test_a_condition_that_can_never_be_true_is_refused(condition: str, around: dict[str, Any], reason: str) -> None:
    [(path, message)] = problems_of(changed(condition=condition, **around))
    assert path == "condition"
    assert reason in message


@pytest.mark.parametrize(
    ("condition", "around"),
    [
        ("true", {}),
        ("payment.hour == 23 && payment.minute == 59", {}),
        ("payment.hour > 20 || payment.hour < 5", {}),
        ("payment.hour == 99 || payment.hour == 3", {}),
        ("payment.hour > 4 && payment.hour < 7 && payment.hour != 5", {}),
        ("payment.amount <= 2000", {}),
        ("payment.amount <= 10", {"benefit": {"type": "percent_off", "percent": 10}, **FREE}),
        ("payment.amount <= 101", {"benefit": CHEAP, **FREE}),
        ("payment.amount == 1", {"benefit": {"type": "fee_off", "percent": 10}, **FREE}),
        ("!customer.known", FREE),
        ("!known(payment.code)", {"limits": {"per_store": {"day": 9}}}),
        ("!known(customer.orders)", FREE),
        ("customer.first_payment && customer.orders == 0 && !known(customer.days_since_last)", {}),
        ("customer.segment == 'sleeping' && customer.days_since_last >= 60", {}),
        ("customer.segment in ['new', 'sleeping'] && customer.orders > 3", {}),
        ("payment.date == '2026-11-30'", {}),
        ("payment.date == '2026-12-31'", {"ends_at": ...}),
        ("payment.month == 2 && payment.day == 29 && payment.weekday == 7", {"ends_at": ...}),
        ("payment.weekday == 1 && payment.date == '2026-11-23'", {}),
        ("payment.hour == 13", {"ends_at": "2026-11-22T20:00:00+08:00"}),
        ("payment.hour == 19 && payment.day == 22", {"ends_at": "2026-11-22T20:00:00+08:00"}),
        ("payment.card_bin == '62170099'", {"coupon": {"bins": ["621700"]}}),
        ("payment.card_bin.startsWith('62')", {}),
        ("!known(payment.wallet) || payment.wallet == 'wechat'", {}),
        ("payment.amount % 100 == 0 && payment.amount % 2 == 1", {}),
        ("payment.hour % 2 == 1 && payment.hour % 4 == 3", {}),
        ("payment.hour + payment.minute > 81", {}),
        ("payment.wallet.matches('^we')", {}),
        ("payment.hour + payment.minute + payment.day + payment.weekday > 999", {}),
        ("'vip' in customer.segments", {}),
        ("customer.orders == 0 ? payment.hour < 12 : payment.hour >= 12", {}),
    ],
)
def test_a_condition_that_may_come_true_is_taken(condition: str, around: dict[str, Any]) -> None:
    assert problems_of(changed(condition=condition, **around)) == []


def test_a_day_that_summer_time_makes_short_is_not_stepped_over() -> None:
    """A Sunday of 23 hours, looked for from half past eleven in the evening on."""
    berlin = changed(
        timezone="Europe/Berlin",
        condition="payment.date == '2027-03-28'",
        starts_at="2026-11-22T23:30:00+01:00",
        ends_at="2027-06-01T00:00:00+02:00",
    )
    assert problems_of(berlin) == []


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"ends_at": "2026-11-01T00:00:00+08:00"}, "ends_at", "is not after “starts_at”"),
        ({"ends_at": "2026-11-22T12:00:00+08:00"}, "ends_at", "has passed already"),
        ({"limits": {"budget": 499}}, "limits.budget", "the smallest discount is 500"),
        ({"limits": {"budget_per_day": 499}}, "limits.budget_per_day", "the smallest discount is 500"),
        ({"limits": {"per_store": {"amount": 499}}}, "limits.per_store.amount", "the smallest discount is 500"),
        ({"limits": {"per_code": {"amount_per_day": 1}}}, "limits.per_code.amount_per_day", "the smallest"),
        ({"benefit": RANDOM, "limits": {"budget": 99}}, "limits.budget", "the smallest discount is 100"),
        ({"benefit": RANDOM, "limits": {"budget": 299}}, "limits.budget", "a discount is 300 on average"),
        (
            {"benefit": RANDOM | {"percent_max": "5"}, "condition": "payment.amount < 4000"},
            "benefit.mean",
            "of the highest amount, “percent_max” allows 199",
        ),
        (
            {"benefit": CHEAP, "condition": "payment.amount > 900", "limits": {"budget": 800}},
            "limits.budget",
            "the smallest discount is 801",
        ),
        (
            {"benefit": {"type": "percent_off", "percent": 10, "spend": 5000}, "limits": {"budget": 499}},
            "limits.budget",
            "the smallest discount is 500",
        ),
        (
            {"benefit": RANDOM, "stacking": {"total_max": 299}},
            "stacking.total_max",
            "a discount is 300 on average",
        ),
        ({"limits": ..., "pacing": {"curve": "even"}}, "pacing", "there is no budget to be spread"),
        (
            {"coupon": {"claim_from": "2026-11-23T10:00:00Z", "claim_until": "2026-11-23T10:00:00Z"}},
            "coupon.claim_until",
            "is not after “claim_from”",
        ),
        ({"coupon": {"claim_until": "2026-11-22T04:00:00Z"}}, "coupon.claim_until", "has passed already"),
        ({"coupon": {"claim_from": "2026-12-01T00:00:00+08:00"}}, "coupon.claim_from", "is not before “ends_at”"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_leaves_no_room_for_a_discount_is_refused(changes: dict[str, Any], path: str, reason: str) -> None:
    [(told, message)] = problems_of(changed(**changes))
    assert told == path
    assert reason in message


@pytest.mark.parametrize(
    "changes",
    [
        {"limits": {"budget": 500, "budget_per_day": 500, "per_store": {"amount": 500}}},
        {"benefit": RANDOM, "limits": {"budget": 300}},
        {"benefit": RANDOM, "stacking": {"total_max": 300}},
        {"benefit": RANDOM | {"percent_max": "5"}, "condition": "payment.amount <= 6000"},
        {"benefit": {"type": "percent_off", "percent": 50, "max": 10, "spend": 5000}, "limits": {"budget": 10}},
        {"ends_at": "2026-11-22T12:00:01+08:00", "condition": ...},
        {"pacing": {"curve": "even"}},
    ],
)
def test_what_leaves_room_for_one_is_taken(changes: dict[str, Any]) -> None:
    assert problems_of(changed(**changes)) == []


_AMOUNT_AND_MOST = st.sampled_from([1_000, 10_000, 60_000]).flatmap(
    lambda most: st.tuples(st.integers(1, most), st.just(most))
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(BENEFITS, _AMOUNT_AND_MOST)
def test_a_budget_of_what_a_payment_gets_is_never_too_small_for_a_discount(
    benefit: dict[str, Any], amount_and_most: tuple[int, int]
) -> None:
    """What is called the smallest discount is no larger than any that is given."""
    amount_fen, most = amount_and_most
    document = changed(benefit=benefit, condition=f"payment.amount <= {most}", limits=..., starts_at=..., ends_at=...)
    assume(not problems_of(document))
    offer = price([parse(document, status=Status.ACTIVE, now=NOW)], payment(amount_fen), SECRET)
    assume(offer.discount.amount_fen)
    told = problems_of({**document, "limits": {"budget": offer.discount.amount_fen}})
    assert not [message for _, message in told if "never applies" in message]


def test_the_coupons_of_a_running_campaign_may_have_been_claimed() -> None:
    """Else its budget could not be changed any more."""
    given = changed(coupon={"claim_until": "2026-11-22T00:00:00Z"})
    assert parse(given, status=Status.ACTIVE, now=NOW).coupon is not None
    with pytest.raises(CampaignError):
        parse(given, status=Status.DRAFT, now=NOW)


def test_a_campaign_does_not_give_its_own_coupons() -> None:
    own = "cam_01JDEXAMPXEC1NEMAV0VCHER00"
    given = changed(benefit={"type": "coupon", "campaign": own}, funding=...)
    assert parse(given, campaign_id="cam_other", now=NOW).id == "cam_other"
    with pytest.raises(CampaignError, match="its coupons would give coupons for ever"):
        parse(given, campaign_id=own, now=NOW)


def test_contradictions_are_looked_for_beside_mistakes_that_have_nothing_to_do_with_them() -> None:
    given = changed(condition="payment.hour > 25", name="", limits={"budget": 0}, slices=0)
    assert [path for path, _ in problems_of(given)] == ["name", "condition", "limits.budget", "slices"]
    assert [path for path, _ in problems_of(changed(limits={"budget": 499, "count": 0}))] == ["limits.count"]


def test_without_a_moment_the_dates_are_held_against_this_machines_clock() -> None:
    with pytest.raises(CampaignError, match="has passed already"):
        parse(changed(starts_at=..., ends_at=datetime(2020, 1, 1, tzinfo=UTC).isoformat()))
