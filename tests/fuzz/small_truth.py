"""What must be true of a small world in the end: the channels' money, our word and our books are the same."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.payments.numbers import attempt_order_no
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.refunds.refund import Refund
from tests.fuzz.small_world import AMOUNT_FEN, SmallWorld
from tests.support.rough_town import Stage


async def wrongs(world: SmallWorld) -> list[str]:
    """Everything that is not as it must be."""
    payment = await world.payment()
    refunds = await world.base.refunds.store.of_payment(payment.id, payment.merchant_id)
    found = [f"a task is left: {purpose}" for purpose in await world.open_tasks()]
    found += _of_payment(world, payment, refunds)
    found += [wrong for refund in refunds for wrong in _of_refund(world, refund)]
    found += await _of_events(world)
    booked = await _booked_fen(world)
    if booked != _kept_fen(world):
        found.append(f"the books have {booked} fen, the channels {_kept_fen(world)}")
    if world.town.open_at_once_max > 1:
        found.append(f"{world.town.open_at_once_max} orders could be paid at once")
    return found


def _kept_fen(world: SmallWorld) -> int:
    paid = [order for order in world.town.orders.values() if order.stage is Stage.PAID]
    return sum(order.amount_fen - order.returned_fen for order in paid)


def _of_payment(world: SmallWorld, payment: Payment, refunds: list[Refund]) -> Iterator[str]:
    if not payment.status.is_final or payment.reversal == "pending" or payment.review is not None:
        yield f"no end: {payment.status}, reversal {payment.reversal}, review {payment.review}"
    done = [refund for refund in refunds if refund.status == "succeeded"]
    live = [refund for refund in refunds if refund.status != "failed"]
    sums = sum(refund.amount for refund in live), sum(refund.amount for refund in done)
    if (payment.refund_held, payment.amount_refunded) != sums:
        yield f"held and refunded are {(payment.refund_held, payment.amount_refunded)}, and should be {sums}"
    owed = AMOUNT_FEN - sum(refund.returned_to_customer for refund in done)
    wanted = owed if payment.status is Status.SUCCEEDED else 0
    # What a channel will not give back is left to a person, and stays owed.
    wanted += sum(late.amount_fen for late in payment.late_captures if late.status == "review")
    if _kept_fen(world) != wanted:
        yield f"{payment.status}: the channels keep {_kept_fen(world)} fen, and should keep {wanted}"


def _of_refund(world: SmallWorld, refund: Refund) -> Iterator[str]:
    order = world.town.orders[attempt_order_no(refund.payment_id, refund.attempt_seq)]
    known = order.returns.get(refund.refund_no)
    is_back = known is not None and not known.failed
    if refund.status == "pending" or is_back is not (refund.status == "succeeded"):
        yield f"refund {refund.seq} is {refund.status}; the money went back: {is_back}"


async def _of_events(world: SmallWorld) -> list[str]:
    events = await world.pool.fetch(
        "SELECT seq, id FROM events WHERE payment_id = $1 ORDER BY seq", world.row.payment_id
    )
    told = await world.pool.fetch("SELECT event_id FROM webhook_outbox WHERE payment_id = $1", world.row.payment_id)
    found = []
    if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
        found.append("the events are not numbered one by one")
    if {event["id"] for event in events if event["id"]} != {row["event_id"] for row in told}:
        found.append("not every public event is in the outbox")
    return found


async def _booked_fen(world: SmallWorld) -> int:
    """What the channels owe by our books, the fees left aside."""
    booked: int = await world.pool.fetchval(
        "SELECT coalesce(sum(CASE WHEN debit LIKE 'channel_receivable:%' THEN amount ELSE -amount END), 0)::bigint"
        " FROM transfers WHERE payment_id = $1 AND kind NOT LIKE '%fee%'"
        " AND (debit LIKE 'channel_receivable:%' OR credit LIKE 'channel_receivable:%')",
        world.row.payment_id,
    )
    return booked
