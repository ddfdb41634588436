"""Errors in what campaigns gave: a fen too much, a use that leaked, a wrong funder, a release too many (I4, I9)."""

from __future__ import annotations

from datetime import timedelta

import orjson

from gateway.audit.checks import Check
from promotions.facts import EVER
from tests.integration.audit.campaigns import CAMPAIGN
from tests.integration.audit.planting import plants
from tests.integration.audit.world import World


@plants(Check.DISCOUNT)
def a_discount_without_a_redemption(world: World) -> None:
    world.discounted().redemptions.clear()


@plants(Check.DISCOUNT)
def a_redemption_of_another_amount(world: World) -> None:
    world.discounted().redemptions[0]["discount"] += 1


@plants(Check.DISCOUNT)
def a_redemption_whose_funders_pay_a_fen_too_little(world: World) -> None:
    world.discounted().redemptions[0]["funding"] = '[{"sponsor": "bank", "amount": 499}]'


@plants(Check.DISCOUNT)
def a_payment_that_does_not_know_of_its_redemptions(world: World) -> None:
    world.discounted().payment["promoted"] = False


@plants(Check.SLICES)
def an_overspent_fen_that_no_slice_counted(world: World) -> None:
    world.discounted()
    world.campaigns.slice["used"] -= 1


@plants(Check.SLICES)
def a_hold_that_was_never_released(world: World) -> None:
    world.promoted_and_declined()
    world.campaigns.slice["used"] += 500
    world.campaigns.slice["used_count"] += 1


@plants(Check.SLICES)
def a_hold_that_was_released_twice(world: World) -> None:
    world.discounted()
    world.promoted_and_declined()
    world.campaigns.slice["used"] -= 500
    world.campaigns.slice["used_count"] -= 1


@plants(Check.SLICES)
def a_refund_that_was_not_returned_to_its_slice(world: World) -> None:
    world.refunded()
    world.campaigns.slice["used"] += 192


@plants(Check.SLICES)
def a_refund_returned_although_the_campaign_keeps_it(world: World) -> None:
    world.refunded().redemptions[0]["returns_budget"] = False


@plants(Check.SLICES)
def a_redemption_counted_on_another_day(world: World) -> None:
    world.discounted().redemptions[0]["day"] -= timedelta(days=1)


@plants(Check.SLICES)
def a_redemption_of_a_slice_that_is_gone(world: World) -> None:
    world.discounted()
    world.campaigns.slices.clear()


@plants(Check.SLICES)
def a_number_that_leaked(world: World) -> None:
    world.discounted()
    world.campaigns.slice["used_count"] += 1


@plants(Check.BUDGET)
def more_granted_than_the_budget(world: World) -> None:
    world.campaigns.campaign["budget"] = 49_999


@plants(Check.BUDGET)
def more_granted_than_the_days_budget(world: World) -> None:
    other = world.campaigns.slice | {"slice": 1, "granted": 1, "granted_count": 0}
    world.campaigns.slices.append(other)


@plants(Check.BUDGET)
def more_granted_in_number_than_the_day_has(world: World) -> None:
    world.campaigns.slice["granted_count"] += 1


@plants(Check.BUDGET)
def slices_that_are_each_within_their_grant_and_together_above_the_budget(world: World) -> None:
    world.campaigns.campaign["budget"] = 60_000
    other = world.campaigns.slice | {"day": world.campaigns.day - timedelta(days=1), "granted": 10_001}
    world.campaigns.slices.append(other)


@plants(Check.BUDGET)
def a_slice_that_gave_more_than_it_was_granted(world: World) -> None:
    for _ in range(3):
        world.discounted()
    world.campaigns.slice["granted"] = 1_000
    world.campaigns.campaign["budget"] = 1_499


@plants(Check.BUDGET)
def slices_of_no_campaign(world: World) -> None:
    world.campaigns.slices.append(world.campaigns.slice | {"campaign_id": "cam_gone"})


@plants(Check.USES)
def a_use_that_leaked(world: World) -> None:
    world.discounted()
    world.campaigns.uses[EVER]["used_count"] += 1


@plants(Check.USES)
def a_use_that_was_given_back_once_too_often(world: World) -> None:
    world.discounted()
    world.discounted()
    world.campaigns.uses[world.campaigns.day]["used_count"] -= 1


@plants(Check.USES)
def an_amount_that_no_counter_knows_of(world: World) -> None:
    world.discounted()
    world.campaigns.uses[world.campaigns.day]["used"] -= 500


@plants(Check.USES)
def limits_that_were_returned_although_the_campaign_keeps_them(world: World) -> None:
    world.discounted()
    world.campaigns.uses.clear()


@plants(Check.LIMITS)
def a_customer_who_took_one_too_many(world: World) -> None:
    document = orjson.loads(world.campaigns.version["document"])
    document["limits"]["per_customer"]["day"] = 1
    world.campaigns.version["document"] = orjson.dumps(document).decode()
    world.discounted()
    world.discounted()


@plants(Check.LIMITS)
def a_customer_who_took_a_fen_too_much(world: World) -> None:
    document = orjson.loads(world.campaigns.version["document"])
    document["limits"]["per_customer"]["amount"] = 499
    world.campaigns.version["document"] = orjson.dumps(document).decode()
    world.discounted()


@plants(Check.COUPON)
def a_coupon_redeemed_by_a_payment_that_did_not_take_it(world: World) -> None:
    story = world.discounted(coupon=True)
    world.campaigns.coupons[0]["payment_id"] = world.succeeded().id
    story.payment["amount_refunded"] = story.payment["amount"]


@plants(Check.COUPON)
def one_coupon_for_two_payments(world: World) -> None:
    first, second = world.discounted(coupon=True), world.discounted(coupon=True)
    second.redemptions[0]["coupon_id"] = first.redemptions[0]["coupon_id"]


@plants(Check.COUPON)
def a_coupon_that_is_free_although_its_payment_stands(world: World) -> None:
    world.discounted(coupon=True)
    world.campaigns.coupons[0]["payment_id"] = None


@plants(Check.COUPON)
def a_coupon_of_another_campaign(world: World) -> None:
    world.discounted(coupon=True)
    world.campaigns.coupons[0]["campaign_id"] = "cam_other"


@plants(Check.COUPON_STOCK)
def a_coupon_that_is_not_counted(world: World) -> None:
    world.discounted(coupon=True)
    world.campaigns.stock["taken"] = 0


@plants(Check.COUPON_STOCK)
def more_coupons_than_the_stock(world: World) -> None:
    for _ in range(21):
        world.discounted(coupon=True)


@plants(Check.CUSTOMER)
def a_customer_who_is_new_for_ever(world: World) -> None:
    world.discounted()
    world.campaigns.customers.clear()


@plants(Check.CUSTOMER)
def a_customer_of_whom_a_reversed_payment_is_still_counted(world: World) -> None:
    world.discounted()
    world.campaigns.customer["orders"] += 1


@plants(Check.FUNDING)
def a_discount_booked_to_the_wrong_split(world: World) -> None:
    bank, merchant = world.discounted().transfers[2:4]
    bank["amount"], merchant["amount"] = bank["amount"] - 1, merchant["amount"] + 1


@plants(Check.FUNDING)
def a_discount_booked_to_another_bank(world: World) -> None:
    world.discounted().transfers[2]["debit"] = "sponsor_receivable:other"


@plants(Check.FUNDING)
def a_refund_that_goes_back_to_another_campaign(world: World) -> None:
    row = world.refunded().refund_rows[0]
    row["funding"] = row["funding"].replace(CAMPAIGN, "cam_other")
