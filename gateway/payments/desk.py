"""The payments that this process is taking now: duplicates join the first, tills get an answer in time."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, NamedTuple

from gateway.admission.admission import Ticket
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import ApiError, Unavailable
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import REFUSED
from gateway.kernel.values import value
from gateway.payments.flow import PaymentFlow, Taking
from gateway.payments.payment import Payment, PaymentOrder, first_difference
from gateway.payments.replays import Replays, different_request

_log = logging.getLogger("mashang.payments")
_BUSY: Final = REFUSED.labels("payments_in_flight")
_BINDING_S: Final = 9.0
"""A 503 must bind nothing: past a till's wait, an intent under way is waited for, longer than it can take."""
_LOOK_S: Final = 0.02
_BEGIN_WITHIN_S_MIN: Final = 1.0


@value
class Answered:
    """What a till is told: the payment, perhaps still processing, and whether an earlier request had made it."""

    payment: Payment
    replayed: bool
    channel_s: float = 0.0
    """Of the time until the answer, what was spent with channels and on their rhythm."""


class _Running(NamedTuple):
    """A payment under way, and the tills that wait for it."""

    taking: Taking
    task: asyncio.Task[Payment]
    waiters: list[asyncio.Future[None]]

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the task without cancelling it; False where it takes longer."""
        if self.task.done():
            return True
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self.waiters.append(waiter)
        timer = loop.call_later(seconds, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self.waiters.remove(waiter)
        return self.task.done()


class Desk:
    """Bounds how many payments are in flight, and outlives the wait of a till: a payment once begun is carried on."""

    def __init__(self, flow: PaymentFlow, replays: Replays, in_flight_max: int) -> None:
        self._flow = flow
        self._replays = replays
        self._in_flight_max = in_flight_max
        self._running: dict[tuple[str, str], _Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    def has(self, merchant_id: str, merchant_order_no: str) -> bool:
        """Whether that order is being taken here now."""
        return (merchant_id, merchant_order_no) in self._running

    async def take(
        self, order: PaymentOrder, deadline: Deadline, ticket: Ticket | None = None, payment_id: str | None = None
    ) -> Answered:
        """Take a payment, or join the same one; answers at the deadline at the latest.  Raises ApiError.

        What is made is called `payment_id`: new, and its request's (gateway.tracing.identity).
        """
        running = self._running.get(order.key)
        if running is not None:
            if ticket is not None:
                ticket.aside()
            return await self._join(order, deadline, running)
        running = self._begin(order, deadline, ticket, payment_id or new_id("pay"))
        payment = await self._await(running, deadline)
        return Answered(payment, running.taking.replayed, running.taking.channel_s)

    async def drain(self, timeout_s: float) -> None:
        """Wait until nothing is in flight; what is left then is finished by the worker."""
        tasks = [running.task for running in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    def _begin(self, order: PaymentOrder, deadline: Deadline, ticket: Ticket | None, payment_id: str) -> _Running:
        if len(self._running) >= self._in_flight_max or (ticket is not None and ticket.joins_only):
            _BUSY.inc()
            raise Unavailable("busy", "Too many payments are in flight: try again.", retry_after_s=1)
        taking = Taking(order, deadline, ticket, begin_before=_begin_before(deadline), payment_id=payment_id)
        task = asyncio.create_task(self._flow.take(taking))
        key = order.key
        self._running[key] = running = _Running(taking, task, [])
        task.add_done_callback(lambda done: self._finished(key, done))
        return running

    async def _join(self, order: PaymentOrder, deadline: Deadline, running: _Running) -> Answered:
        taking = running.taking
        if (difference := first_difference(order.fields, taking.order.fields)) is not None:
            raise different_request(order, difference)
        taking.joined(_begin_before(deadline))
        payment = await self._await(running, deadline)
        if order.idempotency_key != taking.order.idempotency_key:
            await self._replays.check_same(order, payment)
        if not payment.status.is_answer and not deadline.passed:
            payment = await self._replays.await_answer(payment, deadline)
        return Answered(payment, replayed=True)

    async def _await(self, running: _Running, deadline: Deadline) -> Payment:
        taking, task = running.taking, running.task
        if await running.ends_within(deadline.left_s):
            return task.result()
        binding = Deadline.after(_BINDING_S)
        while taking.payment is None and not binding.passed:
            if await running.ends_within(_LOOK_S):
                return task.result()
        if taking.payment is None:
            taking.given_up = True
            raise Unavailable("busy", "Not begun in time. Send the same request again: it is safe.", retry_after_s=1)
        return taking.payment

    def _finished(self, key: tuple[str, str], task: asyncio.Task[Payment]) -> None:
        for waiter in self._running.pop(key).waiters:
            _wake(waiter)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, ApiError):
            _log.error("a payment could not be taken", exc_info=error)


def _begin_before(deadline: Deadline) -> float:
    """What is not begun when its till's wait is over is not begun at all; one that does not wait gives us a second."""
    return max(deadline.at_monotonic_s, time.monotonic() + _BEGIN_WITHIN_S_MIN)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
