"""A payment on its way through one database's gateways, in virtual time; and what it took."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from loadtests.capacity.batching import BatchCost, Batches, Tally
from loadtests.capacity.costs import INTENT, OUTCOME, PHASE_SHARES, PIPELINE, WRITING, Costs, Role
from loadtests.capacity.events import Simulation, Steps, Wait
from loadtests.capacity.machine import Cores, Disk, OwnCore, Process

_IDLE_TURN_S: Final = 0.1
_STRANGERS_TURN_S: Final = 0.004
"""Strangers' processes come in turns of so much CPU, a scheduler's slice, neither regular nor wholly at random."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Who runs where.  `shared_cores`: everybody on one machine with so many; None: each role on its own.

    Apart, each gateway process has a core, PostgreSQL `database_cores`, Valkey one, and channels are somebody else's.
    """

    gateways: int = 1
    shared_cores: int | None = None
    database_cores: int = 4
    trip_s: float = 0.0
    """From a gateway to a store and back."""
    valkey_shards: int = 1
    strangers_share: float = 0.0
    """Of the shared machine, in use by others."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """So many open at once, each followed by the next; or so many a second at random moments."""

    open_requests: int = 0
    per_second: float = 0.0


@dataclass(slots=True)
class Played:
    """What a simulated stretch of time brought; CPU in seconds."""

    seconds: float
    latencies_s: list[float] = field(default_factory=list)
    cpu_s: dict[Role, float] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    flushes: int = 0
    in_flight_mean: float = 0.0

    @property
    def completed(self) -> int:
        """Payments that came to their end."""
        return len(self.latencies_s)

    @property
    def per_second(self) -> float:
        """The same in a second."""
        return self.completed / self.seconds

    def cpu_us(self, role: Role) -> float:
        """µs of CPU of a role per completed payment."""
        return 1e6 * self.cpu_s[role] / max(self.completed, 1)

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many percent of the payments did not exceed."""
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0

    def rows_mean(self, batch: str) -> float:
        """Rows in a batch of that kind."""
        return self.tallies[batch].rows_mean


class _Lines:
    """The batches of one gateway process."""

    def __init__(self, node: Node, gateway: Process) -> None:
        costs = node.costs
        reading = [name for name in costs.statements if name not in WRITING]
        self.gateway = gateway
        self.statements = {
            name: Batches(
                node.simulation, gateway, node.process(Role.POSTGRESQL), node.statement_cost(),
                disk=None if name in reading else node.disk,
                linger_s_max=0.0 if name in reading else costs.linger_s_max,
                rows_max=costs.rows_max, trip_s=node.layout.trip_s, standby_s=costs.standby_s, policy=costs.policy,
            )
            for name in costs.statements
        }  # fmt: skip
        valkey = costs.by_role[Role.VALKEY]
        cost = BatchCost(costs.gateway_pipeline_s, valkey.batch_s, valkey.payment_s / costs.commands)
        self._pipelines = [
            Batches(node.simulation, gateway, shard, cost, trip_s=node.layout.trip_s) for shard in node.valkey
        ]
        self._random = node.random

    def all(self) -> Iterator[tuple[str, Batches]]:
        """Every kind of batch by its name."""
        yield from self.statements.items()
        for pipeline in self._pipelines:
            yield PIPELINE, pipeline

    @property
    def pipeline(self) -> Batches:
        """The line to the shard of the next command's key."""
        return self._pipelines[0] if len(self._pipelines) == 1 else self._random.choice(self._pipelines)


