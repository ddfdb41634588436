"""What the channels tell of a payment of the small world, what its merchant is told, and codes for any wallet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson

from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.payments.numbers import attempt_order_no, refund_order_no
from tests.integration.audit.story import Row, Story
from tests.integration.audit.world import MERCHANT, World, fee_of

ENDPOINT = "we_01JD5ZV8X9N1S4D7F2G5H8J3KM"
TYPES = {
    "payment.captured": "payment.succeeded",
    "payment.declined": "payment.failed",
    "payment.reversed": "payment.reversed",
    "refund.succeeded": "refund.succeeded",
    "refund.failed": "refund.failed",
}


def notify(world: World, story: Story, result: str | None = "no_change", *, age_s: float = 600, **changes: Any) -> Row:
    """A notification about the payment's attempt."""
    at = world.ago(age_s)
    row: Row = {
        "payment_id": story.id,
        "account_id": story.payment["account_id"],
        "notification_id": f"n-{len(story.callbacks)}",
        "order_no": attempt_order_no(story.id, story.payment["attempt_seq"]),
        "refund_no": None,
        "report_sealed": b"",
        "received_at": at,
        "next_at": at,
        "tries": 1,
        "result": result,
        "applied_at": None if result is None else at,
        **changes,
    }
    story.callbacks.append(row)
    return row


def notify_of_refund(world: World, story: Story, refund: Row, result: str | None = "applied") -> Row:
    """A notification about one of its refunds."""
    return notify(world, story, result, refund_no=refund_order_no(story.id, refund["attempt_seq"], refund["seq"]))


def from_nowhere(world: World, result: str | None, *, age_s: float) -> Row:
    """A notification about a payment that we do not have."""
    payment_id = new_id("pay")
    stray = Story({"id": payment_id, "merchant_id": MERCHANT, "account_id": "wechat_direct", "attempt_seq": 1})
    row = notify(world, stray, result, age_s=age_s)
    world.strays["callbacks"].append(row)
    return row


def endpoint(world: World, *, age_s: float = 86_400, types: list[str] | None = None) -> Row:
    """The merchant wants to be told, for so long already."""
    at = world.ago(age_s)
    row = {"id": ENDPOINT, "merchant_id": MERCHANT, "url": "http://hook", "types": types, "secret_sealed": b""}
    world.webhooks["webhook_endpoints"].append(row | {"created_at": at, "updated_at": at})
    return world.webhooks["webhook_endpoints"][-1]


def tell(world: World, story: Story, *, endpoint_id: str = ENDPOINT, status: str = "succeeded") -> list[Row]:
    """Every event of the payment that merchants are told of is delivered, or about to be."""
    deliveries = []
    for event in story.events:
        if event["type"] not in TYPES:
            continue
        event["id"] = event.get("id") or new_id("evt")
        delivery = {
            "event_id": event["id"],
            "merchant_id": MERCHANT,
            "endpoint_id": endpoint_id,
            "url": "http://hook",
            "body": orjson.dumps(message(story, event)).decode(),
            "status": status,
            "created_at": event["at"],
        }
        deliveries.append(delivery)
        if status == "pending":
            world.webhooks["webhook_queue"].append(
                {"endpoint_id": endpoint_id, "event_id": event["id"], "merchant_id": MERCHANT, "next_at": world.now}
            )
    world.webhooks["webhook_deliveries"] += deliveries
    return deliveries


def message(story: Story, event: Row) -> dict[str, Any]:
    """What is told of an event."""
    kind = TYPES[event["type"]]
    status = event["to_status"] if event["refund_id"] is None else kind.partition(".")[2]
    return {
        "id": event["id"],
        "type": kind,
        "timestamp": rfc3339(event["at"]),
        "sequence": event["seq"],
        "data": {"id": event["refund_id"] or story.id, "status": status},
    }


def in_outbox(world: World, story: Story) -> Row:
    """The payment's last event is about to be told."""
    event = story.events[-1]
    event["id"] = new_id("evt")
    row = {"event_id": event["id"], "merchant_id": MERCHANT, "payment_id": story.id, "seq": event["seq"]}
    world.webhooks["webhook_outbox"].append(row)
    return row


def shown(world: World, *, age_s: float = 60, expires_in_s: float = 300) -> Story:
    """A code on display that any wallet can pay; nobody has chosen one yet."""
    story = world.begin(None, age_s=age_s)
    payment, at = story.payment, story.payment["created_at"]
    story.events.clear()
    story.event("code_shown", "requires_action", at)
    payment.update(method="qrcode", qr_code="http://q", expires_at=at + timedelta(seconds=expires_in_s))
    story.task("resolve", at, payment["expires_at"])
    return story


def choose(story: Story, channel: str, *, after_s: float, pay_until_s: float, status: str = "open") -> Row:
    """Somebody chooses a wallet: one more attempt, with its order at the channel."""
    payment, seq = story.payment, story.payment["attempt_seq"] + 1
    at: datetime = payment["created_at"] + timedelta(seconds=after_s)
    until = payment["created_at"] + timedelta(seconds=pay_until_s)
    story.event("attempt_opened", "requires_action", at)
    payment.update(attempt_seq=seq, account_id=f"{channel}_direct", attempt_at=at, pay_until=until)
    attempt = story.key(
        seq=seq, account_id=f"{channel}_direct", send_before=at, created_at=at, pay_until=until, state="open"
    )
    story.attempts.append(attempt)
    story.trades.append(
        {
            "channel": channel,
            "order_no": attempt_order_no(story.id, seq),
            "amount": payment["payable"],
            "refunded": 0,
            "status": status,
            "captured_at": None,
            "pay_until": rfc3339(until),
        }
    )
    return attempt


def make_room(world: World, story: Story, *, after_s: float) -> None:
    """The open attempt is shut; its order stays watched."""
    at = story.payment["created_at"] + timedelta(seconds=after_s)
    story.event("attempt_closed", "requires_action", at)
    story.payment["pay_until"] = None
    story.attempts[-1]["state"] = "closed"
    story.trades[-1]["status"] = "closed"
    story.task("watch", at, world.now + timedelta(seconds=60))


def pay(story: Story, *, after_s: float) -> None:
    """The open attempt is paid."""
    at, money = story.payment["created_at"] + timedelta(seconds=after_s), Money(story.payment["payable"])
    story.recovery_tasks = [task for task in story.recovery_tasks if task["purpose"] != "resolve"]
    story.trades[-1].update(status="captured", captured_at=rfc3339(at))
    story.event("captured", "succeeded", at)
    story.post(postings.capture(MERCHANT, story.attempts[-1]["account_id"], money, fee_of(money)), at)


def paid_by_another_wallet(world: World) -> Story:
    """One wallet was chosen and made room, another one paid."""
    story = shown(world, age_s=200)
    choose(story, "wechat", after_s=5, pay_until_s=300)
    make_room(world, story, after_s=70)
    choose(story, "unionpay", after_s=75, pay_until_s=195)
    pay(story, after_s=90)
    story.told("succeeded", http_status=200)
    return story
