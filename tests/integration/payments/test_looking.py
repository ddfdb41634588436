"""Whoever waits for a payment or a refund is answered when his wait is over, though the database hangs by then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

import pytest

from gateway.database.intents import intent_batch
from gateway.database.pool import BoundedPool, open_pool
from gateway.kernel.clock import Deadline
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.payments.cancel import cancel
from gateway.payments.payment import Payment
from gateway.payments.replays import Replays
from gateway.payments.store import PaymentStore
from tests.support.doors import Door, Doors
from tests.support.proxy import Mode
from tests.support.rows import MASTER_KEY, intent, settings
from tests.support.waiting import until

Answer = TypeVar("Answer")

_WAIT_S: Final = 0.5
_LATE_S: Final = 4.0
"""A last look's second, and a busy machine's; the pool and its statement would give up after twelve."""


class Looked(PaymentStore):
    """A store that counts the looks at payments."""

    looks = 0

    async def find(self, merchant_id: str, payment_id: str) -> Payment | None:
        self.looks += 1
        return await super().find(merchant_id, payment_id)


@dataclass(frozen=True, slots=True)
class Behind:
    """A payment without an outcome, in a database behind a door."""

    door: Door
    pool: BoundedPool
    store: Looked
    payment: Payment

    async def answer_though_it_hangs(self, waiting: Awaitable[Answer]) -> Answer:
        """The answer; the database says nothing more from now on."""
        self.door.mode = Mode.FREEZE
        began = time.monotonic()
        answer = await waiting
        assert time.monotonic() - began < _WAIT_S + _LATE_S
        assert self.door.held > 0, "somebody looked"
        return answer


@pytest.fixture
async def behind(database_url: str, redis_url: str) -> AsyncIterator[Behind]:
    with Doors() as doors:
        door, through = doors.before_postgres(database_url)
        pool = await open_pool(settings(through, redis_url))
        row = intent(new_id("pay"), new_id("mer"))
        assert (await intent_batch(pool).flush([row]))[0].inserted  # type: ignore[union-attr]
        store = Looked(pool, Vault(MASTER_KEY))
        payment = await store.find(row.merchant_id, row.payment_id)
        assert payment is not None
        yield Behind(door, pool, store, payment)
        door.open_again()
        await pool.close()


async def test_a_cancellation_that_is_noted_is_told_as_pending(behind: Behind) -> None:
    payment = behind.payment
    cancelling = asyncio.create_task(cancel(behind.store, payment.merchant_id, payment.id, Deadline.after(_WAIT_S)))
    await until(lambda: behind.store.looks > 2)  # the payment is marked by then
    answer = await behind.answer_though_it_hangs(cancelling)
    assert (answer.id, answer.status, answer.reversal) == (payment.id, "processing", "pending")


async def test_a_payment_that_another_process_takes_is_told_as_it_was(behind: Behind) -> None:
    replays = Replays(behind.store, Vault(MASTER_KEY))
    waiting = replays.await_answer(behind.payment, Deadline.after(_WAIT_S))
    assert await behind.answer_though_it_hangs(waiting) == behind.payment


async def test_a_look_that_was_left_behind_gives_its_connection_back(behind: Behind) -> None:
    replays = Replays(behind.store, Vault(MASTER_KEY))
    await behind.answer_though_it_hangs(replays.await_answer(behind.payment, Deadline.after(_WAIT_S)))
    behind.door.mode = Mode.PASS
    await until(lambda: behind.pool.get_idle_size() == behind.pool.get_size())
    assert await behind.store.find(behind.payment.merchant_id, behind.payment.id) == behind.payment
