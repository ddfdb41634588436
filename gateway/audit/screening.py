"""Risk decisions: every payment whose row says that it was screened has its decision, and they agree."""

from __future__ import annotations

from typing import Final

import asyncpg

from gateway.audit.checks import Check
from gateway.audit.database import SQL
from gateway.audit.findings import Findings
from gateway.audit.span import Bounds

_PREFETCH: Final = 500


async def check_decisions(connection: asyncpg.Connection, within: Bounds, findings: Findings) -> None:
    """Those of the payments within, in one statement: both tables are joined by PostgreSQL."""
    findings.compare(Check.DECISION, await connection.fetchval(SQL["screened"], *within))
    async for row in connection.cursor(SQL["decisions_astray"], *within, prefetch=_PREFETCH):
        findings.add(Check.DECISION, row["why"], payment_id=row["payment_id"])
