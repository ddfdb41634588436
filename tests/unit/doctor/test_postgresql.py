"""What the doctor says of PostgreSQL, from facts: each judgement both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from gateway.database.migrate import migrations
from gateway.database.schema_state import SchemaState
from gateway.doctor.finding import Finding, Standing
from gateway.doctor.judging.postgresql import PostgresFacts, Standby, judge_postgresql

KNOWN: Final = migrations()
RAN: Final = {migration.number: migration.name for migration in KNOWN}
GOOD: Final = PostgresFacts(
    version=16,
    settings={
        "TimeZone": "UTC",
        "archive_mode": "on",
        "autovacuum": "on",
        "data_checksums": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "max_connections": "100",
        "superuser_reserved_connections": "3",
        "synchronous_standby_names": "ANY 1 (*)",
    },
    is_standby=False,
    standbys=[Standby("b", "quorum", 0.01)],
    clock_offset_s=0.0,
    round_trip_ms=0.5,
    schema=SchemaState(KNOWN, RAN),
    missing_partitions=[],
    strays=[],
    idle_in_transaction_s=0.0,
    oldest_transaction_s=1.0,
    hidden_sessions=0,
    xid_age=1_000,
    connections=12,
    archive_failing=False,
    uses_tls=True,
    is_remote=True,
)


def judged(facts: PostgresFacts, check: str) -> Finding:
    [found] = [finding for finding in judge_postgresql(facts) if finding.check == check]
    return found


def with_settings(**changes: str | None) -> PostgresFacts:
    settings = {**GOOD.settings, **changes}
    return replace(GOOD, settings={name: value for name, value in settings.items() if value is not None})


def test_a_good_server_is_all_ok() -> None:
    assert {finding.standing for finding in judge_postgresql(GOOD)} == {Standing.OK}


@pytest.mark.parametrize(
    ("check", "changes", "standing"),
    [
        ("version", {"version": 14}, Standing.PROBLEM),
        ("role", {"is_standby": True}, Standing.PROBLEM),
        ("latency", {"round_trip_ms": 8.0}, Standing.WARNING),
        ("latency", {"round_trip_ms": 80.0}, Standing.PROBLEM),
        ("schema", {"schema": SchemaState(KNOWN, dict(list(RAN.items())[:-1]))}, Standing.PROBLEM),
        ("schema", {"schema": SchemaState(KNOWN, {**RAN, 9_999: "9999_later.sql"})}, Standing.WARNING),
        ("schema", {"schema": SchemaState(KNOWN, {**RAN, 9_999: "x"}, contract=9_999)}, Standing.PROBLEM),
        ("indexes", {"schema": SchemaState(KNOWN, RAN, 0, ["i on t"])}, Standing.PROBLEM),
        ("partitions", {"missing_partitions": ["payments_2026_12"]}, Standing.PROBLEM),
        ("strays", {"strays": ["payments"]}, Standing.WARNING),
        ("standby", {"standbys": []}, Standing.PROBLEM),
        ("standby", {"standbys": [Standby("b", "async", 0.0)]}, Standing.PROBLEM),
        ("standby", {"standbys": [Standby("b", None, None)]}, Standing.NOT_CHECKED),
        ("lag", {"standbys": [Standby("b", "sync", 30.0)]}, Standing.WARNING),
        ("archive", {"archive_failing": True}, Standing.PROBLEM),
        ("connections", {"processes": 8}, Standing.WARNING),
        ("connections", {"processes": 9}, Standing.PROBLEM),
        ("idle", {"idle_in_transaction_s": 60.0}, Standing.WARNING),
        ("idle", {"idle_in_transaction_s": 600.0}, Standing.PROBLEM),
        ("others", {"hidden_sessions": 2}, Standing.NOT_CHECKED),
        ("open", {"oldest_transaction_s": 7_200.0}, Standing.WARNING),
        ("xid", {"xid_age": 1_200_000_000}, Standing.WARNING),
        ("xid", {"xid_age": 1_800_000_000}, Standing.PROBLEM),
        ("clock", {"clock_offset_s": -2.0}, Standing.WARNING),
        ("clock", {"clock_offset_s": 9.0}, Standing.PROBLEM),
    ],
)
def test_what_is_wrong_is_judged_and_says_what_to_do(check: str, changes: dict[str, Any], standing: Standing) -> None:
    found = judged(replace(GOOD, **changes), check)
    assert found.standing is standing
    assert found.advice


@pytest.mark.parametrize(
    ("check", "setting", "value", "standing"),
    [
        ("fsync", "fsync", "off", Standing.PROBLEM),
        ("fsync", "fsync", None, Standing.NOT_CHECKED),
        ("full_page_writes", "full_page_writes", "off", Standing.PROBLEM),
        ("data_checksums", "data_checksums", "off", Standing.WARNING),
        ("autovacuum", "autovacuum", "off", Standing.PROBLEM),
        ("archive", "archive_mode", "off", Standing.WARNING),
        ("archive", "archive_mode", None, Standing.NOT_CHECKED),
        ("timezone", "TimeZone", "Asia/Shanghai", Standing.WARNING),
    ],
)
def test_its_settings_are_judged(check: str, setting: str, value: str | None, standing: Standing) -> None:
    assert judged(with_settings(**{setting: value}), check).standing is standing


def test_a_standby_that_is_asked_for_and_missing_is_told_apart_from_none_at_all() -> None:
    assert "commits wait for ever" in judged(replace(GOOD, standbys=[]), "standby").told
    alone = replace(with_settings(synchronous_standby_names=""), standbys=[])
    assert "no synchronous standby" in judged(alone, "standby").told
    assert "--accept postgresql.standby" in judged(alone, "standby").advice
