"""Errors in the attempts of codes, and in the orders that they left at the channels (I1, I6)."""

from __future__ import annotations

from datetime import timedelta

from gateway.audit.checks import Check
from gateway.kernel.clock import rfc3339
from tests.integration.audit.news import choose, make_room, paid_by_another_wallet, shown
from tests.integration.audit.planting import plants
from tests.integration.audit.story import Story
from tests.integration.audit.world import World


def closed(world: World, *, age_s: float = 2_000) -> Story:
    """A code that one wallet was chosen for, and that nobody paid; long over."""
    story = shown(world, age_s=age_s)
    choose(story, "wechat", after_s=5, pay_until_s=300, status="closed")
    story.recovery_tasks.clear()
    story.event("closed", "closed", story.payment["created_at"] + timedelta(seconds=301))
    return story


@plants(Check.ONE_OPEN_ATTEMPT)
def two_wallets_open_at_once(world: World) -> None:
    story = shown(world)
    choose(story, "wechat", after_s=5, pay_until_s=300)
    choose(story, "alipay", after_s=10, pay_until_s=300)


@plants(Check.ONE_OPEN_ATTEMPT)
def an_open_attempt_that_is_not_the_current_one(world: World) -> None:
    story = shown(world)
    choose(story, "wechat", after_s=5, pay_until_s=300)
    story.payment["attempt_seq"] = 2


@plants(Check.OPEN_ATTEMPT)
def an_open_attempt_of_a_payment_that_is_over(world: World) -> None:
    closed(world).attempts[0]["state"] = "open"


@plants(Check.OPEN_ATTEMPT)
def an_attempt_that_is_open_past_its_time_while_the_code_is_on_display(world: World) -> None:
    story = shown(world, age_s=500, expires_in_s=7_200)
    choose(story, "unionpay", after_s=5, pay_until_s=125)


@plants(Check.STILL_PAYABLE)
def an_order_that_takes_money_longer_than_we_think(world: World) -> None:
    story = closed(world)
    story.trades[0].update(status="open", pay_until=rfc3339(world.now + timedelta(seconds=60)))


@plants(Check.STILL_PAYABLE)
def an_order_that_takes_money_and_that_nobody_watches(world: World) -> None:
    story = paid_by_another_wallet(world)
    story.trades[0]["status"] = "open"
    story.recovery_tasks.clear()


@plants(Check.STILL_PAYABLE)
def a_bar_code_payment_that_failed_while_the_customer_types_the_pin(world: World) -> None:
    world.declined().trades[0]["status"] = "pending"


@plants(Check.LATE_CAPTURE)
def money_of_an_earlier_wallet_that_went_back_and_stands_nowhere(world: World) -> None:
    story = paid_by_another_wallet(world)
    amount = story.payment["payable"]
    story.trades[0].update(status="refunded", captured_at=rfc3339(world.ago(120)), refunded=amount)
    story.recovery_tasks.clear()


@plants(Check.ONE_CAPTURE)
def both_wallets_of_a_code_were_paid(world: World) -> None:
    story = shown(world, age_s=200)
    choose(story, "wechat", after_s=5, pay_until_s=300)
    make_room(world, story, after_s=70)
    story.trades[0].update(status="captured", captured_at=rfc3339(world.ago(100)))
    choose(story, "alipay", after_s=75, pay_until_s=300)
    story.trades[1].update(status="captured", captured_at=rfc3339(world.ago(90)))
    story.event("captured", "succeeded", world.ago(90))
