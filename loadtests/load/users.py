"""Locust's users: tills of the closed model, streams of arrivals of the open one.  Runs under Locust."""

from __future__ import annotations

import time
from typing import ClassVar, Final

import gevent  # type: ignore[import-untyped]
from gevent.pool import Pool  # type: ignore[import-untyped]
from geventhttpclient.client import HTTPClientPool
from locust import task
from locust.contrib.fasthttp import FastHttpUser

from loadtests.load.desk import Desk, Process
from loadtests.load.plan import Model
from loadtests.load.visits import Visit
from loadtests.traffic.arrivals import late_ms, poisson

_OPEN_MAX: Final = 4_000
"""Customers of one process that are served at once in the open model; who comes beyond them waits, and counts late."""
_TIMEOUTS_S: Final = {"connection_timeout": 10.0, "network_timeout": 35.0}
PER_STREAM_S: Final = 1.0
"""Customers a second of one stream: so Locust's number of users is their rate."""


class Till(FastHttpUser):
    """A till of the closed model: serves one customer after the other, and thinks in between."""

    abstract = True
    connection_timeout = _TIMEOUTS_S["connection_timeout"]
    network_timeout = _TIMEOUTS_S["network_timeout"]
    process: ClassVar[Process]

    def wait_time(self) -> float:
        """Seconds until the next customer."""
        think_s = self.process.plan.think_s
        return self.process.chooser.uniform(0.5 * think_s, 1.5 * think_s)

    @task
    def serve(self) -> None:
        """Serve the next one."""
        self.process.tally.came(time.time(), 0.0)
        Visit(self.process, Desk(self.process, self.client)).serve()


class Stream(FastHttpUser):
    """A stream of the open model: one customer a second by Poisson, each served beside the others."""

    abstract = True
    process: ClassVar[Process]
    client_pool = HTTPClientPool(concurrency=_OPEN_MAX, **_TIMEOUTS_S)
    served: ClassVar[Pool] = Pool(_OPEN_MAX)

    def on_start(self) -> None:
        """The first customer comes after a gap like all others."""
        self._arrivals = poisson(PER_STREAM_S, time.monotonic(), self.process.chooser)

    def wait_time(self) -> float:
        """The gaps are those of the arrivals."""
        return 0.0

    @task
    def await_customer(self) -> None:
        """Wait until the next one is due, and go on at once to the one after him."""
        due_s = next(self._arrivals)
        gevent.sleep(max(0.0, due_s - time.monotonic()))
        self.served.spawn(self._serve, due_s)

    def _serve(self, due_s: float) -> None:
        self.process.tally.came(time.time(), late_ms(due_s, time.monotonic()))
        Visit(self.process, Desk(self.process, self.client, due_s)).serve()


def user_of(model: Model) -> type[Till | Stream]:
    """The one kind of user that a run has, named as Locust's page shows it."""
    if model is Model.OPEN:
        return type("CustomersPerSecond", (Stream,), {"abstract": False})
    return type("Tills", (Till,), {"abstract": False})
