"""The set of campaigns in force finds those that a payment meets, as if it looked at each."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from promotions.campaigns import matching
from promotions.campaigns.campaign import Allowance, Campaign, CouponTerms, Limits, PaceCurve, Pacing, Scope, Status
from promotions.campaigns.fields import condition, values_of
from promotions.campaigns.matching import CampaignSet, set_of
from promotions.facts import Facts
from tests.support.campaigns import NOON, campaign, payment

CONDITIONS = [
    None,
    "payment.wallet == 'wechat'",
    "payment.hour >= 12",
    "payment.hour < 12",
    "payment.amount >= 5000 || payment.wallet == 'alipay'",
    "payment.merchant_id in ['mer_1', 'mer_2']",
    "customer.first_payment",
    "!customer.known",
    "payment.amount % 2 == 1",
]


def ids(found: list[Campaign]) -> list[str]:
    return [each.id for each in found]


def some(choose: Random, number: int) -> Campaign:
    text = choose.choice(CONDITIONS)
    return campaign(
        f"cam_{number:03}",
        condition=None if text is None else condition(text),
        status=choose.choice([Status.ACTIVE, Status.ACTIVE, Status.PAUSED]),
        timezone=ZoneInfo(choose.choice(["Asia/Shanghai", "Europe/Berlin"])),
        starts_at=choose.choice([None, NOON, NOON + timedelta(seconds=1)]),
        ends_at=choose.choice([None, NOON, NOON + timedelta(seconds=1)]),
        version=choose.randrange(1, 9),
    )


def looked_for(campaigns: CampaignSet, facts: Facts) -> list[str]:
    """One by one."""
    return sorted(
        each.id
        for each in campaigns.campaigns
        if each.status is Status.ACTIVE
        and (each.starts_at is None or each.starts_at <= facts.at)
        and (each.ends_at is None or facts.at < each.ends_at)
        and (each.condition is None or each.condition.evaluate(values_of(facts, each.timezone)))
    )


PAYMENTS = [
    payment(),
    payment(5_001, wallet="unionpay", merchant_id="mer_9"),
    payment(customer=None, history=None),
    payment(wallet="alipay", at=NOON + timedelta(hours=9)),
]


@pytest.mark.parametrize("recent_max", [0, 4, 1_000])
def test_a_set_that_was_changed_many_times_finds_what_looking_at_each_finds(
    monkeypatch: pytest.MonkeyPatch, recent_max: int
) -> None:
    monkeypatch.setattr(matching, "RECENT_MAX", recent_max)
    choose = Random(7)
    current = set_of([some(choose, number) for number in range(40)])
    for _ in range(60):
        changes: dict[str, Campaign | None] = {}
        for number in choose.sample(range(60), choose.randrange(1, 6)):
            changes[f"cam_{number:03}"] = some(choose, number) if choose.random() < 0.7 else None
        current = current.replaced(changes)
        for each in (current, current.rebuilt()):
            for facts in PAYMENTS:
                assert ids(each.candidates(facts)) == looked_for(current, facts)


def test_what_has_changed_while_it_was_built_anew_is_made_up_for() -> None:
    choose = Random(11)
    before = set_of([some(choose, number) for number in range(40)])
    after = before.replaced({f"cam_{n:03}": some(choose, n) if n % 3 else None for n in range(20, 60)})
    caught_up = before.rebuilt().replaced(before.changes_to(after))
    assert caught_up.by_id == after.by_id
    for facts in PAYMENTS:
        assert caught_up.candidates(facts) == after.candidates(facts)


def test_a_set_is_ragged_once_many_have_changed_and_not_when_it_is_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "RECENT_MAX", 2)
    current = set_of([campaign(f"cam_{number}") for number in range(9)])
    for number in range(3):
        assert not current.is_ragged
        current = current.replaced({f"cam_{number}": campaign(f"cam_{number}", version=2)})
    assert current.is_ragged
    assert not current.rebuilt().is_ragged


def test_a_set_of_which_most_has_gone_is_ragged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "RECENT_MAX", 2)
    current = set_of([campaign(f"cam_{number}") for number in range(9)])
    for number in range(6):
        assert not current.is_ragged
        current = current.replaced({f"cam_{number}": None})
    assert current.is_ragged


def test_a_change_makes_another_set_and_leaves_this_one() -> None:
    before = set_of([campaign("cam_a")])
    after = before.replaced({"cam_a": None, "cam_b": campaign("cam_b")})
    assert ids(before.candidates(payment())) == ["cam_a"]
    assert ids(after.candidates(payment())) == ["cam_b"]
    assert before.get("cam_b") is None
    assert after.get("cam_a") is None


def test_an_empty_set_and_one_of_paused_campaigns_have_nothing_to_give() -> None:
    paused = set_of([campaign("cam_a", status=Status.PAUSED)])
    assert not CampaignSet()
    assert not paused
    assert paused.get("cam_a") is not None
    assert set_of([campaign("cam_a")])
    assert CampaignSet().candidates(payment()) == []


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({}, False),
        ({"condition": condition("payment.hour > 3 && customer.known")}, False),
        ({"condition": condition("customer.orders > 3")}, True),
        ({"limits": Limits(per={Scope.CUSTOMER: Allowance(day=1)})}, True),
        ({"limits": Limits(per={Scope.DEVICE: Allowance(day=1)})}, True),
        ({"limits": Limits(budget_fen=5, per={Scope.STORE: Allowance(day=1)})}, False),
        ({"coupon": CouponTerms()}, True),
        ({"pacing": Pacing(PaceCurve.EVEN, (1.0,) * 24)}, True),
        ({"coupon": CouponTerms(code="SPRING5")}, False),
        ({"condition": condition("customer.orders > 3"), "status": Status.PAUSED}, False),
    ],
)
def test_the_customers_history_is_needed_where_an_active_campaign_looks_at_it(
    changes: dict[str, object], needs: bool
) -> None:
    assert set_of([campaign("cam_a"), campaign("cam_b", **changes)]).needs_history is needs


def test_it_knows_whether_a_condition_asks_for_the_channel() -> None:
    asking = campaign("cam_b", condition=condition("payment.channel == 'wechat_direct'"))
    assert set_of([campaign("cam_a"), asking]).looks_at_channel
    assert not set_of([campaign("cam_a")]).looks_at_channel


def test_it_knows_the_campaigns_that_are_had_by_coupon() -> None:
    by_coupon = campaign("cam_b", coupon=CouponTerms(code="SPRING5"))
    assert set_of([campaign("cam_a"), by_coupon]).coupon_campaigns == (by_coupon,)
