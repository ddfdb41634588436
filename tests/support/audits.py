"""The audit as the last word of a test: `mashang audit` in a process of its own, or the same function in this one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from gateway.audit.report import as_json
from gateway.audit.run import AuditOptions, audit
from gateway.audit.simulators import SimulatorBooks
from tests.support.book import ClientBook
from tests.support.channels import Simulators


async def audit_command(
    database_url: str, simulators: Simulators, book: ClientBook, *, wait_s: float = 20
) -> Mapping[str, Any]:
    """Run `mashang audit` on these books; its report, once it is quiet and everything agrees."""
    named = [part for name, url in simulators.base_urls.items() for part in ("--simulator", f"{name}={url}")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "audit", "--json", "--wait", str(wait_s),
        "--client-log", str(book.path), *named,
        env={**os.environ, "MASHANG_DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()
    return _clean(orjson.loads(output), book)


async def audit_here(database_url: str, simulators: Simulators, book: ClientBook) -> Mapping[str, Any]:
    """The same comparison without a process, for tests that end in many audits."""
    books = [SimulatorBooks(name, url) for name, url in sorted(simulators.base_urls.items())]
    try:
        report = await audit(database_url, books, AuditOptions(client_logs=(Path(book.path),)))
    finally:
        for simulator in books:
            await simulator.aclose()
    return _clean(orjson.loads(as_json(report)), book)


def _clean(report: Mapping[str, Any], book: ClientBook) -> Mapping[str, Any]:
    """Everything agrees, and something was compared: an audit of nothing agrees too."""
    told = ("payments", "simulators", "client_log", "quiet", "mismatches_total", "mismatches")
    shown = orjson.dumps({name: report[name] for name in told}, option=orjson.OPT_INDENT_2).decode()
    assert report["agrees"], shown
    assert report["quiet"], shown
    assert report["payments"]["count"] > 0, shown
    assert report["simulators"]["orders"] > 0, shown
    assert report["client_log"]["lines"] == book.lines, shown
    assert report["client_log"]["payments_told"] > 0, shown
    compared = {check["name"]: check["compared"] for check in report["checks"]}
    for name in ("I1.unknown_trade", "I2.acknowledged_lost", "I2.went_back", "I3.transition", "I9.postings"):
        assert compared[name] > 0, shown
    return report