class Node:
    """One database with its gateways, Valkey, worker and the load on them.  The same seed plays the same."""

    def __init__(
        self, costs: Costs, layout: Layout, seed: int = 1, phase_shares: tuple[float, ...] = PHASE_SHARES
    ) -> None:
        self.costs = costs
        self.layout = layout
        self.simulation = Simulation()
        self.random = random.Random(seed)
        self._phase_shares = phase_shares
        self._shared = None if layout.shared_cores is None else Cores(self.simulation, layout.shared_cores)
        self._database_cores = self._shared or Cores(self.simulation, layout.database_cores)
        self._processes: dict[Role, list[Process]] = {role: [] for role in Role}
        self.disk = Disk(self.simulation, lambda: self.random.gammavariate(4.0, costs.commit_s / 4.0))
        self.valkey = [self.process(Role.VALKEY) for _ in range(layout.valkey_shards)]
        self._worker, self._channel, self._tills = map(self.process, (Role.WORKER, Role.SIMULATORS, Role.GENERATOR))
        self._lines = [_Lines(self, self.process(Role.GATEWAY)) for _ in range(layout.gateways)]
        self._in_flight = 0
        self._done: list[tuple[float, float]] = []
        self._areas = 0.0
        self._changed_s = 0.0

    def process(self, role: Role) -> Process:
        """A new process of that role, on the cores where it belongs."""
        cores = self._database_cores if role is Role.POSTGRESQL else self._shared or OwnCore(self.simulation)
        process = Process(cores, self.costs.by_role[role].wake_s)
        self._processes[role].append(process)
        return process

    def statement_cost(self) -> BatchCost:
        """What a statement's batch costs: PostgreSQL's share of a payment goes to the rows evenly."""
        database, rows = self.costs.by_role[Role.POSTGRESQL], sum(self.costs.statements.values())
        return BatchCost(self.costs.by_role[Role.GATEWAY].batch_s, database.batch_s, database.payment_s / rows)

    def play(self, arrivals: Arrivals, seconds: float, warm_up_s: float) -> Played:
        """Let payments come, and tell what the time after the warm-up brought."""
        self._idle()
        for number in range(arrivals.open_requests):
            # tills do not all press the key in the same instant
            self.simulation.after(number * 0.0002, lambda number=number: self.simulation.start(self._till(number)))  # type: ignore[misc]
        if arrivals.per_second:
            self.simulation.start(self._crowd(arrivals.per_second))
        self.simulation.run_until(warm_up_s)
        before, tallies, flushes = self._cpu_s(), self._tallies(), self.disk.flushes
        self._count(0)
        self._areas = 0.0
        self.simulation.run_until(warm_up_s + seconds)
        self._count(0)
        after, later = self._cpu_s(), self._tallies()
        return Played(
            seconds,
            [took_s for at_s, took_s in self._done if at_s > warm_up_s],
            {role: after[role] - before[role] for role in Role},
            {name: total - tallies[name] for name, total in later.items()},
            self.disk.flushes - flushes,
            self._areas / seconds,
        )  # fmt: skip

    def _till(self, number: int) -> Steps:
        """One till that is never without a payment."""
        lines = self._lines[number % len(self._lines)]
        while True:
            yield from self._payment(lines)

    def _crowd(self, per_second: float) -> Steps:
        """Payments at random moments, each at a gateway process in turn."""
        number = 0
        while True:
            yield self.simulation.pause(self.random.expovariate(per_second))
            self.simulation.start(self._payment(self._lines[number % len(self._lines)]))
            number += 1

    def _payment(self, lines: _Lines) -> Steps:
        """The way of one payment (gateway/payments/flow.py), and what is done about it afterwards."""
        costs, gateway = self.costs, lines.gateway
        whole_s = costs.by_role[Role.GATEWAY].payment_s
        receive_s, decide_s, send_s, answer_s = (share * whole_s for share in self._phase_shares)
        began_s = self.simulation.now_s
        self._count(1)
        yield self._tills.work(costs.by_role[Role.GENERATOR].payment_s)
        yield gateway.work(receive_s)
        yield lines.pipeline.submit()
        for name, share in costs.statements.items():
            if name not in WRITING and self.random.random() < share:
                yield lines.statements[name].submit()
        yield gateway.work(decide_s)
        told = 1.0
        if costs.commands >= 2.0:
            told = 2.0
            yield lines.pipeline.submit()
        yield lines.statements[INTENT].submit()
        yield gateway.work(send_s)
        yield self._channel.work(costs.by_role[Role.SIMULATORS].payment_s / 2)
        yield self._pause_of_channel()
        yield self._channel.work(costs.by_role[Role.SIMULATORS].payment_s / 2)
        yield lines.statements[OUTCOME].submit()
        yield gateway.work(answer_s)
        self._done.append((self.simulation.now_s, self.simulation.now_s - began_s))
        self._count(-1)
        self._afterwards(lines, costs.commands - told)

    def _pause_of_channel(self) -> Wait:
        return self.simulation.pause(self.random.uniform(*self.costs.channel_s))

    def _afterwards(self, lines: _Lines, commands: float) -> None:
        """Nobody waits for this: what became of the reservation, and the worker's share."""
        while commands > 0 and self.random.random() < commands:
            lines.pipeline.put(_nothing)
            commands -= 1
        self._worker.do(self.costs.by_role[Role.WORKER].payment_s, _nothing)

    def _idle(self) -> None:
        """Timers and polls of each role, and strangers on the same machine."""
        for role, share in self.costs.idle_share.items():
            self.simulation.start(self._turns(self._processes[role][0], share * _IDLE_TURN_S))
        if self._shared is not None and self.layout.strangers_share:
            self.simulation.start(self._strangers(self._shared))

    def _turns(self, process: Process, work_s: float) -> Steps:
        while True:
            yield self.simulation.pause(_IDLE_TURN_S)
            process.do(work_s, _nothing)

    def _strangers(self, cores: Cores) -> Steps:
        """Work of others, as much as they were seen to do."""
        gap_s = _STRANGERS_TURN_S / (self.layout.strangers_share * cores.number)
        while True:
            yield self.simulation.pause(self.random.gammavariate(3.0, gap_s / 3.0))
            cores.run(_STRANGERS_TURN_S, _nothing)

    def _count(self, change: int) -> None:
        """Payments on their way, and the area under that curve (Little's law)."""
        now_s = self.simulation.now_s
        self._areas += self._in_flight * (now_s - self._changed_s)
        self._changed_s = now_s
        self._in_flight += change

    def _cpu_s(self) -> dict[Role, float]:
        return {role: sum(process.used_s for process in processes) for role, processes in self._processes.items()}

    def _tallies(self) -> dict[str, Tally]:
        totals: dict[str, Tally] = {}
        for lines in self._lines:
            for name, batches in lines.all():
                total = totals.setdefault(name, Tally())
                total.batches += batches.tally.batches
                total.rows += batches.tally.rows
        return totals


def _nothing() -> None:
    """Nobody waits."""
