"""Writes an event that merchants are told of, for rooms whose transition is not one of the two hot statements.

async with pool.acquire() as connection, connection.transaction():
    ...                                    # the guarded change; it gives the new version, under the row's lock
    await announce(connection, NewEvent(payment_id, merchant_id, version, Event.REVERSED, "succeeded", "reversed"))
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.database.pool import Connection, named_statements
from gateway.kernel.ids import new_id

SQL: Final = named_statements("gateway.webhooks", "statements.sql")


class NewEvent(NamedTuple):
    """A step of a payment's history: `seq` is the payment's new version; an event of a refund names it too."""

    payment_id: str
    merchant_id: str
    seq: int
    type: str
    from_status: str | None
    to_status: str
    refund_id: str | None = None


async def announce(connection: Connection, event: NewEvent) -> str:
    """Write the event, and its row in the outbox where somebody wants to be told; gives the event's id.

    It has to run in the transaction of the transition.
    """
    event_id = new_id("evt")
    await connection.execute(SQL["announce"], *event[:6], event_id, event.refund_id)
    return event_id
