"""`mashang audit`: finds the books, runs the audit, and turns the result into an exit status."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Final

from gateway.audit.findings import CannotAudit
from gateway.audit.report import as_json, show
from gateway.audit.run import AuditOptions, AuditReport, audit
from gateway.audit.simulators import SimulatorBooks
from gateway.devstack.options import DEFAULT_STATE, ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.processes.errors import StackError

_DATABASE_URL: Final = "MASHANG_DATABASE_URL"
_REDIS_URL: Final = "MASHANG_REDIS_URL"


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


def run_audit(state: Path | None, simulators: Sequence[str], options: AuditOptions, *, json: bool) -> ExitStatus:
    """Audit and print.  An audit that fails itself must not look like one that found something."""
    try:
        report = asyncio.run(_audit(find_places(state, simulators), options))
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


async def _audit(places: Places, options: AuditOptions) -> AuditReport:
    simulators = [SimulatorBooks(name, url) for name, url in sorted(places.simulators.items())]
    try:
        return await audit(places.database_url, simulators, replace(options, redis_url=places.redis_url))
    finally:
        for simulator in simulators:
            await simulator.aclose()
