"""The plan: what so many payments a second at the peak need, from the measured costs at each cell's own batch size.

A cell is one installation: a PostgreSQL writer with its standbys, Valkey, gateways, workers; for merchants of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.batching import AlwaysLingering
from loadtests.capacity.costs import INTENT, OUTCOME, PIPELINE, Costs, Linear, Role
from loadtests.capacity.measured import Measured
from loadtests.capacity.node import Arrivals, Layout, Node, Played

SCALES: Final = (1_000, 5_000, 10_000, 20_000, 50_000)
"""Payments a second at the peak."""
_US: Final = 1e-6
_DAY_S: Final = 86_400
_PROCESSES: Final = 3
"""Gateway processes that are played to find how many payments one takes."""
_PAYMENTS: Final = 400
_HALVINGS: Final = 6
_CELL_S: Final = 1.0
_USES: Final = (0.4, 0.6, 0.8, 0.9)
_LINGER_MS: Final = 10
_WARM_UP_S: Final = 0.5
_MEASURED_PROCESSES: Final = 2
"""A gateway and a worker held the connections that were counted."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One installation at its peak with a zone away, as the simulation plays it."""

    per_second: float
    gateways: int
    """Processes that are left when a zone is away."""
    valkey_shards: int
    gateway_us: float
    database_us: float
    valkey_us: float
    worker_us: float
    batch_rows: Mapping[str, float]
    flushes_per_s: float
    in_flight: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of something a cell uses of what it may: the greatest is the next bottleneck."""

    name: str
    use: float
    more: str
    """What to do when it is full."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Everything that a peak needs, over all cells."""

    per_second: int
    cells: int
    cell: Cell
    gateway_processes: int
    gateway_cores_busy: float
    worker_processes: int
    worker_cores_busy: float
    database_machines: int
    database_cores_busy: float
    valkey_shards: int
    valkey_use: float
    wal_mb_per_s: float
    flushes_per_s: float
    database_connections: int
    channel_connections: float
    disk_gb_per_day: float
    disk_tb_kept: float
    wal_archive_tb: float
    network_mbit_per_s: Mapping[str, float]
    webhooks_per_s: float
    slices: int
    """Of a campaign that every payment draws from."""
    limits: tuple[Limit, ...]

    @property
    def bottleneck(self) -> Limit:
        """What is full first when more is asked of a cell."""
        return max(self.limits, key=lambda limit: limit.use)


def plan_all(measured: Measured, costs: Costs, assumed: Assumptions) -> list[Scale]:
    """The plan for every scale: as few cells as carry it, evenly filled."""
    apart = costs_apart(costs, assumed)
    process = busiest_process(apart, assumed)
    most = min(
        assumed.cell_per_second_max,
        assumed.database_cores * assumed.database_use_max / (process.cpu_us(Role.POSTGRESQL) * _US),
    )
    sizes = {scale: scale / ceil(scale / most) for scale in SCALES}
    # evenly filled cells of two scales are often the same: each is played once
    cells = {size: play_cell(size, process, apart, assumed) for size in set(sizes.values())}
    return [plan_scale(scale, cells[sizes[scale]], measured, apart, assumed) for scale in SCALES]


def plan_scale(per_second: int, cell: Cell, measured: Measured, apart: Costs, assumed: Assumptions) -> Scale:
    """The plan for one peak, shared evenly by cells of that kind."""
    cells = ceil(per_second / cell.per_second)
    per_zone = ceil(cell.gateways / (assumed.zones - 1))
    worker_us = cell.worker_us + assumed.webhook_us * assumed.webhooks_per_payment
    # at least one in each of two zones: the worker's tasks are leased
    workers = max(2, ceil(cell.per_second * worker_us * _US / assumed.worker_use_max) + 1)
    gateways = per_zone * assumed.zones
    bytes_, connections = measured.per_payment, measured.database_connections / _MEASURED_PROCESSES
    stored = per_second / assumed.peak_over_year_mean * _DAY_S * bytes_.stored_bytes * assumed.growth
    archived = per_second / assumed.peak_over_year_mean * _DAY_S * bytes_.wal_bytes * assumed.wal_kept_days
    scale = Scale(
        per_second=per_second,
        cells=cells,
        cell=cell,
        gateway_processes=cells * gateways,
        gateway_cores_busy=per_second * cell.gateway_us * _US,
        worker_processes=cells * workers,
        worker_cores_busy=per_second * worker_us * _US,
        database_machines=cells * assumed.replicas,
        database_cores_busy=cell.per_second * cell.database_us * _US,
        valkey_shards=cells * cell.valkey_shards,
        valkey_use=cell.per_second * cell.valkey_us * _US / cell.valkey_shards,
        wal_mb_per_s=cell.per_second * bytes_.wal_bytes / 1e6,
        flushes_per_s=cell.flushes_per_s,
        database_connections=ceil((gateways + workers) * connections),
        channel_connections=per_second * sum(apart.channel_s) / 2,
        disk_gb_per_day=stored / 1e9,
        disk_tb_kept=stored * assumed.kept_days * assumed.replicas / 1e12,
        wal_archive_tb=archived / 1e12,
        network_mbit_per_s={name: 8 * per_second * size / 1e6 for name, size in bytes_.hops_bytes.items()},
        webhooks_per_s=per_second * assumed.webhooks_per_payment,
        slices=_slices(cell, apart),
        limits=(),
    )
    return replace(scale, limits=_limits(scale, assumed))


