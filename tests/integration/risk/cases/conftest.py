"""A desk at which analysts work on cases of payments that are really in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from gateway.database.intents import IntentRow, intent_batch
from gateway.database.pool import open_pool
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from risk.cases.case import Case, Channel, NewComplaint, Reason, Step, Verdict
from risk.cases.complaints import Complained, complain
from risk.cases.desk import CaseDesk
from risk.cases.store import find_case, steps_of
from risk.labels.label import Label, NewLabel, Source
from risk.labels.store import add_label, labels_of
from tests.support.rows import MASTER_KEY, intent, settings


@dataclass
class Office:
    """One merchant's payments, and whoever looks at them; each step in a transaction of its own."""

    pool: asyncpg.Pool
    vault: Vault
    merchant_id: str

    async def paid(self, **changes: Any) -> IntentRow:
        row = intent(new_id("pay"), self.merchant_id, request_sealed=None, **changes)
        await self.commit(row)
        return row

    async def commit(self, row: IntentRow) -> None:
        results: list[Any] = await intent_batch(self.pool).flush([row])
        assert results[0].inserted

    async def reviewed(self, **changes: Any) -> Case:
        """A payment that the risk check let through, to be looked at."""
        row, case_id = await self.paid(**changes), new_id("case")
        await self.pool.execute(
            "INSERT INTO risk_cases (id, kind, payment_id, merchant_id, amount, score)"
            " VALUES ($1, 'review', $2, $3, $4, 61)",
            case_id,
            row.payment_id,
            row.merchant_id,
            row.amount,
        )
        return await self.case(case_id)

    async def case(self, case_id: str) -> Case:
        found = await find_case(self.pool, case_id)
        assert found is not None
        return found

    async def steps(self, case: Case) -> list[Step]:
        return list(await steps_of(self.pool, self.vault, case))

    async def labels(self, payment_id: str) -> list[Label]:
        return list(await labels_of(self.pool, payment_id, self.merchant_id))

    async def label(self, payment_id: str, *, fraud: bool = True, **more: Any) -> Label | None:
        new = NewLabel(payment_id, self.merchant_id, fraud, **{"source": Source.CHARGEBACK, "by": "bank", **more})
        async with self.pool.acquire() as connection, connection.transaction():
            return await add_label(connection, new)

    async def claim(self, case: Case, by: str, take_over_from: str | None = None) -> Case:
        async with self.pool.acquire() as connection, connection.transaction():
            return await CaseDesk(connection, self.vault).claim(case.id, by, take_over_from)

    async def release(self, case: Case, by: str) -> Case:
        async with self.pool.acquire() as connection, connection.transaction():
            return await CaseDesk(connection, self.vault).release(case.id, by)

    async def note(self, case: Case, by: str, note: str) -> Case:
        async with self.pool.acquire() as connection, connection.transaction():
            return await CaseDesk(connection, self.vault).note(case.id, by, note)

    async def decide(self, case: Case, by: str, verdict: Verdict, note: str = "seen") -> tuple[Case, Label | None]:
        async with self.pool.acquire() as connection, connection.transaction():
            return await CaseDesk(connection, self.vault).decide(case.id, by, verdict, note, {})

    async def reopen(self, case: Case, by: str, note: str) -> Case:
        async with self.pool.acquire() as connection, connection.transaction():
            return await CaseDesk(connection, self.vault).reopen(case.id, by, note)

    async def complain(self, payment_id: str, number: str = "c-1", **changes: Any) -> Complained:
        new = NewComplaint(payment_id, Reason.NOT_AUTHORISED, Channel.WECHAT, number, "That was not me.", "hotline")
        async with self.pool.acquire() as connection, connection.transaction():
            return await complain(connection, self.vault, replace(new, **changes))

    async def later(self, case: Case, hours: float) -> None:
        """So many hours pass for the case."""
        await self.pool.execute(
            "UPDATE risk_cases SET opened_at = opened_at - make_interval(secs => $2),"
            " due_at = due_at - make_interval(secs => $2), claimed_until = claimed_until - make_interval(secs => $2)"
            " WHERE id = $1",
            case.id,
            hours * 3_600,
        )


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections with the gateway's own settings."""
    opened = await open_pool(settings(database_url), size=8)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def office(pool: asyncpg.Pool) -> AsyncIterator[Office]:
    """A merchant of the test's own; nothing is left open after it."""
    yield Office(pool, Vault(MASTER_KEY), new_id("mer"))
    await pool.execute("DELETE FROM risk_cases")
