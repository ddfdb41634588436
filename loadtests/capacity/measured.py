"""The measured inputs (measured.json) as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from loadtests.capacity.costs import Role

MEASURED_FILE: Final = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """One kind of batch at one point of the curve."""

    rows_mean: float
    rows_per_payment: float
    ms_mean: float

    @property
    def per_payment(self) -> float:
        """Batches per payment."""
        return self.rows_per_payment / self.rows_mean


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured with so many requests open; CPU in µs per payment."""

    open_requests: int
    per_second: float
    failed_share: float
    latency_ms: Mapping[str, float]
    cpu_us: Mapping[Role, float]
    others_share: float
    batches: Mapping[str, BatchSeen]
    wakes: Mapping[Role, float]


@dataclass(frozen=True, slots=True)
class PerPayment:
    """Bytes of one payment."""

    wal_bytes: float
    stored_bytes: float
    log_bytes: float
    hops_bytes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured; `about` says when, what and on what."""

    about: Mapping[str, Any]
    cores: int
    commit_ms: float
    signature_us: float
    idle_us_per_s: Mapping[Role, float]
    curve: tuple[Point, ...]
    per_payment: PerPayment
    database_connections: float


def read_measured(path: Path = MEASURED_FILE) -> Measured:
    """Read the checked-in measurements."""
    document = orjson.loads(path.read_bytes())
    bytes_, signature = document["per_payment"], document["signature_us"]
    return Measured(
        {name: document[name] for name in ("date", "revision", "machine", "conditions")},
        document["machine"]["cores"],
        document["commit_ms"],
        signature["sign"] + signature["verify"],
        {Role(name): value for name, value in document["idle_us_per_s"].items()},
        tuple(map(_point, document["curve"])),
        PerPayment(bytes_["wal_bytes"], bytes_["database_bytes"], bytes_["log_bytes"], bytes_["hops_bytes"]),
        bytes_["database_connections"],
    )


def _point(told: Mapping[str, Any]) -> Point:
    failed = sum(told["errors"].values())
    return Point(
        told["open"],
        told["per_second"],
        failed / (failed + told["completed"]),
        told["latency_ms"],
        {Role(name): value for name, value in told["cpu_us_per_payment"].items()},
        told["others_share"],
        {name: BatchSeen(**seen) for name, seen in told["batches"].items()},
        {Role(name): value for name, value in told["wake_ups_per_payment"].items()},
    )