def costs_apart(costs: Costs, assumed: Assumptions) -> Costs:
    """The costs where each role has machines of its own, no disk is faster than a cloud's, a standby answers,
    and tills and channels are somebody else's.
    """
    elsewhere = {Role.SIMULATORS: Linear(0.0), Role.GENERATOR: Linear(0.0)}
    return replace(
        costs,
        by_role={**costs.by_role, **elsewhere},
        commit_s=max(costs.commit_s, assumed.commit_ms_min / 1000),
        standby_s=assumed.standby_ms / 1000,
        idle_share=dict.fromkeys(costs.idle_share, 0.0),
    )


def busiest_process(costs: Costs, assumed: Assumptions) -> Played:
    """A few gateway processes, each as busy as it may be: fewer payments make smaller batches, which cost more each.

    What a payment costs depends on what each process takes, so that is found first, by halving.
    """
    few = Layout(_PROCESSES)
    least, most = 1.0, assumed.gateway_use_max / costs.by_role[Role.GATEWAY].payment_s
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        played = _play(few, _PROCESSES * middle, costs, assumed, _PAYMENTS / _PROCESSES / middle)
        least, most = (middle, most) if _use(played, _PROCESSES) <= assumed.gateway_use_max else (least, middle)
    return _play(few, _PROCESSES * least, costs, assumed, 2 * _PAYMENTS / _PROCESSES / least)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One gateway process kept so busy, with batches that wait for company in one way or another."""

    policy: str
    use: float
    per_second: float
    gateway_us: float
    database_us: float
    batch_rows: float
    p50_ms: float
    p99_ms: float


def play_processes(costs: Costs, assumed: Assumptions) -> list[WhatIf]:
    """A process by how busy it is kept; and as the plan has it, but with batches that always wait."""
    apart = costs_apart(costs, assumed)
    patient = replace(apart, policy=AlwaysLingering, linger_s_max=_LINGER_MS / 1000)
    return [
        *(_what_if("as it is", apart, replace(assumed, gateway_use_max=use)) for use in _USES),
        _what_if(f"always {_LINGER_MS} ms", patient, assumed),
    ]


def _what_if(policy: str, costs: Costs, assumed: Assumptions) -> WhatIf:
    played = busiest_process(costs, assumed)
    return WhatIf(
        policy,
        assumed.gateway_use_max,
        played.per_second / _PROCESSES,
        played.cpu_us(Role.GATEWAY),
        played.cpu_us(Role.POSTGRESQL),
        played.rows_mean(INTENT),
        played.percentile_ms(50),
        played.percentile_ms(99),
    )


def play_cell(per_second: float, process: Played, costs: Costs, assumed: Assumptions) -> Cell:
    """Play a cell's peak with a zone away, in which each gateway process is about as busy as it may be."""
    gateways = ceil(per_second * _PROCESSES / process.per_second)
    shards = ceil(per_second * process.cpu_us(Role.VALKEY) * _US / assumed.valkey_use_max)
    played = _play(Layout(gateways, valkey_shards=shards), per_second, costs, assumed, _CELL_S)
    return Cell(
        per_second=per_second,
        gateways=gateways,
        valkey_shards=shards,
        gateway_us=played.cpu_us(Role.GATEWAY),
        database_us=played.cpu_us(Role.POSTGRESQL),
        valkey_us=played.cpu_us(Role.VALKEY),
        worker_us=played.cpu_us(Role.WORKER),
        batch_rows={name: played.rows_mean(name) for name in (INTENT, OUTCOME, PIPELINE)},
        flushes_per_s=played.flushes / _CELL_S,
        in_flight=played.in_flight_mean,
        p50_ms=played.percentile_ms(50),
        p99_ms=played.percentile_ms(99),
    )


def _play(layout: Layout, per_second: float, costs: Costs, assumed: Assumptions, seconds: float) -> Played:
    layout = replace(layout, database_cores=assumed.database_cores, trip_s=assumed.stores_trip_ms / 1000)
    return Node(costs, layout).play(Arrivals(per_second=per_second), seconds, _WARM_UP_S)


def _use(played: Played, gateways: int) -> float:
    """The share of its core that a gateway process used."""
    return played.cpu_s[Role.GATEWAY] / played.seconds / gateways


def _limits(scale: Scale, assumed: Assumptions) -> tuple[Limit, ...]:
    """Of a cell: 1.0 is full."""
    cores = assumed.database_cores * assumed.database_use_max
    return (
        Limit("one writer, as far as anybody knows", scale.cell.per_second / assumed.cell_per_second_max,
              "measure a writer on a machine of its size, or a further cell"),
        Limit("the writer's cores", scale.database_cores_busy / cores, "a larger machine, or a further cell"),
        Limit("the writer's connections", scale.database_connections / assumed.database_connections_max,
              "a pooler, or a further cell"),
        Limit("Valkey's cores", scale.valkey_use / assumed.valkey_use_max, "a further shard, or a further cell"),
        Limit("slices of a hot campaign", scale.slices / assumed.slices_max, "a further cell"),
    )  # fmt: skip


def _slices(cell: Cell, costs: Costs) -> int:
    """How many slices a campaign needs that every payment draws from.

    A batch of intents holds its slice's row until it is durable, so a slice takes one batch in that time.
    """
    held_s = costs.commit_s * 1.5 + costs.standby_s + cell.database_us * _US
    return ceil(cell.per_second * held_s / cell.batch_rows[INTENT])
