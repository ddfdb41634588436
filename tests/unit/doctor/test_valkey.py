"""What the doctor says of Valkey, from facts: each judgement both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from gateway.doctor.finding import Finding, Standing
from gateway.doctor.judging.valkey import ValkeyFacts, ValkeyServer, judge_valkey

SERVER: Final = ValkeyServer(
    name="a:6379",
    kind="valkey",
    version="8.1.0",
    policy="noeviction",
    append_only=True,
    append_fsync="everysec",
    append_failing=False,
    role="master",
    replica_lags_s=(0.0,),
    memory_bytes=100_000_000,
    memory_max_bytes=1_000_000_000,
    evicted=0,
    clock_offset_s=0.0,
    round_trip_ms=0.3,
    runs_scripts=True,
)
GOOD: Final = ValkeyFacts([SERVER])


def judged(facts: ValkeyFacts, check: str) -> Finding:
    [found] = [finding for finding in judge_valkey(facts) if finding.check == check]
    return found


def test_a_good_server_is_all_ok() -> None:
    assert {finding.standing for finding in judge_valkey(GOOD)} == {Standing.OK}


@pytest.mark.parametrize(
    ("check", "changes", "standing"),
    [
        ("version", {"version": "7.2.4"}, Standing.PROBLEM),
        ("version", {"kind": "redis", "version": "6.2.1"}, Standing.PROBLEM),
        ("version", {"kind": "redis", "version": "7.0.0"}, Standing.OK),
        ("appendonly", {"append_only": False}, Standing.PROBLEM),
        ("appendonly", {"append_only": None}, Standing.NOT_CHECKED),
        ("appendonly", {"append_failing": True}, Standing.PROBLEM),
        ("appendfsync", {"append_fsync": "no"}, Standing.WARNING),
        ("appendfsync", {"append_fsync": "always"}, Standing.WARNING),
        ("eviction", {"policy": "allkeys-lru"}, Standing.PROBLEM),
        ("eviction", {"policy": None}, Standing.NOT_CHECKED),
        ("evicted", {"evicted": 3}, Standing.WARNING),
        ("memory", {"memory_max_bytes": 0}, Standing.WARNING),
        ("memory", {"memory_bytes": 800_000_000}, Standing.WARNING),
        ("memory", {"memory_bytes": 950_000_000}, Standing.PROBLEM),
        ("role", {"role": "slave"}, Standing.PROBLEM),
        ("scripts", {"runs_scripts": False}, Standing.PROBLEM),
        ("lag", {"replica_lags_s": (0.0, 20.0)}, Standing.WARNING),
        ("latency", {"round_trip_ms": 7.0}, Standing.WARNING),
        ("latency", {"round_trip_ms": 170.0}, Standing.PROBLEM),
        ("clock", {"clock_offset_s": 2.0}, Standing.WARNING),
        ("clock", {"clock_offset_s": -6.0}, Standing.PROBLEM),
    ],
)
def test_a_server_is_judged(check: str, changes: dict[str, Any], standing: Standing) -> None:
    assert judged(ValkeyFacts([replace(SERVER, **changes)]), check).standing is standing


@pytest.mark.parametrize(
    ("check", "facts", "standing"),
    [
        ("replica", ValkeyFacts([replace(SERVER, replica_lags_s=())]), Standing.WARNING),
        ("cluster", ValkeyFacts([SERVER], "cluster", "ok"), Standing.OK),
        ("cluster", ValkeyFacts([SERVER], "cluster", "fail"), Standing.PROBLEM),
        ("sentinels", ValkeyFacts([SERVER], "sentinel", None, (3, 3)), Standing.OK),
        ("sentinels", ValkeyFacts([SERVER], "sentinel", None, (1, 3)), Standing.PROBLEM),
        ("sentinels", ValkeyFacts([SERVER], "sentinel", None, (2, 2)), Standing.PROBLEM),
    ],
)
def test_several_servers_are_judged_together(check: str, facts: ValkeyFacts, standing: Standing) -> None:
    assert judged(facts, check).standing is standing


def test_of_several_servers_each_finding_says_which() -> None:
    facts = ValkeyFacts([SERVER, replace(SERVER, name="b:6379", policy="volatile-lru")], "cluster", "ok")
    [bad] = [finding for finding in judge_valkey(facts) if finding.standing is Standing.PROBLEM]
    assert bad.told.startswith("b:6379: maxmemory-policy is volatile-lru")
