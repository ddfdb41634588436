"""PostgreSQL: is it the database that payments need, and does what was committed outlive the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.database.schema_state import SchemaMismatch, SchemaState
from gateway.doctor.finding import Area, Finding, Scribe

_SCRIBE: Final = Scribe(Area.POSTGRESQL)
VERSION_MIN: Final = 15
_CLOCK_WARN_S: Final = 1.0
_CLOCK_BAD_S: Final = 5.0
_ROUND_TRIP_WARN_MS: Final = 5.0
_ROUND_TRIP_BAD_MS: Final = 50.0
_IDLE_BAD_S: Final = 300.0
_IDLE_WARN_S: Final = 30.0
_OPEN_WARN_S: Final = 3_600.0
_LAG_WARN_S: Final = 10.0
_XID_WARN: Final = 1_000_000_000
_XID_BAD: Final = 1_700_000_000
"""Of 2.1 billion: then PostgreSQL takes no more writes."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A server that follows; `sync_state` and `lag_s` are None where our role may not see them."""

    name: str
    sync_state: str | None
    lag_s: float | None


@dataclass(frozen=True, slots=True)
class PostgresFacts:
    """`settings` holds what our role may read of pg_settings.  Ages and offsets are seconds; `clock_offset_s` is its
    clock less ours, good to half of `round_trip_ms`.
    """

    version: int
    settings: Mapping[str, str]
    is_standby: bool
    standbys: Sequence[Standby]
    clock_offset_s: float
    round_trip_ms: float
    schema: SchemaState
    missing_partitions: Sequence[str]
    strays: Sequence[str]
    """Default partitions that hold rows."""
    idle_in_transaction_s: float
    oldest_transaction_s: float
    hidden_sessions: int
    """Sessions of other roles, of which ours sees that they are there and no more."""
    xid_age: int
    connections: int
    archive_failing: bool
    uses_tls: bool
    is_remote: bool
    bytes: int = 0
    processes: int = 2
    connections_per_process: int = field(default=11)


def judge_postgresql(facts: PostgresFacts) -> list[Finding]:
    """All that can be said of it."""
    return [
        *_server(facts),
        *_schema(facts),
        *_durability(facts),
        *_standby(facts),
        *_archive(facts),
        *_connections(facts),
        *_transactions(facts),
        *_clock(facts),
    ]


def _server(facts: PostgresFacts) -> Iterator[Finding]:
    tls = "over TLS" if facts.uses_tls else "without TLS" if facts.is_remote else "on this machine"
    told = f"PostgreSQL {facts.version} answers {tls} in {facts.round_trip_ms:.1f} ms; {facts.bytes / 1e6:,.0f} MB"
    if facts.version < VERSION_MIN:
        yield _SCRIBE.problem(
            "version", told, f"Mashang needs PostgreSQL {VERSION_MIN} or later: upgrade with pg_upgrade."
        )
    else:
        yield _SCRIBE.ok("version", told)
    if facts.is_standby:
        yield _SCRIBE.problem(
            "role", "this server is a standby and takes no writes", "Point MASHANG_DATABASE_URL at the primary."
        )
    advice = "Put gateways and PostgreSQL into one zone: each payment waits for two commits."
    trip = f"a round trip takes {facts.round_trip_ms:.1f} ms"
    yield _SCRIBE.at_most("latency", trip, facts.round_trip_ms, (_ROUND_TRIP_WARN_MS, _ROUND_TRIP_BAD_MS), advice)


def _schema(facts: PostgresFacts) -> Iterator[Finding]:
    state = facts.schema
    told = f"the schema is at migration {max(state.ran, default=0):04}, this code at {len(state.known):04}"
    try:
        state.require_fit()
    except SchemaMismatch as mismatch:
        advice = "Run: mashang migrate" if state.pending else "Run the newer version (docs/upgrading.md)."
        yield _SCRIBE.problem("schema", str(mismatch), advice)
    else:
        if state.newer:
            yield _SCRIBE.warning("schema", told, "A newer version migrated it: finish its roll-out.")
        else:
            yield _SCRIBE.ok("schema", told)
    if state.invalid_indexes:
        told = f"the making of {', '.join(state.invalid_indexes)} was broken off"
        yield _SCRIBE.problem("indexes", told, "Run: mashang migrate")
    if facts.missing_partitions:
        first, more = facts.missing_partitions[:3], len(facts.missing_partitions[3:])
        told = f"there is no partition {', '.join(first)}{f' and {more} more' if more else ''}"
        yield _SCRIBE.problem(
            "partitions", told, "See that a worker runs (it makes them hourly), or run: mashang migrate"
        )
    else:
        yield _SCRIBE.ok("partitions", "this month and the next have their partitions")
    if facts.strays:
        told = f"rows lie in the default partition of {', '.join(facts.strays)}"
        yield _SCRIBE.warning("strays", told, "Nobody made their month in time: docs/growing.md says how they move.")


def _durability(facts: PostgresFacts) -> Iterator[Finding]:
    for name, loss in (
        ("fsync", "a power cut can destroy the whole database"),
        ("full_page_writes", "a torn page after a power cut cannot be repaired"),
    ):
        value = facts.settings.get(name)
        if value == "on":
            yield _SCRIBE.ok(name, "on")
        elif value is None:
            yield _SCRIBE.not_checked(name, "our role may not read it", "GRANT pg_monitor to it.")
        else:
            yield _SCRIBE.problem(name, f"{value}: {loss}", f"ALTER SYSTEM SET {name} = on, and reload.")
    if facts.settings.get("data_checksums") == "off":
        yield _SCRIBE.warning(
            "data_checksums", "off: a page that a disk changed is not noticed", "Stop it and run: pg_checksums --enable"
        )
    if facts.settings.get("autovacuum") == "off":
        yield _SCRIBE.problem("autovacuum", "off: tables grow until writes stop", "ALTER SYSTEM SET autovacuum = on.")


