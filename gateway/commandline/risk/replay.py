"""`mashang risk replay`: finds the books, makes decisions again, and turns the result into an exit status."""

from __future__ import annotations

import asyncio
import base64
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg
from rich.console import Console
from rich.table import Table

from gateway.audit.progress import Steps
from gateway.commandline.till.shown import print_json, say
from gateway.devstack.options import DEFAULT_STATE, ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.devstack.secrets import load_secrets
from gateway.kernel.clock import utc_now
from gateway.kernel.secrets import Vault
from gateway.payments.replaying import Replayed, Replaying
from gateway.payments.store import PaymentStore
from gateway.processes.errors import StackError
from risk.decisions.replaying import PastSets
from risk.decisions.store import Span, StoredDecision, find_decision
from risk.model.book import ModelBook

_SHOWN_MAX: Final = 20
Times: TypeAlias = tuple[datetime | None, datetime | None]


class ExitStatus(IntEnum):
    """What scripts rely on."""

    SAME = 0
    DIFFERS = 1
    """Or it is not known, for the rules cannot be read."""


@dataclass(slots=True)
class Tally:
    """How many were replayed, and those that differ; how many could not be, for their request was erased.

    `unreadable` counts those of rules that this code cannot read, by their version.
    """

    replayed: int = 0
    erased: int = 0
    unreadable: Counter[int] = field(default_factory=Counter)
    differing: list[Replayed] = field(default_factory=list)

    def add(self, one: Replayed) -> None:
        """One more."""
        if not one.is_readable:
            self.unreadable[one.stored.decision.version] += 1
            return
        if one.differences is None:
            self.erased += 1
            return
        self.replayed += 1
        if not one.agrees:
            self.differing.append(one)

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "replayed": self.replayed,
            "erased": self.erased,
            "cannot_be_replayed": self.unreadable.total(),
            "unreadable_versions": sorted(self.unreadable),
            "differ": len(self.differing),
            "payments": [_json(each) for each in self.differing],
        }


def run_replay(state: Path | None, payment_id: str | None, times: Times, *, json: bool) -> ExitStatus:
    """Replay and print.  Raises StackError where there is nothing to replay."""
    tally = asyncio.run(_replay(state, payment_id, times))
    if json:
        print_json(tally.to_json())
    else:
        _show(tally)
    return ExitStatus.DIFFERS if tally.differing or tally.unreadable else ExitStatus.SAME


async def _replay(state: Path | None, payment_id: str | None, times: Times) -> Tally:
    database_url, vault = _books(state)
    tally, steps = Tally(), Steps()
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        past_sets = PastSets(pool, vault, ModelBook(pool))
        replaying = Replaying(PaymentStore(pool, vault), past_sets, vault)
        with steps.shown():
            if payment_id is not None:
                pages, advance = _one(pool, payment_id), steps.step("decisions", 1)
            else:
                span = _span(times)
                pages, advance = span.pages(pool), steps.step("decisions", await span.count(pool))
            await _add_all(replaying, pages, tally, advance)
    return tally


async def _add_all(
    replaying: Replaying, pages: AsyncIterator[Sequence[StoredDecision]], tally: Tally, advance: Callable[[int], None]
) -> None:
    async for page in pages:
        async for one in replaying.replay(page):
            tally.add(one)
        advance(len(page))


async def _one(pool: asyncpg.Pool, payment_id: str) -> AsyncIterator[Sequence[StoredDecision]]:
    stored = await find_decision(pool, payment_id)
    if stored is None:
        raise StackError(
            f"There is no decision about {payment_id}: no rule set was in force, or there is no such payment."
        )
    yield [stored]


def _span(times: Times) -> Span:
    start, end = times
    assert start is not None, "the command asks for it"
    return Span(_aware(start), utc_now() if end is None else _aware(end))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _books(state: Path | None) -> tuple[str, Vault]:
    """The database's address and the installation's keys: the environment's, or those of the stack on `state`."""
    database_url, master_key = os.environ.get("MASHANG_DATABASE_URL"), os.environ.get("MASHANG_MASTER_KEY")
    if state is None and database_url and master_key:
        return database_url, Vault(base64.b64decode(master_key))
    folder = (state or DEFAULT_STATE).absolute()
    ready = read_ready_file(ready_file_of(folder))
    return ready.database_url, Vault(base64.b64decode(load_secrets(folder).master_key))


def _show(tally: Tally) -> None:
    if tally.differing:
        table = Table("payment", "version", "what", "stored", "made again")
        for each in tally.differing[:_SHOWN_MAX]:
            for one in each.differences or ():
                version = str(each.stored.decision.version)
                table.add_row(each.stored.payment_id, version, one.field, str(one.stored), str(one.replayed))
        Console().print(table, markup=False)
    erased = f"; {tally.erased} could not be, for their requests were erased" if tally.erased else ""
    made = "1 decision was" if tally.replayed == 1 else f"{tally.replayed} decisions were"
    for unreadable, count in sorted(tally.unreadable.items()):
        what = "1 decision" if count == 1 else f"{count} decisions"
        say(f"Version {unreadable} of the rules cannot be replayed: this code cannot read it ({what}).")
    say(f"{made} made again, {len(tally.differing)} came out otherwise{erased}.")


def _json(one: Replayed) -> dict[str, Any]:
    different = {each.field: [each.stored, each.replayed] for each in one.differences or ()}
    return {"payment_id": one.stored.payment_id, "version": one.stored.decision.version, "differences": different}
