"""What happens around Locust's users: books opened, counts gathered from all processes, the live line, the shape."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import gevent  # type: ignore[import-untyped]
import orjson
from locust import LoadTestShape, argument_parser, events, runners
from locust.env import Environment

from gateway.processes.tether import die_with_parent
from loadtests.load.book import Book
from loadtests.load.desk import Process
from loadtests.load.knee import judge, steps_of
from loadtests.load.live import live_line
from loadtests.load.market import Market
from loadtests.load.plan import Model, Plan
from loadtests.load.shapes import Climb, shape_of
from loadtests.load.tally import Tally
from loadtests.load.users import Stream, Till

COUNTS: Final = "counts.json"
"""In the plan's folder: the tally of all processes, and the knee."""
_REPORT_S: Final = 1.0
_DRAIN_S: Final = 45.0
_SETTLED_S: Final = 3.0
"""Reports of other processes are on their way for so long."""
_SILENT_BEATS_MAX: Final = 20
"""Seconds after which a process is given up: on a machine under full load three, as Locust has it, prove nothing."""
_AT_ONCE: Final = 10_000
_FIELD: Final = "mashang"


class Gathered:
    """The counts of all processes together: the local one's, or what workers report."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._open: dict[str, int] = {}

    def take(self, sender: str, document: dict[str, Any]) -> None:
        """What one process counted since its last report."""
        self.tally.add(Tally.from_json(document))
        self._open[sender] = document["open"]
        self.tally.open = sum(self._open.values())


class PlannedShape(LoadTestShape):
    """Follows the plan's shape; then waits until the last customer has been served, so that all of them count."""

    abstract = True
    plan: Plan
    gathered: Gathered

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._shape = shape_of(self.plan.shape, self.plan.level, self.plan.seconds)
        self._over_s: float | None = None

    @property
    def elapsed_s(self) -> float:
        """Since the run began."""
        elapsed_s: float = self.get_run_time()  # type: ignore[no-untyped-call]
        return elapsed_s

    def tick(self) -> tuple[int, float] | None:
        """Users and how many of them to start or stop a second; None at the end."""
        elapsed_s = self.elapsed_s
        level = None if self._over_s is not None or self._is_bent(elapsed_s) else self._shape.level(elapsed_s)
        if level is not None:
            return level, _AT_ONCE
        self._over_s = self._over_s or elapsed_s
        waited_s = elapsed_s - self._over_s
        served = self.gathered.tally.open == 0 and waited_s > _SETTLED_S
        return None if served or waited_s > _DRAIN_S else (0, _AT_ONCE)

    def _is_bent(self, elapsed_s: float) -> bool:
        if not isinstance(self._shape, Climb):
            return False
        return judge(self._steps(self._shape, elapsed_s)).found

    @property
    def is_over(self) -> bool:
        """Whether it came to its end; not where Locust lost its processes before."""
        return self._over_s is not None

    def knee(self) -> dict[str, Any] | None:
        """What the climb found; None of another shape."""
        if not isinstance(self._shape, Climb):
            return None
        knee: dict[str, Any] = orjson.loads(orjson.dumps(judge(self._steps(self._shape, self.elapsed_s))))
        return knee

    def _steps(self, climb: Climb, elapsed_s: float) -> list[Any]:
        """The figures of the steps that are over, and of which all processes have reported."""
        began_s = time.time() - self.elapsed_s
        over_s = min(elapsed_s, self._over_s or elapsed_s)
        return steps_of(climb, self.gathered.tally, began_s, began_s + over_s - _SETTLED_S)


def shape_class(plan: Plan, gathered: Gathered) -> type[PlannedShape]:
    """The one shape of a run."""
    return type("Shape", (PlannedShape,), {"plan": plan, "gathered": gathered, "abstract": False})


