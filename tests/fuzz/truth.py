"""What must hold of a sale whatever happened to it: PostgreSQL, the channels' books and the merchant's server compared.

`unfinished` says what is still to come once the faults are over; `wrong` what must never be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import asyncpg

from gateway.payments.numbers import attempt_order_no
from gateway.payments.states import TRANSITIONS, Event
from gateway.webhooks.catalogue import TOLD, public_type
from tests.fuzz.sales import Sale, Street
from tests.support.shop_day.hooks import Hooks

_FINAL: Final = frozenset({"succeeded", "failed", "closed", "reversed"})
_LEGAL: Final = frozenset(
    {(None if start is None else str(start), str(event), str(to)) for (start, event), to in TRANSITIONS.items()}
)
_SILENT: Final = {str(event) for event in Event} - {str(event) for _, event in TRANSITIONS}
"""Events that change no status."""
_WAITING: Final = "SELECT count(*) FROM callbacks WHERE payment_id = $1 AND applied_at IS NULL"


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is known of one sale, read after each other while nothing moves (or is about to come to an end)."""

    sale: Sale
    payment: asyncpg.Record
    events: Sequence[asyncpg.Record]
    refunds: Sequence[asyncpg.Record]
    late: Sequence[asyncpg.Record]
    tasks: Sequence[str]
    callbacks_waiting: int
    outbox: int
    deliveries: Mapping[str, str]
    messages: Mapping[str, Mapping[str, Any]]
    trades: Mapping[int, Mapping[str, Any]]
    """By the number of the attempt; an order that its channel does not know is missing."""


async def dossier(street: Street, sale: Sale, hooks: Hooks) -> Dossier:
    """Read everything; what PostgreSQL says is of one moment."""
    trades = {}
    for seq, wallet in await street.attempts(sale):
        for trade in await street.books(wallet, "trades", attempt_order_no(sale.id, seq)):
            trades[seq] = trade
    async with street.pool.acquire() as books, books.transaction(isolation="repeatable_read", readonly=True):
        payment = await books.fetchrow("SELECT * FROM payments WHERE id = $1", sale.id)
        assert payment is not None, f"{sale} was acknowledged and is lost (I2)"
        events = await books.fetch("SELECT * FROM events WHERE payment_id = $1 ORDER BY seq", sale.id)
        ids = [event["id"] for event in events if event["id"] is not None]
        deliveries = await books.fetch("SELECT event_id, status FROM webhook_deliveries WHERE event_id = ANY ($1)", ids)
        tasks = await books.fetch("SELECT purpose FROM recovery_tasks WHERE payment_id = $1", sale.id)
        return Dossier(
            sale=sale,
            payment=payment,
            events=events,
            refunds=await books.fetch("SELECT * FROM refunds WHERE payment_id = $1 ORDER BY seq", sale.id),
            late=await books.fetch("SELECT * FROM late_captures WHERE payment_id = $1", sale.id),
            tasks=[row["purpose"] for row in tasks],
            callbacks_waiting=await books.fetchval(_WAITING, sale.id),
            outbox=await books.fetchval("SELECT count(*) FROM webhook_outbox WHERE payment_id = $1", sale.id),
            deliveries={row["event_id"]: row["status"] for row in deliveries},
            messages={message["id"]: message for message in tuple(hooks.accepted)},
            trades=trades,
        )


def unfinished(seen: Dossier) -> list[str]:
    """What is still under way; empty in the end.  What a person has to look at waits for one."""
    told = [f"event {event_id} is {status}" for event_id, status in seen.deliveries.items() if status != "succeeded"]
    if seen.outbox:
        told.append(f"{seen.outbox} events wait in the outbox")
    if seen.callbacks_waiting:
        told.append(f"{seen.callbacks_waiting} callbacks wait")
    payment = seen.payment
    if payment["review"] is not None and seen.sale.spoilt:
        return told
    if payment["status"] not in _FINAL:
        told.append(f"it is {payment['status']}")
    if payment["reversal"] == "pending":
        told.append("its reversal is pending")
    told += [f"refund {row['seq']} is pending" for row in seen.refunds if row["status"] == "pending"]
    told += [f"late capture {row['attempt_seq']} is pending" for row in seen.late if row["status"] == "pending"]
    told += [f"a task is left: {purpose}" for purpose in seen.tasks if purpose != "watch"]
    told += [f"attempt {seq} keeps money" for seq in _kept(seen) if not _is_the_payments_own(seen, seq)]
    return told


def wrong(seen: Dossier) -> list[str]:
    """What contradicts an invariant, at any moment."""
    return [*_story(seen), *_refunds(seen), *_webhooks(seen)]


