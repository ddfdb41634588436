"""Works on cases: claim, release, note, decide, open again; each one step, under the lock of the case's row.

Everything happens in the transaction that is open, so that a case, its label and its list entries stand or fall
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from gateway.database.pool import Connection
from gateway.kernel.errors import Conflict, not_found
from gateway.kernel.secrets import Vault
from risk.cases.case import Case, Kind, StepKind, Verdict
from risk.cases.store import SQL, case_of
from risk.labels.label import Label, NewLabel, Source
from risk.labels.store import add_label


class CaseDesk:
    """What a person does, in one transaction."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault

    async def hold(self, case_id: str) -> Case:
        """The case as it stands; nobody else changes it until the transaction ends.  Raises the 404."""
        record = await self._connection.fetchrow(SQL["hold"], case_id)
        if record is None:
            raise not_found("case", "case_id")
        return case_of(record)

    async def claim(self, case_id: str, by: str, take_over_from: str | None = None) -> Case:
        """Work on it, alone, until the claim runs out; whoever holds it already holds it longer.

        Raises Conflict where somebody else holds it, unless that person is named in `take_over_from`.
        """
        case = await self._open(case_id)
        holder = case.holder
        if holder not in {None, by, take_over_from}:
            raise _claimed(case, "Name them in “take_over_from” to take it over.")
        kind = StepKind.CLAIMED if holder in {None, by} else StepKind.TAKEN_OVER
        await self._step(case, kind, by, {"from": holder} if kind is StepKind.TAKEN_OVER else {})
        await self._connection.execute(SQL["claim"], case.id, case.merchant_id, case.version + 1, by)
        return await self.hold(case_id)

    async def release(self, case_id: str, by: str) -> Case:
        """Give it back to the queue, where it is not there already.  Raises Conflict where somebody else holds it."""
        case = await self._open(case_id)
        if case.holder is None:
            return case
        _require_hold(case, by)
        await self._step(case, StepKind.RELEASED, by)
        await self._connection.execute(SQL["release"], case.id, case.merchant_id, case.version + 1)
        return await self.hold(case_id)

    async def note(self, case_id: str, by: str, note: str) -> Case:
        """Write something down; whoever holds it, and on a decided case too."""
        case = await self.hold(case_id)
        await self._step(case, StepKind.NOTED, by, note=note)
        await self._connection.execute(SQL["note"], case.id, case.merchant_id, case.version + 1)
        return replace(case, version=case.version + 1)

    async def decide(
        self, case_id: str, by: str, verdict: Verdict, note: str, detail: Mapping[str, Any]
    ) -> tuple[Case, Label | None]:
        """Close it, with the label that follows; None where the label that stands says the same.

        Raises Conflict where it is decided already, or somebody else holds it.
        """
        case = await self._open(case_id)
        _require_hold(case, by)
        await self._step(case, StepKind.DECIDED, by, {"verdict": verdict, **detail}, note)
        await self._connection.execute(SQL["decide"], case.id, case.merchant_id, case.version + 1, verdict, by)
        label = await add_label(
            self._connection,
            NewLabel(
                payment_id=case.payment_id,
                merchant_id=case.merchant_id,
                fraud=verdict is Verdict.FRAUD,
                source=Source.CASE,
                by=by,
                note=case.id,
            ),
        )
        return await self.hold(case_id), label

    async def reopen(self, case_id: str, by: str, note: str, due_as: Kind | None = None) -> Case:
        """Something new came to light: it waits for a verdict again, due as a new one (of that kind) would be.

        Its label stands until that verdict.  Raises Conflict where it is open.
        """
        case = await self.hold(case_id)
        if case.is_open:
            raise Conflict("case_open", "The case is open: note what is new, and decide it.", param="case_id")
        await self._step(case, StepKind.REOPENED, by, {"verdict_before": case.verdict}, note)
        await self._connection.execute(SQL["reopen"], case.id, case.merchant_id, case.version + 1, due_as or case.kind)
        return await self.hold(case_id)

    async def complained(self, case: Case, by: str, complaint_id: str) -> None:
        """A complaint has joined it, or opened it."""
        await self._step(case, StepKind.COMPLAINED, by, {"complaint_id": complaint_id})
        await self._connection.execute(SQL["note"], case.id, case.merchant_id, case.version + 1)

    async def _open(self, case_id: str) -> Case:
        """Held.  Raises Conflict where it is decided."""
        case = await self.hold(case_id)
        if not case.is_open:
            raise Conflict(
                "case_decided",
                f"{case.decided_by} has decided the case as {case.verdict}: reopen it if something new came to light.",
                param="case_id",
            )
        return case

    async def _step(
        self, case: Case, kind: StepKind, by: str, detail: Mapping[str, Any] | None = None, note: str | None = None
    ) -> None:
        sealed = None if note is None else self._vault.seal(note.encode(), case.id.encode())
        told = orjson.dumps(detail).decode() if detail else None
        await self._connection.execute(
            SQL["add_step"], case.id, case.merchant_id, case.version + 1, kind, by, told, sealed
        )


def _require_hold(case: Case, by: str) -> None:
    """Raises Conflict where somebody else holds the case; nobody at all is fine."""
    if case.holder not in {None, by}:
        raise _claimed(case, "Ask them, or take it over: claim it with “take_over_from”.")


def _claimed(case: Case, advice: str) -> Conflict:
    return Conflict("case_claimed", f"{case.holder} works on the case. {advice}", param="by")
