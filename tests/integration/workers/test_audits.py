"""What the worker tells of audits: of the newest, and when one agreed last; nothing before any."""

from __future__ import annotations

import asyncpg

from gateway.kernel.business_metrics import AUDIT_AGREED_AT, AUDIT_FINDINGS, AUDITED_AT
from gateway.workers.audits import tell_newest

_LEAVE = (
    "INSERT INTO audit_runs (audited_at, kind, payments, compared, mismatches, findings, agreed)"
    " VALUES (to_timestamp($1), 'own_books', 1, '{}', '{}', $2::bigint, $2::bigint = 0)"
)


async def test_the_newest_audit_is_told_and_when_one_agreed_last(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        seen = []
        for at_s, findings in ((None, 0), (1_000, 0), (2_000, 3), (3_000, 0)):
            if at_s is not None:
                await connection.execute(_LEAVE, at_s, findings)
            await tell_newest(connection)
            seen.append(tuple([_value(gauge) for gauge in (AUDIT_FINDINGS, AUDITED_AT, AUDIT_AGREED_AT)]))
        assert seen == [(0, 0, 0), (0, 1_000, 1_000), (3, 2_000, 1_000), (0, 3_000, 3_000)]
    finally:
        await connection.close()


def _value(gauge: object) -> float:
    [family] = gauge.collect()  # type: ignore[attr-defined]
    return float(family.samples[0].value)