def wrong_in_the_end(seen: Dossier) -> list[str]:
    """What contradicts an invariant once everything is quiet."""
    return [*wrong(seen), *_money(seen), *_told_of_everything(seen)]


def _story(seen: Dossier) -> list[str]:
    """I3: the events are numbered without gaps, each follows legally on the one before, and they end in the status."""
    told, status = [], None
    for number, event in enumerate(seen.events, 1):
        step = (status, event["type"], event["to_status"])
        stays = event["type"] in _SILENT and event["from_status"] == event["to_status"] == status
        if event["seq"] != number or event["from_status"] != status or not (stays or step in _LEGAL):
            told.append(f"I3: event {number} is {dict(event)} after {status}")
        status = event["to_status"]
    if (status, len(seen.events)) != (seen.payment["status"], seen.payment["version"]):
        told.append(f"I3: the events end in {status} after {len(seen.events)}; the payment: {dict(seen.payment)}")
    return told


def _refunds(seen: Dossier) -> list[str]:
    """I4: what was given back, and what is held for it, are the refunds' sums and no more than the payment."""
    payment = seen.payment
    done = sum(row["amount"] for row in seen.refunds if row["status"] == "succeeded")
    held = sum(row["amount"] for row in seen.refunds if row["status"] != "failed")
    if (payment["amount_refunded"], payment["refund_held"]) != (done, held) or held > payment["amount"]:
        return [f"I4: {payment['amount_refunded']} refunded, {payment['refund_held']} held, refunds say {done}, {held}"]
    return []


def _webhooks(seen: Dossier) -> list[str]:
    """Each event that merchants are told of has an id, the others have none; a message says what its event says."""
    told = []
    for event in seen.events:
        if (event["id"] is not None) != (event["type"] in TOLD):
            told.append(f"an event that has an id and should not, or the other way round: {dict(event)}")
        message = seen.messages.get(event["id"] or "")
        if message is None:
            continue
        says = (message["type"], message["sequence"])
        status = message["data"]["status"] if message["type"].startswith("payment.") else event["to_status"]
        if says != (public_type(event["type"]), event["seq"]) or status != event["to_status"]:
            told.append(f"a message says {message}, its event is {dict(event)}")
    return told


def _money(seen: Dossier) -> list[str]:
    """I1: one capture is kept where the payment succeeded, else none; a success gave back what its refunds say."""
    payment, told = seen.payment, []
    if payment["review"] is not None:
        return [] if seen.sale.spoilt else [f"it is under review for no reason: {payment['review']}"]
    kept = _kept(seen)
    if any(not _is_the_payments_own(seen, seq) for seq in kept):
        told.append(f"I1: money is kept by attempts {kept} of a payment that is {payment['status']}")
    if payment["status"] != "succeeded":
        return told
    own = seen.trades.get(payment["attempt_seq"])
    back = sum(row["returned_to_customer"] for row in seen.refunds if row["status"] == "succeeded")
    if own is None or own["captured_at"] is None or own["refunded"] != back:
        told.append(f"I1: it succeeded and gave back {back}; its channel says {own}")
    elif own["amount"] != payment["payable"] and not seen.sale.spoilt:
        told.append(f"I1: {payment['payable']} fen were payable; its channel says {own}")
    if not seen.sale.passed:
        told += _one_at_a_time(seen)
    return told


def _one_at_a_time(seen: Dossier) -> list[str]:
    """I1: an order was shut, or past its channel's own time limit, before the next one was opened."""
    told = []
    for earlier, later in pairwise([seen.trades[seq] for seq in sorted(seen.trades)]):
        ends = [datetime.fromisoformat(earlier[name]) for name in ("ended_at", "pay_until") if earlier[name]]
        if not ends or min(ends) > datetime.fromisoformat(later["created_at"]):
            told.append(f"I1: two orders were open at once: {earlier} and {later}")
    return told


def _told_of_everything(seen: Dossier) -> list[str]:
    """One delivery for each event that merchants are told of, and it has arrived."""
    ids = {event["id"] for event in seen.events if event["id"] is not None}
    return [
        *(f"event {event_id} was never delivered" for event_id in ids - seen.deliveries.keys()),
        *(f"event {event_id} never arrived" for event_id in ids - seen.messages.keys()),
    ]


def _kept(seen: Dossier) -> list[int]:
    """The attempts whose money, or some of it, is with the merchant."""
    return [seq for seq, trade in seen.trades.items() if trade["captured_at"] and trade["refunded"] < trade["amount"]]


def _is_the_payments_own(seen: Dossier, seq: int) -> bool:
    return bool(seen.payment["status"] == "succeeded" and seq == seen.payment["attempt_seq"])
