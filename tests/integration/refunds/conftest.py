"""A worker's house (tests.integration.workers) whose payments are paid and can be refunded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.composition import Base
from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.kernel.clock import Deadline
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money
from gateway.ledger import postings
from gateway.ledger.postings import Funder
from gateway.payments.settle import rows_of
from gateway.payments.states import Event
from gateway.refunds.desk import Answered, RefundDesk
from gateway.refunds.refund import Refund, RefundOrder
from gateway.refunds.schemas import RefundRequest
from gateway.workers.refunding import Refunding
from gateway.workers.tasks import Purpose, Task, TaskQueue
from routing.channels.base import RefundRules
from routing.channels.reports import RefundReport, RefundState
from tests.integration.workers.conftest import ACCOUNT_ID, OTHER_ACCOUNT_ID, House, opened
from tests.support.fake_channel import FakeChannel
from tests.support.rows import fee_of, intent, outcome

__all__ = ["ACCOUNT_ID", "opened"]

GIVEN_BACK = RefundReport(RefundState.SUCCEEDED, "50300001")
ACCEPTED = RefundReport(RefundState.PENDING, "50300001")
NOT_FOUND = RefundReport(RefundState.NOT_FOUND)
_numbers = itertools.count()


@dataclass
class Counter(House):
    """Where refunds are asked for, and where the worker gives them back."""

    @property
    def desk(self) -> RefundDesk:
        return self.base.refunds

    async def paid(
        self, *, payable: int | None = None, funding: list[Funder] | None = None, **changes: Any
    ) -> IntentRow:
        """A payment that succeeded, perhaps with a discount and its funders."""
        row = intent(new_id("pay"), new_id("mer"), **changes)
        row = row._replace(payable=row.amount if payable is None else payable)
        assert (await intent_batch(self.pool).flush([row]))[0].inserted  # type: ignore[union-attr]
        rows = rows_of(
            postings.capture(
                row.merchant_id, row.account_id or "", Money(row.payable), fee_of(Money(row.payable)), funding or []
            )
        )
        captured = outcome(row, Event.CAPTURED, channel_trade_no="4200001", transfers=rows, event_id=new_id("evt"))
        assert (await outcome_batch(self.pool).flush([captured]))[0].applied  # type: ignore[union-attr]
        return row

    async def ask(
        self, row: IntentRow, amount: int, *, key: str | None = None, wait_s: float = 0.0, **fields: Any
    ) -> Answered:
        """Ask for a refund under a new number, unless one is given."""
        request = {
            "payment_id": row.payment_id,
            "amount": amount,
            "merchant_refund_no": f"R-{next(_numbers)}",
            **fields,
        }
        order = RefundOrder(row.merchant_id, RefundRequest(**request), key)
        return await self.desk.take(order, Deadline.after(wait_s))

    async def refund(self, row: IntentRow, amount: int, **fields: Any) -> Refund:
        """The refund that such a request makes."""
        return (await self.ask(row, amount, **fields)).refund

    async def lease_refunds(self, row: IntentRow) -> Task:
        """Lease the task of the payment's refunds, whenever it falls due."""
        await self.pool.execute(
            "UPDATE recovery_tasks SET next_at = now(), lease_until = NULL WHERE payment_id = $1", row.payment_id
        )
        found = [task for task in await self.queue.lease(1_000) if task.payment_id == row.payment_id]
        assert [task.purpose for task in found] == [Purpose.REFUND]
        return found[0]

    async def work(self, row: IntentRow, task: Task | None = None) -> list[Refund]:
        """What the worker does when the payment's task comes up; its refunds as they stand afterwards."""
        await Refunding(self.base, self.queue).handle(task or await self.lease_refunds(row))
        return await self.refunds(row)

    async def work_now(self, row: IntentRow) -> list[Refund]:
        """The same, with everything that was put off due at once."""
        await self.pool.execute(
            "UPDATE refunds SET next_at = now() WHERE payment_id = $1 AND status = 'pending'", row.payment_id
        )
        return await self.work(row)

    async def refunds(self, row: IntentRow) -> list[Refund]:
        return await self.desk.store.of_payment(row.payment_id, row.merchant_id)

    async def pass_time(self, row: IntentRow, seconds: float) -> None:
        """Let so many seconds pass for the refunds of one payment."""
        await self.pool.execute(
            "UPDATE refunds SET next_at = next_at - $2, asked_at = asked_at - $2, last_asked_at = last_asked_at - $2,"
            " created_at = created_at - $2 WHERE payment_id = $1".replace("$2", "make_interval(secs => $2)"),
            row.payment_id,
            seconds,
        )

    async def paid_days_ago(self, row: IntentRow, days: float) -> None:
        await self.pool.execute(
            "UPDATE payments SET completed_at = now() - make_interval(secs => $2) WHERE id = $1",
            row.payment_id,
            days * 86_400,
        )

    async def sums(self, row: IntentRow) -> tuple[int, int]:
        """What is held and what is refunded of a payment."""
        payment = await self.payment(row)
        return payment.refund_held, payment.amount_refunded


@pytest.fixture
def counter(opened: tuple[Base, dict[str, FakeChannel]]) -> Counter:
    """The house with channels that have forgotten what the last test scripted, and that keep no pause."""
    base, channels = opened
    for channel in channels.values():
        vars(channel).update(vars(FakeChannel(refund_rules=RefundRules(0.0, 50, 365))))
    return Counter(base, TaskQueue(base.pool, 30.0), channels[ACCOUNT_ID], channels[OTHER_ACCOUNT_ID])
