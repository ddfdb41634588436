"""`mashang audit`: finds the books, runs the audit, and turns the result into an exit status."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import IntEnum
from pathlib import Path
from typing import Final

from gateway.audit.database import clock, connected
from gateway.audit.findings import CannotAudit
from gateway.audit.leaving import leave_run
from gateway.audit.report import as_json, show
from gateway.audit.run import AuditOptions, AuditReport, audit
from gateway.audit.simulators import SimulatorBooks
from gateway.audit.span import Days
from gateway.devstack.options import DEFAULT_STATE, ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.kernel.clock import BEIJING
from gateway.processes.errors import StackError

_DATABASE_URL: Final = "MASHANG_DATABASE_URL"
_REDIS_URL: Final = "MASHANG_REDIS_URL"
_ENVIRONMENT: Final = "MASHANG_ENV"


class ExitStatus(IntEnum):
    """What scripts rely on."""

    AGREES = 0
    DISAGREES = 1
    COULD_NOT_AUDIT = 2


@dataclass(frozen=True, slots=True)
class Places:
    """Where the books are: PostgreSQL's and Valkey's addresses, and each simulator's base address."""

    database_url: str
    redis_url: str | None
    simulators: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says: where the books are, and of which days; `own_books`: leave the channels' out."""

    state: Path | None = None
    simulators: Sequence[str] = ()
    own_books: bool = False
    first: date | None = None
    last: date | None = None
    days: int | None = None


def run_audit(asked: Asked, options: AuditOptions, *, json: bool) -> ExitStatus:
    """Audit, print, and leave a row.  An audit that fails itself must not look like one that found something."""
    try:
        report, not_left = asyncio.run(_run(asked, options))
    except (CannotAudit, StackError) as error:
        sys.stderr.write(f"mashang: the books could not be compared: {error}\n")
        return ExitStatus.COULD_NOT_AUDIT
    except Exception:  # a bug of the audit: status 1 would claim a mismatch
        traceback.print_exc()
        return ExitStatus.COULD_NOT_AUDIT
    if json:
        sys.stdout.buffer.write(as_json(report))
    else:
        show(report)
    if not_left is not None:
        sys.stderr.write(f"mashang: this audit left no row in audit_runs, so no metric tells of it: {not_left}\n")
    return ExitStatus.AGREES if report.agrees else ExitStatus.DISAGREES


def find_places(state: Path | None, simulators: Sequence[str]) -> Places:
    """The stack that runs on `state`, or, without one, what the environment names.  Raises CannotAudit, StackError."""
    named = dict([_named(entry) for entry in simulators])
    database_url = os.environ.get(_DATABASE_URL)
    if state is None and database_url:
        return Places(database_url, os.environ.get(_REDIS_URL), named)
    ready = read_ready_file(ready_file_of((state or DEFAULT_STATE).absolute()))
    addresses = {name: values["base_url"] for name, values in ready.simulators.items()}
    return Places(ready.database_url, ready.redis_url, addresses | named)


def _named(entry: str) -> tuple[str, str]:
    name, _, url = entry.partition("=")
    if not name or not url.startswith(("http://", "https://")):
        raise CannotAudit(f"--simulator takes NAME=URL, such as wechat=http://127.0.0.1:8101, not {entry}")
    return name, url


async def _run(asked: Asked, options: AuditOptions) -> tuple[AuditReport, str | None]:
    """The report, and why it left no row, where it left none."""
    places = find_places(asked.state, asked.simulators)
    is_own = _is_own_books(asked, places)
    if is_own:
        options = replace(options, own_books=True, days=await _days(asked, places.database_url))
        places = replace(places, simulators={})
    elif any([asked.first, asked.last, asked.days]):
        raise CannotAudit("the channels' books have no days: --from, --to and --days go with --own-books")
    report = await _audit(places, options)
    return report, await leave_run(places.database_url, report)


def _is_own_books(asked: Asked, places: Places) -> bool:
    """Asked for, or in production, where no channel keeps its books for us to read."""
    if asked.own_books and asked.simulators:
        raise CannotAudit("--own-books leaves out the books that --simulator names: give one of them")
    return asked.own_books or (os.environ.get(_ENVIRONMENT) == "production" and not places.simulators)


async def _days(asked: Asked, database_url: str) -> Days | None:
    """Days of Beijing, by the database's clock; None for all there is."""
    if asked.days is None and asked.first is None:
        if asked.last is not None:
            raise CannotAudit("--to goes with --from: say where it begins")
        return None
    if asked.days is not None and (asked.first or asked.last):
        raise CannotAudit("--days counts back from today: give it, or --from and --to")
    async with connected(database_url) as connection:
        today = (await clock(connection)).astimezone(BEIJING).date()
    if asked.days is not None:
        return Days(today - timedelta(days=asked.days - 1), today)
    assert asked.first is not None
    days = Days(asked.first, asked.last or today)
    if days.last < days.first:
        raise CannotAudit(f"no day lies between {days.first} and {days.last}")
    return days


async def _audit(places: Places, options: AuditOptions) -> AuditReport:
    simulators = [SimulatorBooks(name, url) for name, url in sorted(places.simulators.items())]
    try:
        return await audit(places.database_url, simulators, replace(options, redis_url=places.redis_url))
    finally:
        for simulator in simulators:
            await simulator.aclose()