def _standby(facts: PostgresFacts) -> Iterator[Finding]:
    names = facts.settings.get("synchronous_standby_names")
    advice = (
        "Set up a standby and synchronous_standby_names = 'ANY 1 (…)'. Where the provider's storage keeps the copies: "
        "--accept postgresql.standby"
    )
    if facts.standbys and all(standby.sync_state is None for standby in facts.standbys):
        yield _SCRIBE.not_checked("standby", "our role sees that standbys follow, not how", "GRANT pg_monitor to it.")
        return
    following = [standby for standby in facts.standbys if standby.sync_state in {"sync", "quorum"}]
    if following:
        told = f"{', '.join(standby.name for standby in following)} confirm each commit"
        yield _SCRIBE.ok("standby", told)
    elif names:
        yield _SCRIBE.problem(
            "standby",
            f"synchronous_standby_names is {names}, and nobody follows synchronously: commits wait for ever",
            "Bring the standby back; in need, empty the setting and reload, knowing what a crash then loses.",
        )
    else:
        told = "no synchronous standby: if this machine is lost, so are payments that were answered"
        yield _SCRIBE.problem("standby", told, advice)
    slow = [standby for standby in facts.standbys if (standby.lag_s or 0.0) > _LAG_WARN_S]
    if slow:
        told = ", ".join(f"{standby.name} is {standby.lag_s:.0f} s behind" for standby in slow)
        yield _SCRIBE.warning("lag", told, "Look at its network and disk: a fail-over would wait for it.")


def _archive(facts: PostgresFacts) -> Iterator[Finding]:
    mode = facts.settings.get("archive_mode")
    if facts.archive_failing:
        yield _SCRIBE.problem(
            "archive", "the last WAL segment could not be archived", "Mend archive_command: the disk fills meanwhile."
        )
    elif mode in {"on", "always"}:
        yield _SCRIBE.ok("archive", "WAL is archived")
    elif mode is None:
        yield _SCRIBE.not_checked("archive", "our role may not read archive_mode", "GRANT pg_monitor to it.")
    else:
        yield _SCRIBE.warning(
            "archive",
            "WAL is not archived by the server: no recovery to a point in time, unless a tool streams it",
            "Set archive_mode and archive_command, or stream with pg_receivewal: docs/operating.md, “Backup”.",
        )


def _connections(facts: PostgresFacts) -> Iterator[Finding]:
    most = int(facts.settings.get("max_connections", "0")) - int(
        facts.settings.get("superuser_reserved_connections", "3")
    )
    needed = facts.processes * facts.connections_per_process
    told = (
        f"{facts.processes} processes may open {needed} connections ({facts.connections_per_process} each) of {most}; "
        f"{facts.connections} are open"
    )
    advice = (
        "Raise max_connections, lower MASHANG_DATABASE_POOL_SIZE, or run fewer processes (--processes says how many)."
    )
    yield _SCRIBE.at_most("connections", told, needed, (0.8 * most, most), advice)


def _transactions(facts: PostgresFacts) -> Iterator[Finding]:
    if facts.hidden_sessions:
        told = f"our role does not see what {facts.hidden_sessions} sessions of other roles do"
        yield _SCRIBE.not_checked("others", told, "GRANT pg_monitor to it.")
    idle = f"the longest idle transaction is {facts.idle_in_transaction_s:.0f} s old"
    advice = "Find it in pg_stat_activity (state = 'idle in transaction') and end it: its locks stop payments."
    yield _SCRIBE.at_most("idle", idle, facts.idle_in_transaction_s, (_IDLE_WARN_S, _IDLE_BAD_S), advice)
    if facts.oldest_transaction_s > _OPEN_WARN_S:
        told = f"a transaction is open for {facts.oldest_transaction_s / 3600:.1f} hours"
        yield _SCRIBE.warning("open", told, "Vacuum removes nothing behind it: end it, unless it is a backup.")
    advice = "Run VACUUM (FREEZE) on the tables with the highest age(relfrozenxid)."
    age = f"the oldest row's transaction is {facts.xid_age:,} transactions ago"
    yield _SCRIBE.at_most("xid", age, facts.xid_age, (_XID_WARN, _XID_BAD), advice)


def _clock(facts: PostgresFacts) -> Iterator[Finding]:
    told = f"its clock and ours differ by {abs(facts.clock_offset_s):.2f} s"
    advice = "Run chrony or systemd-timesyncd on both machines."
    yield _SCRIBE.at_most("clock", told, abs(facts.clock_offset_s), (_CLOCK_WARN_S, _CLOCK_BAD_S), advice)
    zone = facts.settings.get("TimeZone", "?")
    if zone in {"UTC", "Etc/UTC", "GMT"}:
        yield _SCRIBE.ok("timezone", zone)
    else:
        yield _SCRIBE.warning(
            "timezone",
            f"{zone}: times in psql and in its log differ from the API's, which are UTC",
            "ALTER DATABASE … SET timezone = 'UTC' (nothing that is stored changes).",
        )
