"""The offer of a payment: who may have what, why not, and what a redemption will count in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.money import Money
from promotions.campaigns.campaign import (
    Allowance,
    Campaign,
    CouponReward,
    CouponTerms,
    FixedPrice,
    Limits,
    PaceCurve,
    Pacing,
    PercentOff,
    RandomOff,
    Scope,
    Share,
    Stacking,
    Status,
)
from promotions.facts import EVER, Coupon, Facts, History, Uses
from promotions.offer import Considered, Funding, Reason, Use
from promotions.pricing import Circumstances, price
from tests.support.campaigns import NOON, SECRET, SHANGHAI, campaign, cascading, off, payment

TODAY = date(2026, 11, 22)
PACED = Pacing(PaceCurve.EVEN, (1.0,) * 24)


def per(**of: Any) -> Limits:
    """`per(customer=Allowance(day=1))`."""
    return Limits(per={Scope(scope): allowance for scope, allowance in of.items()})


def only(found: Campaign, facts: Facts, **around: Any) -> Considered:
    """What is said of the one campaign considered."""
    offer = price([found], facts, SECRET, Circumstances(**around))
    [considered] = offer.considered
    assert (considered.reason is Reason.APPLIED) == bool(offer.applied)
    return considered


def used(scope: Scope, day: date, count: int, fen: int = 0) -> History:
    return History(uses={("cam_a", scope, day): Uses(count, fen)})


def test_an_offer_says_what_is_left_to_pay_and_who_pays_the_rest() -> None:
    shares = (Share("bank", Decimal("0.7")), Share("merchant", Decimal("0.3")))
    offer = price([campaign(funding=shares)], payment(2_599), SECRET)
    assert (offer.amount, offer.discount, offer.payable) == (Money(2_599), Money(500), Money(2_099))
    [applied] = offer.applied
    assert applied.funding == (Funding("bank", 350), Funding("merchant", 150))
    assert applied.day == TODAY
    assert offer.considered == (Considered("cam_a", "the campaign cam_a", Reason.APPLIED, 500),)


def test_without_campaigns_the_price_is_full() -> None:
    offer = price([], payment(2_599), SECRET)
    assert (offer.payable, offer.applied, offer.considered) == (Money(2_599), (), ())


def test_a_cut_discount_is_funded_as_cut() -> None:
    shares = (Share("bank", Decimal("0.5")), Share("merchant", Decimal("0.5")))
    offer = price([campaign(benefit=off(500), funding=shares)], payment(400), SECRET)
    assert offer.payable == Money(1)
    assert [part.amount_fen for part in offer.applied[0].funding] == [199, 200]


@pytest.mark.parametrize(
    ("found", "facts", "reason"),
    [
        (campaign(status=Status.PAUSED), payment(), Reason.NOT_NOW),
        (campaign(starts_at=NOON + timedelta(seconds=1)), payment(), Reason.NOT_NOW),
        (campaign(ends_at=NOON), payment(), Reason.NOT_NOW),
        (campaign(starts_at=NOON, ends_at=NOON + timedelta(seconds=1)), payment(), Reason.APPLIED),
        (campaign(), payment(1_999), Reason.BELOW_SPEND),
        (
            campaign(limits=per(customer=Allowance(day=1))),
            payment(customer=None, history=None),
            Reason.CUSTOMER_UNKNOWN,
        ),
        (campaign(benefit=RandomOff(1, 9, 5)), payment(customer=None, history=None), Reason.CUSTOMER_UNKNOWN),
        (campaign(benefit=CouponReward("cam_z")), payment(customer=None, history=None), Reason.CUSTOMER_UNKNOWN),
        (campaign(benefit=FixedPrice(2_599)), payment(2_599), Reason.NOTHING_LEFT),
        (campaign(benefit=PercentOff(Decimal(1))), payment(99), Reason.NOTHING_LEFT),
        (campaign(benefit=off(5)), payment(1), Reason.NOTHING_LEFT),
    ],
)
def test_why_a_campaign_applies_or_not(found: Campaign, facts: Facts, reason: Reason) -> None:
    assert only(found, facts).reason is reason


def test_a_campaign_that_refused_keeps_its_reason() -> None:
    assert only(campaign(), payment(), excluded={"cam_a": Reason.BUDGET_EXHAUSTED}).reason is Reason.BUDGET_EXHAUSTED
    assert only(campaign(), payment(), excluded={"cam_b": Reason.BUDGET_EXHAUSTED}).reason is Reason.APPLIED


def test_who_is_beaten_is_told_by_whom() -> None:
    offer = price([campaign("cam_b", off(100)), campaign("cam_a", off(300), name="满20减3")], payment(), SECRET)
    assert [each.campaign_id for each in offer.considered] == ["cam_a", "cam_b"]
    beaten = offer.considered[1]
    assert beaten.reason is Reason.BETTER_OFFER
    assert beaten.detail == "It does not go together with “满20减3”."


def test_who_could_go_along_but_finds_nothing_left_is_told_so() -> None:
    everything = campaign("cam_a", off(5_000), stacking=cascading(2))
    offer = price([everything, campaign("cam_b", off(300), stacking=cascading(1))], payment(), SECRET)
    assert [each.reason for each in offer.considered] == [Reason.APPLIED, Reason.NOTHING_LEFT]
    assert offer.payable == Money(1)


def test_the_sixth_campaign_and_a_cap_are_told_as_such() -> None:
    many = [campaign(f"cam_{n}", off(100 + n), stacking=cascading()) for n in range(6)]
    offer = price(many, payment(), SECRET)
    assert offer.considered[-1].detail == "A payment draws from 5 campaigns at most."
    capped = campaign("cam_x", off(100), stacking=cascading(total_max_fen=50))
    offer = price([campaign("cam_y", off(300), stacking=cascading()), capped], payment(), SECRET)
    assert offer.considered[-1].detail == "With it all discounts would be ¥0.50 at most."


def test_a_customer_who_has_had_his_share_gets_no_more() -> None:
    daily = campaign(limits=per(customer=Allowance(day=1, lifetime=3)))
    assert only(daily, payment()).reason is Reason.APPLIED
    refused = only(daily, payment(history=used(Scope.CUSTOMER, TODAY, 1)))
    assert refused.reason is Reason.LIMIT_REACHED
    assert refused.detail == "One customer may have it 1× a day, and has had it 1×."
    assert only(daily, payment(history=used(Scope.CUSTOMER, date(2026, 11, 21), 1))).reason is Reason.APPLIED
    assert only(daily, payment(history=used(Scope.CUSTOMER, EVER, 3))).reason is Reason.LIMIT_REACHED
    assert only(daily, payment(history=used(Scope.CUSTOMER, EVER, 2))).reason is Reason.APPLIED


def test_a_limit_in_money_gives_all_of_a_discount_or_nothing() -> None:
    limited = campaign(limits=per(customer=Allowance(amount_per_day_fen=1_200)))
    assert only(limited, payment(history=used(Scope.CUSTOMER, TODAY, 1, 700))).reason is Reason.APPLIED
    refused = only(limited, payment(history=used(Scope.CUSTOMER, TODAY, 1, 701)))
    assert refused.reason is Reason.LIMIT_REACHED
    assert refused.detail == "One customer may have ¥12.00 a day: ¥7.01 are taken, and this would be ¥5.00."


def test_a_device_counts_for_itself_and_has_to_be_told() -> None:
    limited = campaign(limits=per(device=Allowance(lifetime=1)))
    assert only(limited, payment(device="d0")).reason is Reason.APPLIED
    assert only(limited, payment(device="d0", history=used(Scope.DEVICE, EVER, 1))).reason is Reason.LIMIT_REACHED
    assert only(limited, payment()).detail == "It is limited per device, and the payment names none."


def test_a_redemption_counts_in_every_limited_scope() -> None:
    limits = per(
        customer=Allowance(lifetime=3, day=1),
        store=Allowance(day=100, amount_fen=90_000),
        merchant=Allowance(amount_per_day_fen=50_000),
        region=Allowance(day=7),
        code=Allowance(day=200),
    )
    facts = payment(store_id="s-1", region="sh", code_id="code_1")
    [applied] = price([campaign(limits=limits)], facts, SECRET).applied
    assert set(applied.uses) == {
        Use(Scope.CUSTOMER, "c0ffee", EVER, 3, None),
        Use(Scope.CUSTOMER, "c0ffee", TODAY, 1, None),
        Use(Scope.STORE, "mer_1/s-1", EVER, None, 90_000),
        Use(Scope.STORE, "mer_1/s-1", TODAY, 100, None),
        Use(Scope.MERCHANT, "mer_1", TODAY, None, 50_000),
        Use(Scope.REGION, "sh", TODAY, 7, None),
        Use(Scope.CODE, "code_1", TODAY, 200, None),
    }


def test_campaigns_without_limits_count_nothing() -> None:
    [applied] = price([campaign()], payment(), SECRET).applied
    assert applied.uses == ()


def test_the_day_is_the_campaigns_own() -> None:
    late = payment(at=datetime(2026, 11, 22, 16, 30, tzinfo=UTC))
    days = {zone: price([campaign(timezone=zone)], late, SECRET).applied[0].day for zone in (SHANGHAI, ZoneInfo("UTC"))}
    assert days == {SHANGHAI: date(2026, 11, 23), ZoneInfo("UTC"): TODAY}


def test_the_same_customer_draws_the_same_value_until_he_has_taken_it() -> None:
    drawing = campaign(benefit=RandomOff(1_000, 1_800, 1_200))

    def drawn(history: History) -> int:
        [applied] = price([drawing], payment(3_000, history=history), SECRET).applied
        assert applied.uses == (Use(Scope.CUSTOMER, "c0ffee", TODAY, None, None),)
        return applied.discount_fen

    first = drawn(History())
    assert drawn(History()) == first
    assert drawn(used(Scope.CUSTOMER, TODAY, 1)) != first


def test_a_typed_code_opens_its_campaign() -> None:
    coded = campaign(coupon=CouponTerms(code="SPRING5"))
    assert only(coded, payment(coupons=("SPRING5",), customer=None, history=None)).reason is Reason.APPLIED
    assert only(coded, payment(coupons=("SUMMER5",))).reason is Reason.COUPON_MISSING


def test_of_a_customers_coupons_the_one_that_expires_first_is_taken_unless_the_till_names_one() -> None:
    vouchers = campaign(coupon=CouponTerms(stock=1_000))
    held = History(
        coupons=(
            Coupon("cpn_ever", "cam_a", None),
            Coupon("cpn_later", "cam_a", NOON + timedelta(days=2)),
            Coupon("cpn_soon", "cam_a", NOON + timedelta(days=1)),
            Coupon("cpn_over", "cam_a", NOON),
            Coupon("cpn_other", "cam_b", NOON + timedelta(hours=1)),
        )
    )

    def taken(*named: str) -> str | None:
        [applied] = price([vouchers], payment(history=held, coupons=named), SECRET).applied
        return applied.coupon_id

    assert taken() == "cpn_soon"
    assert taken("cpn_ever") == "cpn_ever"
    assert taken("cpn_over") == "cpn_soon"
    assert only(vouchers, payment()).reason is Reason.COUPON_MISSING
    assert only(vouchers, payment(customer=None, history=None)).reason is Reason.CUSTOMER_UNKNOWN


def test_a_coupon_bound_to_a_bank_needs_its_card() -> None:
    bound = campaign(coupon=CouponTerms(code="BANK", bins=("622202", "622848")))
    assert only(bound, payment(coupons=("BANK",), card_bin="62220212")).reason is Reason.APPLIED
    assert only(bound, payment(coupons=("BANK",), card_bin="622203")).reason is Reason.COUPON_MISSING
    assert only(bound, payment(coupons=("BANK",))).reason is Reason.COUPON_MISSING


def test_pacing_lets_a_share_of_customers_in_the_same_ones_all_day() -> None:
    paced = campaign(pacing=PACED)

    def let_in(share: float) -> set[int]:
        return {
            number
            for number in range(400)
            if only(paced, payment(customer=f"c{number}"), shares={"cam_a": share}).reason is Reason.APPLIED
        }

    half, more = let_in(0.5), let_in(0.8)
    assert 150 < len(half) < 250
    assert half < more
    assert only(paced, payment(), shares={}).reason is Reason.APPLIED
    assert let_in(0.0) == set()


def test_who_had_a_paced_campaign_today_stays_in_when_the_share_falls() -> None:
    paced, had = campaign(pacing=PACED), used(Scope.CUSTOMER, TODAY, 1)
    assert only(paced, payment(), shares={"cam_a": 0.0}).reason is Reason.THROTTLED
    assert only(paced, payment(history=had), shares={"cam_a": 0.0}).reason is Reason.APPLIED
    [applied] = price([paced], payment(), SECRET).applied
    assert applied.uses == (Use(Scope.CUSTOMER, "c0ffee", TODAY, None, None),)


def test_a_long_code_holds_no_scarce_budget() -> None:
    shown = payment(method="qrcode", expires_in_s=301)
    assert only(campaign(), shown, scarce={"cam_a"}).reason is Reason.HELD_TOO_LONG
    assert only(campaign(), shown._replace(expires_in_s=300), scarce={"cam_a"}).reason is Reason.APPLIED
    assert only(campaign(), shown).reason is Reason.APPLIED


def test_it_is_known_whether_the_customer_is_new() -> None:
    def is_new(facts: Facts) -> bool | None:
        return price([campaign()], facts, SECRET).applied[0].is_new_customer

    assert is_new(payment()) is True
    assert is_new(payment(history=History(orders=1))) is False
    assert is_new(payment(customer=None, history=None)) is None


def test_a_reward_applies_beside_a_discount_and_takes_nothing_off() -> None:
    reward = campaign("cam_r", CouponReward("cam_z", spend_fen=2_000), stacking=Stacking("rewards"))
    offer = price([campaign(), reward], payment(), SECRET)
    assert [(each.campaign.id, each.discount_fen, each.funding) for each in offer.applied[1:]] == [("cam_r", 0, ())]
    assert offer.payable == Money(2_099)


mixed = st.lists(
    st.builds(
        lambda benefit, stacking, limit: (benefit, stacking, limit),
        st.integers(1, 3_000).map(off) | st.just(RandomOff(10, 900, 300)) | st.just(PercentOff(Decimal(12))),
        st.builds(Stacking, st.sampled_from("ab")) | st.integers(0, 3).map(cascading),
        st.none() | st.integers(1, 2),
    ),
    max_size=12,
)


@given(mixed, st.integers(1, 5_000), st.randoms(use_true_random=False))
def test_every_candidate_is_accounted_for_and_the_money_adds_up(found: Any, amount_fen: int, chance: Any) -> None:
    candidates = [
        campaign(f"cam_{n}", benefit, stacking=stacking, limits=per(customer=Allowance(day=limit)))
        for n, (benefit, stacking, limit) in enumerate(found)
    ]
    offer = price(candidates, payment(amount_fen), SECRET)
    assert sorted(each.campaign_id for each in offer.considered) == sorted(each.id for each in candidates)
    assert {each.campaign.id for each in offer.applied} == {
        each.campaign_id for each in offer.considered if each.reason is Reason.APPLIED
    }
    assert offer.payable.amount_fen == amount_fen - sum(each.discount_fen for each in offer.applied) >= 1
    assert all(sum(part.amount_fen for part in each.funding) == each.discount_fen for each in offer.applied)
    chance.shuffle(candidates)
    again = price(candidates, payment(amount_fen), SECRET)
    assert again.applied == offer.applied
    assert set(again.considered) == set(offer.considered)
