"""Leaves the row by which the worker tells when the books were last compared, and with what end (audit_runs)."""

from __future__ import annotations

import asyncpg
import orjson

from gateway.audit.database import SQL, connected
from gateway.audit.findings import CannotAudit
from gateway.audit.run import AuditReport


async def leave_run(database_url: str, report: AuditReport) -> str | None:
    """Write it; why it could not be written, where it could not: an audit may well be of a user who only reads."""
    days, findings = report.days, report.findings
    first, last = (None, None) if days is None else (days.first, days.last)
    row = (
        report.at,
        report.kind,
        first,
        last,
        report.payments,
        orjson.dumps({check.value: findings.compared[check] for check in sorted(findings.compared)}).decode(),
        orjson.dumps({check.value: findings.counts[check] for check in sorted(findings.counts)}).decode(),
        findings.total,
        report.agrees,
    )
    try:
        async with connected(database_url) as connection:
            await connection.execute(SQL["leave_run"], *row)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, CannotAudit, OSError) as error:
        return f"{error or type(error).__name__}"
    return None