def install(plan: Plan, user: type[Till | Stream], gathered: Gathered) -> None:
    """Hang everything into Locust's events; what must not be shared by forked processes is made when each begins."""
    runners.WORKER_REPORT_INTERVAL = _REPORT_S
    runners.HEARTBEAT_LIVENESS = _SILENT_BEATS_MAX
    # A worker makes Locust's whole parser anew for each option of each change of level: half a second of CPU
    argument_parser.default_args_dict = cache(argument_parser.default_args_dict)
    # A level is to be reached at once, whatever Locust says of that
    logging.getLogger("locust.runners").addFilter(lambda record: "spawn rate" not in str(record.msg))

    def begin(environment: Environment, **_: object) -> None:
        runner = environment.runner
        assert runner is not None
        if isinstance(runner, runners.WorkerRunner):
            # Forked by the one that leads, and not to be left behind where that is killed
            die_with_parent(signal.SIGTERM, os.getppid())
        # Locust calls the listeners of `quitting` in reverse: the counts are written when all else has been done
        if not isinstance(runner, runners.WorkerRunner):
            _write_counts_at_the_end(plan, gathered, environment)
            gevent.spawn(_tell, plan, gathered, lambda: runner.user_count)
        if not isinstance(runner, runners.MasterRunner):
            _begin_selling(plan, user, gathered, is_alone=not isinstance(runner, runners.WorkerRunner))
        if not isinstance(runner, runners.WorkerRunner):
            # After Ctrl-C the tills are still at work
            events.quitting.add_listener(lambda **_: runner.stop())  # type: ignore[no-untyped-call]

    events.init.add_listener(begin)  # type: ignore[no-untyped-call]
    events.worker_report.add_listener(lambda client_id, data, **_: gathered.take(client_id, data[_FIELD]))  # type: ignore[no-untyped-call]


def _begin_selling(plan: Plan, user: type[Till | Stream], gathered: Gathered, *, is_alone: bool) -> None:
    """This process has users: give them what they share, and send on what they count."""
    chooser = random.Random(f"{plan.seed} {os.getpid()}")
    plan.folder.mkdir(parents=True, exist_ok=True)  # on another machine there is none yet
    process = Process(plan, Market(plan, chooser), Tally(), Book(plan.folder), chooser)
    user.process = process
    if is_alone:
        gevent.spawn(_gather, process, gathered)
        events.quitting.add_listener(lambda **_: gathered.take("local", process.tally.taken()))  # type: ignore[no-untyped-call]
    else:
        events.report_to_master.add_listener(lambda data, **_: data.update({_FIELD: process.tally.taken()}))  # type: ignore[no-untyped-call]
    events.quitting.add_listener(lambda **_: process.book.close())  # type: ignore[no-untyped-call]
    events.quitting.add_listener(lambda **_: Stream.served.join(_DRAIN_S))  # type: ignore[no-untyped-call]


def _gather(process: Process, gathered: Gathered) -> None:
    while True:
        gevent.sleep(_REPORT_S)
        gathered.take("local", process.tally.taken())


def _tell(plan: Plan, gathered: Gathered, users: Callable[[], int]) -> None:
    """A line a second on the terminal, from the first customer on."""
    what = "tills" if plan.model is Model.CLOSED else "customers/s"
    while True:
        gevent.sleep(_REPORT_S)
        if gathered.tally.seconds:
            print(live_line(gathered.tally, time.time(), f"{users():,} {what}"), flush=True)


def _write_counts_at_the_end(plan: Plan, gathered: Gathered, environment: Environment) -> None:
    def write(**_: object) -> None:
        shape = environment.shape_class
        knee, is_over = (shape.knee(), shape.is_over) if isinstance(shape, PlannedShape) else (None, True)
        document = {"tally": gathered.tally.to_json(), "knee": knee, "is_over": is_over}
        Path(plan.folder, COUNTS).write_bytes(orjson.dumps(document))

    events.quitting.add_listener(write)  # type: ignore[no-untyped-call]
