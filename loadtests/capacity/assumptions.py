"""What the plan takes for granted because nobody can measure it on one small machine: each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TypeVar

Value = TypeVar("Value", int, float)


def _assume(value: Value, why: str) -> Value:
    """A field with that default, and what it is and why it is so."""
    made: Value = field(default=value, metadata={"why": why})
    return made


@dataclass(frozen=True, slots=True)
class Assumptions:
    """All of them; change one and `make capacity` computes the plan anew."""

    zones: int = _assume(3, "Zones that fail one at a time; what is left carries the peak.")
    gateway_use_max: float = _assume(
        0.6,
        "Of a gateway process's core when a zone is away: an event loop past that makes payments wait for each other.",
    )
    database_cores: int = _assume(16, "Of PostgreSQL's machine.")
    database_use_max: float = _assume(
        0.5,
        "Of its cores: the rest is for vacuum, checkpoints, the standbys' senders, reports and the audit.",
    )
    cell_per_second_max: float = _assume(
        5_000.0,
        "Payments a second of one writer, whatever its CPU allows: nobody has measured one on more than two "
        "cores, and locks of the WAL and of hot rows show only there.",
    )
    database_connections_max: int = _assume(600, "Of one writer.")
    slices_max: int = _assume(
        64,
        "Parts of one campaign's budget that commits can draw from at once (docs/campaigns.md).",
    )
    valkey_use_max: float = _assume(0.6, "Of the one core that executes Valkey's commands.")
    worker_use_max: float = _assume(0.6, "Of a worker process's core.")
    webhook_us: float = _assume(116.0, "Worker CPU of one delivery, measured (docs/decisions/0015).")
    webhooks_per_payment: float = _assume(1.0, "Events that somebody has subscribed to.")
    stores_trip_ms: float = _assume(0.3, "From a gateway to a store and back, within one region.")
    standby_ms: float = _assume(1.0, "What a synchronous standby in another zone adds to a commit: a trip and a flush.")
    commit_ms_min: float = _assume(
        1.0,
        "A commit on a cloud's network disk takes no less, even where the measured machine was faster.",
    )
    replicas: int = _assume(
        3,
        "Copies of PostgreSQL's data: the writer, its synchronous standby, one more in the third zone.",
    )
    peak_over_year_mean: float = _assume(
        20.0,
        "A double-11 peak against the mean of the year: for disks only, machines are bought for the peak.",
    )
    kept_days: int = _assume(396, "Thirteen months in full (retention is a dropped partition).")
    wal_kept_days: int = _assume(7, "Of archived WAL, for a restore to any moment.")
    growth: float = _assume(1.3, "Free space, bloat, indexes that are not packed.")


def reasons(assumed: Assumptions) -> Iterator[tuple[str, float, str]]:
    """Name, value and reason of each."""
    for one in fields(assumed):
        yield one.name, getattr(assumed, one.name), one.metadata["why"]
