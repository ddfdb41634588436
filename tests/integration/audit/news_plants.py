"""Errors in what the channels told us and in what we told the merchants (I3, I6)."""

from __future__ import annotations

from datetime import timedelta

import orjson

from gateway.audit.checks import Check
from gateway.kernel.ids import new_id
from gateway.payments.numbers import attempt_order_no, refund_order_no
from tests.integration.audit.news import (
    ENDPOINT,
    endpoint,
    from_nowhere,
    in_outbox,
    notify,
    notify_of_refund,
    shown,
    tell,
)
from tests.integration.audit.planting import plants
from tests.integration.audit.story import Row
from tests.integration.audit.world import MERCHANT, World


def told(world: World, status: str = "succeeded") -> Row:
    """A success of which the merchant was told."""
    endpoint(world)
    [delivery] = tell(world, world.succeeded(), status=status)
    return delivery


def retell(delivery: Row, **changes: object) -> None:
    delivery["body"] = orjson.dumps(orjson.loads(delivery["body"]) | changes).decode()


@plants(Check.CALLBACK_APPLIED)
def a_notification_that_nobody_applied(world: World) -> None:
    notify(world, world.succeeded(), None, age_s=200)


@plants(Check.CALLBACK_APPLIED)
def one_of_an_order_that_was_not_found_for_more_than_a_day(world: World) -> None:
    from_nowhere(world, None, age_s=86_400 + 200)


@plants(Check.CALLBACK_RESULT)
def one_that_is_applied_to_a_payment_without_an_end(world: World) -> None:
    notify(world, world.unresolved(), "applied")


@plants(Check.CALLBACK_RESULT)
def one_that_is_applied_to_a_refund_without_an_end(world: World) -> None:
    story = world.refunding()
    notify_of_refund(world, story, story.refund_rows[0])


@plants(Check.CALLBACK_RESULT)
def one_that_is_applied_to_a_refund_that_is_not_there(world: World) -> None:
    story = world.succeeded()
    notify(world, story, "applied", refund_no=refund_order_no(story.id, 1, 7))


@plants(Check.CALLBACK_RESULT)
def late_money_that_is_the_payments_own(world: World) -> None:
    notify(world, world.succeeded(), "late")


@plants(Check.CALLBACK_RESULT)
def an_orphan_whose_order_is_ours(world: World) -> None:
    notify(world, world.succeeded(), "orphan")


@plants(Check.CALLBACK_RESULT)
def one_of_another_account_that_was_not_called_an_orphan(world: World) -> None:
    notify(world, world.succeeded("wechat"), account_id="alipay_direct")


@plants(Check.CALLBACK_RESULT)
def one_of_no_order_of_ours_that_was_applied(world: World) -> None:
    from_nowhere(world, "applied", age_s=600)


@plants(Check.CALLBACK_RESULT)
def one_that_is_kept_under_another_payment(world: World) -> None:
    notify(world, world.succeeded(), order_no=attempt_order_no(new_id("pay"), 1))


@plants(Check.CALLBACK_RESULT)
def a_result_without_its_time(world: World) -> None:
    notify(world, world.succeeded())["applied_at"] = None


@plants(Check.WEBHOOK_DELIVERY)
def an_event_that_the_endpoint_never_got(world: World) -> None:
    told(world)
    world.webhooks["webhook_deliveries"].clear()


@plants(Check.WEBHOOK_DELIVERY)
def an_event_that_the_payments_own_address_never_got(world: World) -> None:
    story = world.succeeded()
    story.payment["notify_url"] = "http://till"
    story.events[-1]["id"] = new_id("evt")


@plants(Check.WEBHOOK_DELIVERY)
def an_event_of_a_wanted_type_that_the_endpoint_never_got(world: World) -> None:
    told(world)["endpoint_id"] = MERCHANT
    world.webhooks["webhook_endpoints"][0]["types"] = ["payment.succeeded"]


@plants(Check.WEBHOOK_DELIVERY)
def a_delivery_of_no_event(world: World) -> None:
    told(world)
    world.webhooks["webhook_deliveries"].append(told(World()) | {"event_id": new_id("evt")})


@plants(Check.WEBHOOK_DELIVERY)
def a_delivery_of_another_merchants_event(world: World) -> None:
    told(world)["merchant_id"] = "mer_other"


@plants(Check.WEBHOOK_MESSAGE)
def a_message_of_another_type(world: World) -> None:
    retell(told(world), type="payment.failed")


@plants(Check.WEBHOOK_MESSAGE)
def a_message_with_another_sequence(world: World) -> None:
    retell(told(world), sequence=7)


@plants(Check.WEBHOOK_MESSAGE)
def a_message_of_another_time(world: World) -> None:
    retell(told(world), timestamp="2026-01-01T00:00:00.000Z")


@plants(Check.WEBHOOK_MESSAGE)
def a_message_with_another_status(world: World) -> None:
    delivery = told(world)
    retell(delivery, data=orjson.loads(delivery["body"])["data"] | {"status": "processing"})


@plants(Check.WEBHOOK_MESSAGE)
def a_message_of_another_payment(world: World) -> None:
    retell(told(world), data={"id": new_id("pay"), "status": "succeeded"})


@plants(Check.WEBHOOK_MESSAGE)
def a_message_that_is_none(world: World) -> None:
    told(world)["body"] = "hello"


@plants(Check.WEBHOOK_MESSAGE)
def a_message_of_an_event_that_nobody_is_told_of(world: World) -> None:
    story = shown(world)
    told(world)
    event = story.events[-1] | {"seq": 2, "type": "payment.attempt_opened", "from_status": "requires_action"}
    story.events.append(event | {"id": new_id("evt")})
    story.payment["version"] = 2
    delivery = world.webhooks["webhook_deliveries"][0] | {"event_id": story.events[-1]["id"]}
    world.webhooks["webhook_deliveries"].append(delivery)


@plants(Check.WEBHOOK_QUEUE)
def a_pending_delivery_that_is_in_no_queue(world: World) -> None:
    told(world, "pending")
    world.webhooks["webhook_queue"].clear()


@plants(Check.WEBHOOK_QUEUE)
def a_delivery_in_the_queue_that_is_over(world: World) -> None:
    told(world, "pending")["status"] = "succeeded"


@plants(Check.WEBHOOK_QUEUE)
def a_place_in_the_queue_without_a_delivery(world: World) -> None:
    row = {"endpoint_id": ENDPOINT, "event_id": new_id("evt"), "merchant_id": MERCHANT}
    world.webhooks["webhook_queue"].append(row | {"next_at": world.now + timedelta(hours=1)})


@plants(Check.WEBHOOK_QUEUE)
def a_place_in_the_outbox_without_its_event(world: World) -> None:
    in_outbox(world, world.succeeded())["seq"] = 9
