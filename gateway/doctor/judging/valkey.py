"""Valkey: does it keep what it is told, does it evict nothing, does somebody follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.doctor.finding import Area, Finding, Scribe

_SCRIBE: Final = Scribe(Area.VALKEY)
_VERSIONS_MIN: Final = {"valkey": 8, "redis": 7}
_CLOCK_WARN_S: Final = 1.0
_CLOCK_BAD_S: Final = 5.0
_ROUND_TRIP_WARN_MS: Final = 5.0
_ROUND_TRIP_BAD_MS: Final = 100.0
_FULL_WARN: Final = 0.7
_FULL_BAD: Final = 0.9
_LAG_WARN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """One server.  None is what could not be read (a provider may forbid CONFIG); `memory_max_bytes` 0 is no bound."""

    name: str
    kind: str
    version: str
    policy: str | None
    append_only: bool | None
    append_fsync: str | None
    append_failing: bool
    role: str
    replica_lags_s: Sequence[float]
    memory_bytes: int
    memory_max_bytes: int | None
    evicted: int
    clock_offset_s: float
    round_trip_ms: float
    runs_scripts: bool


@dataclass(frozen=True, slots=True)
class ValkeyFacts:
    """The servers that hold keys.  `form` is "", "sentinel" or "cluster"; `cluster_state` is the cluster's own word;
    `sentinels` are how many answer, of how many that are named.
    """

    servers: Sequence[ValkeyServer]
    form: str = ""
    cluster_state: str | None = None
    sentinels: tuple[int, int] = (0, 0)


def judge_valkey(facts: ValkeyFacts) -> list[Finding]:
    """All that can be said of them; the findings of several servers say which."""
    found = [*_together(facts)]
    several = len(facts.servers) > 1
    for server in facts.servers:
        for finding in _server(server):
            where = f"{server.name}: " if several else ""
            found.append(Finding(finding.area, finding.check, finding.standing, where + finding.told, finding.advice))
    return found


def _together(facts: ValkeyFacts) -> Iterator[Finding]:
    if facts.form == "cluster":
        if facts.cluster_state == "ok":
            yield _SCRIBE.ok("cluster", f"cluster_state is ok, with {len(facts.servers)} masters")
        else:
            told = f"cluster_state is {facts.cluster_state}: slots have no server"
            yield _SCRIBE.problem("cluster", told, "Look at CLUSTER NODES, and bring the masters back.")
    if facts.form == "sentinel":
        there, named = facts.sentinels
        told = f"{there} of {named} sentinels answer"
        if there <= named // 2 or named < 3:
            yield _SCRIBE.problem("sentinels", told, "Fail-over needs a majority: run three on machines of their own.")
        else:
            yield _SCRIBE.ok("sentinels", told)
    if not facts.form and facts.servers and not any(server.replica_lags_s for server in facts.servers):
        yield _SCRIBE.warning(
            "replica",
            "one server, and nobody follows: without it payments go on, more slowly, and discounts by PostgreSQL alone",
            "Run a replica with Sentinel, a cluster, or a managed service with a standby.",
        )


def _server(server: ValkeyServer) -> Iterator[Finding]:
    yield _version(server)
    yield from _keeping(server)
    yield from _memory(server)
    advice = "Put gateways and Valkey into one zone: each payment makes one or two round trips."
    trip = f"a round trip takes {server.round_trip_ms:.1f} ms"
    yield _SCRIBE.at_most("latency", trip, server.round_trip_ms, (_ROUND_TRIP_WARN_MS, _ROUND_TRIP_BAD_MS), advice)
    told = f"its clock and ours differ by {abs(server.clock_offset_s):.2f} s"
    clock = "Run chrony or systemd-timesyncd on both machines."
    yield _SCRIBE.at_most("clock", told, abs(server.clock_offset_s), (_CLOCK_WARN_S, _CLOCK_BAD_S), clock)
    if server.role != "master":
        told = f"this server is a {server.role} and takes no writes"
        yield _SCRIBE.problem("role", told, "Point MASHANG_REDIS_URL at the master, or use redis+sentinel://.")
    if not server.runs_scripts:
        told = "it does not run Lua scripts for us"
        yield _SCRIBE.problem("scripts", told, "Allow EVAL, EVALSHA and SCRIPT to our ACL user (+@scripting).")
    worst = max(server.replica_lags_s, default=0.0)
    if worst > _LAG_WARN_S:
        yield _SCRIBE.warning("lag", f"a replica is {worst:.0f} s behind", "Look at its network and load.")


def _version(server: ValkeyServer) -> Finding:
    told = f"{server.kind} {server.version} answers in {server.round_trip_ms:.1f} ms"
    least = _VERSIONS_MIN.get(server.kind, 0)
    if int(server.version.partition(".")[0] or 0) < least:
        return _SCRIBE.problem("version", told, f"Mashang needs {server.kind} {least} or later.")
    return _SCRIBE.ok("version", told)


def _keeping(server: ValkeyServer) -> Iterator[Finding]:
    if server.append_only is None:
        yield _SCRIBE.not_checked("appendonly", "the server does not tell", "Look into the provider's parameter group.")
    elif not server.append_only:
        yield _SCRIBE.problem(
            "appendonly",
            "no: a restart forgets velocities and reservations, and the pool is built anew",
            "CONFIG SET appendonly yes, and the same in its file.",
        )
    elif server.append_failing:
        yield _SCRIBE.problem("appendonly", "yes, and the last write failed", "Look at its disk: full, or broken.")
    else:
        yield _SCRIBE.ok("appendonly", "yes")
    if server.append_only and server.append_fsync == "no":
        told = "no: what a crash forgets is for the kernel to decide, some 30 s"
        yield _SCRIBE.warning("appendfsync", told, "CONFIG SET appendfsync everysec")
    elif server.append_only and server.append_fsync == "always":
        told = "always: each pipeline waits for the disk, and nothing here needs it"
        yield _SCRIBE.warning("appendfsync", told, "CONFIG SET appendfsync everysec")


def _memory(server: ValkeyServer) -> Iterator[Finding]:
    if server.policy is None:
        yield _SCRIBE.not_checked("eviction", "the server does not tell", "Look into the provider's parameter group.")
    elif server.policy != "noeviction":
        yield _SCRIBE.problem(
            "eviction",
            f"maxmemory-policy is {server.policy}: counters of risk and budget may vanish",
            "CONFIG SET maxmemory-policy noeviction, and the same in its file.",
        )
    else:
        yield _SCRIBE.ok("eviction", "noeviction")
    if server.evicted:
        yield _SCRIBE.warning(
            "evicted", f"{server.evicted:,} keys were evicted since it started", "Give it memory; see docs/capacity.md."
        )
    used = f"{server.memory_bytes / 1e6:,.0f} MB"
    if not server.memory_max_bytes:
        advice = "Set maxmemory to three quarters of its machine: full, it then refuses instead of being killed."
        yield _SCRIBE.warning("memory", f"{used} used, without a bound", advice)
        return
    full = server.memory_bytes / server.memory_max_bytes
    told = f"{used} of {server.memory_max_bytes / 1e6:,.0f} MB"
    yield _SCRIBE.at_most(
        "memory", told, full, (_FULL_WARN, _FULL_BAD), "Give it more memory: docs/capacity.md says how much."
    )
