"""A curve that nobody measured: made of known costs, so that what is calibrated from it is known, too."""

from __future__ import annotations

from loadtests.capacity.costs import INTENT, OUTCOME, PIPELINE, Role
from loadtests.capacity.measured import BatchSeen, Measured, PerPayment, Point

IDLE = dict.fromkeys((Role.GATEWAY, Role.WORKER, Role.POSTGRESQL, Role.VALKEY, Role.SIMULATORS), 5_000.0)


def point(open_requests: int) -> Point:
    """A payment costs the gateway 2,000 µs and 50 for each exchange, PostgreSQL 90 and 300 for each statement."""
    rows, per_second = max(1.0, open_requests / 8), 10.0 * open_requests
    statements, pipelines, wakes = 3 / rows, 2 / rows, 8.0 / (1 + open_requests / 4)
    busy = {
        Role.GATEWAY: 2_000 + 50 * (statements + pipelines),
        Role.POSTGRESQL: 90 + 300 * statements,
        Role.VALKEY: 40 + 20 * pipelines,
        Role.WORKER: 30.0,
        Role.SIMULATORS: 400 + 60 * 2 * wakes / (8.0 / 1.5),
    }
    cpu = {role: used + IDLE[role] / per_second for role, used in busy.items()}
    return Point(
        open_requests,
        per_second,
        0.0,
        {"p50": 80.0, "p90": 95.0, "p99": 100.0},
        {**cpu, Role.GENERATOR: 40.0},
        0.0,
        {
            **{name: BatchSeen(rows, 1.0, 2.0) for name in ("history", INTENT, OUTCOME)},
            PIPELINE: BatchSeen(rows, 2.0, 1.0),
        },
        dict.fromkeys(Role, wakes),
    )


MEASURED = Measured(
    about={},
    cores=2,
    commit_ms=1.5,
    signature_us=350.0,
    idle_us_per_s=IDLE,
    curve=tuple(map(point, (1, 2, 8, 16, 32, 64, 128, 256, 512))),
    per_payment=PerPayment(8_000, 7_000, 200, {}),
    database_connections=18,
)
