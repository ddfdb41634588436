"""The worker's own HTTP, where MASHANG_WORKER_PORT is set: `/metrics`, `/livez` and `/readyz`.

It answers from the start, before PostgreSQL does.  Alive is a worker whose loops come round; ready is one that has
begun, is not stopping, and whose PostgreSQL answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Final

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.database.probing import answers
from gateway.kernel.metrics import LOOP_TURNED
from gateway.metrics.exposition import CONTENT_TYPE, Exposition
from gateway.processes.sockets import listen_exactly

_STOP_S: Final = 2


class Loop(StrEnum):
    """The worker's loops that have to come round."""

    TASKS = "tasks"
    HOUSE = "house"


_STALLED_S: Final = {Loop.TASKS: 60.0, Loop.HOUSE: 300.0}
"""Longer than the slowest turn: every statement ends within ten seconds, and a turn of the house has some twenty."""


class Turns:
    """When each loop came round last; one that has not begun waits for PostgreSQL, and is not stalled."""

    def __init__(self) -> None:
        self._last_s: dict[Loop, float] = {}
        self.pool: asyncpg.Pool | None = None
        """Set once the worker has begun; None again when it stops."""

    def turned(self, loop: Loop) -> None:
        """It came round now."""
        self._last_s[loop] = time.monotonic()
        LOOP_TURNED.labels(loop).set(time.time())

    def stalled(self) -> list[Loop]:
        """Those that ought to have come round since."""
        now_s = time.monotonic()
        return [loop for loop, last_s in self._last_s.items() if now_s - last_s > _STALLED_S[loop]]


class _Server(uvicorn.Server):
    """A server in a process that has its own signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none over."""
        yield


def probes_app(turns: Turns, exposition: Exposition) -> Starlette:
    """The application."""

    async def livez(_: Request) -> Response:
        stalled = turns.stalled()
        body = {"status": "stalled", "loops": stalled} if stalled else {"status": "alive"}
        return JSONResponse(body, 503 if stalled else 200)

    async def readyz(_: Request) -> Response:
        if turns.pool is None:
            return JSONResponse({"status": "not_ready"}, 503)
        ready = await answers(turns.pool)
        body = {"status": "ready" if ready else "not_ready", "postgres": "up" if ready else "away"}
        return JSONResponse(body, 200 if ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(await exposition.scrape(), media_type=CONTENT_TYPE)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


@asynccontextmanager
async def probes(host: str, port: int | None, turns: Turns, exposition: Exposition) -> AsyncIterator[None]:
    """Answer while this is open; nothing without a port.  Raises StackError where the port is taken."""
    if port is None:
        yield
        return
    config = uvicorn.Config(
        probes_app(turns, exposition),
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listen_exactly(port, host)]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
