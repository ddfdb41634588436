"""Runs the HTTP service: in this process, or in several that share one listening socket."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import uvicorn

from gateway.kernel.draining import DRAINING
from gateway.kernel.logs import flush_logs
from gateway.metrics.folder import retire
from gateway.processes.children import Child, Command
from gateway.processes.interrupts import Interrupts
from gateway.processes.sockets import BACKLOG
from gateway.processes.supervisor import Hooks, Supervisor, stop_together
from gateway.settings import Settings

_KEEP_ALIVE_S = 75
_DRAIN_MARGIN_S = 5.0


class DrainingServer(uvicorn.Server):
    """Goes on serving for a while after SIGTERM, not ready any more, so that balancers turn away before it is gone.

    Writes one byte to a pipe once it accepts connections, so that a parent need not guess.
    """

    def __init__(self, config: uvicorn.Config, ready_fd: int | None, drain_s: float) -> None:
        super().__init__(config)
        self._ready_fd = ready_fd
        self._drain_s = drain_s
        self._drained_at_s: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM begins the drain, a second one or SIGINT ends it; payments in flight go on in any case."""
        is_first = not DRAINING.is_on
        DRAINING.begin()
        if sig == signal.SIGTERM and is_first and self._drain_s > 0:
            self._drained_at_s = time.monotonic() + self._drain_s
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop accepting."""
        if not self.should_exit and self._drained_at_s is not None and time.monotonic() >= self._drained_at_s:
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and self._ready_fd is not None:
            os.write(self._ready_fd, b".")
            os.close(self._ready_fd)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._take_the_last(sockets or [])
        await super().shutdown(sockets=sockets)
        flush_logs()  # what follows is the death by the signal that we were sent, and held-back lines would die too

    async def _take_the_last(self, sockets: Sequence[socket.socket]) -> None:
        """Take in who has connected already, as far as the kernel knows: with its last holder a socket resets these."""
        waiting: list[socket.socket] = []
        for listener in sockets:
            with listener.dup() as last:  # closing the servers closes their own
                for server in self.servers:
                    server.close()
                waiting += _accepted(last)
        for client in waiting:
            with suppress(OSError):  # it has gone
                await asyncio.get_running_loop().connect_accepted_socket(self._protocol, client)
        await asyncio.sleep(0)  # whom the loop has taken last is known from here on

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _accepted(listener: socket.socket) -> list[socket.socket]:
    """Who waits at a socket that does not block, at most as many as may wait there."""
    waiting: list[socket.socket] = []
    with suppress(BlockingIOError, ConnectionAbortedError):
        while len(waiting) < BACKLOG:
            waiting.append(listener.accept()[0])
    return waiting


def stop_s(settings: Settings) -> float:
    """How long a gateway may take to stop: draining, open requests, then payments in flight."""
    return settings.drain_s + 2 * (settings.wait_max_s + _DRAIN_MARGIN_S)


def serve_here(listener: socket.socket, settings: Settings, ready_fd: int | None = None) -> bool:
    """Serve in this process until SIGTERM or SIGINT, then drain; False when it could not start."""
    config = uvicorn.Config(
        "gateway.app:create_app",
        factory=True,
        loop="uvloop",
        http="gateway.http.protocol:OneWriteProtocol",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,  # create_app sets the logs up
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.wait_max_s + _DRAIN_MARGIN_S),
    )
    server = DrainingServer(config, ready_fd, settings.drain_s)
    server.run(sockets=[listener])
    return server.started


def gateway_command(listener: socket.socket, ready_fd: int | None = None) -> tuple[str, ...]:
    """The command line of one gateway process that serves an inherited socket."""
    command = (sys.executable, "-m", "gateway.cli", "serve", "--fd", str(listener.fileno()))
    return command if ready_fd is None else (*command, "--ready-fd", str(ready_fd))


async def serve_many(listener: socket.socket, workers: int, settings: Settings) -> None:
    """Keep that many processes serving the socket until a signal, then drain them all."""
    interrupts = Interrupts()
    interrupts.install()
    supervisor = Supervisor(Hooks(say=_say, died=lambda pid: forget_metrics_of(settings, pid), restarted=lambda: None))
    children = [
        Child(
            Command(
                name=f"gateway {number}",
                arguments=gateway_command(listener),
                inherited_fds=(listener.fileno(),),
                death_signal=signal.SIGTERM,
            )
        )
        for number in range(1, workers + 1)
    ]
    for child in children:
        child.start()
        supervisor.keep(child)
    watching = asyncio.create_task(supervisor.watch())
    await interrupts.stop.wait()
    watching.cancel()
    listener.close()
    await stop_together(children, stop_s(settings), interrupts.hurry)


def forget_metrics_of(settings: Settings, pid: int) -> None:
    """Remove the gauges of a dead process; its counters are added to those of the others that died."""
    if settings.metrics_dir is not None:
        try:
            retire(settings.metrics_dir, pid)
        except Exception as error:  # no trouble with metric files (a full disk) is a reason not to restart it
            _say(f"the metric files of process {pid} are left as they are: {error!r}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
