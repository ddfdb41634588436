"""The line to one Valkey server: what waits leaves in one pipeline, one round trip at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import hiredis
import redis.asyncio as redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from gateway.database.valkey_address import close
from gateway.kernel.metrics import BATCH_ROWS, BATCH_SECONDS, QUEUE_DEPTH

_PIPELINE_MAX: Final = 256
_QUEUE_MAX: Final = 8192
_REST_S: Final = 0.5
"""After a failure, calls are refused at once for so long, so that no payment waits for a server that is away."""

Command: TypeAlias = tuple[Any, ...]
Deferred: TypeAlias = Callable[[], Command]
"""Makes the command at the moment it leaves, so that whatever came meanwhile can go with it; it leaves behind the
others of its round trip, for what goes with it may count on a command that was queued after it."""


class ValkeyAway(Exception):
    """Valkey cannot be asked now."""


@dataclass(slots=True)
class Call:
    """A command on its way; `moves` counts how often a cluster sent it elsewhere."""

    command: Command | Deferred
    done: asyncio.Future[Any]
    moves: int = 0

    def to_command(self) -> Command:
        """The command, made now if it was not before."""
        if callable(self.command):
            self.command = self.command()
        return self.command


Elsewhere: TypeAlias = Callable[[Call, RedisError], None]
"""Takes over a call that a server of a cluster did not take: MOVED, ASK, TRYAGAIN, CLUSTERDOWN."""


class Line:
    """One server's connections and queue.

    `elsewhere` takes over what a server of a cluster sends away; `on_failure` hears of every failed round trip.
    """

    def __init__(
        self,
        client: redis.Redis,
        timeout_s: float,
        elsewhere: Elsewhere | None = None,
        on_failure: Callable[[], None] | None = None,
    ) -> None:
        self.client = client
        self._timeout_s = timeout_s
        self._elsewhere = elsewhere
        self._on_failure = on_failure
        self._waiting: deque[Call] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._connection: AbstractConnection | None = None
        self._rows_metric = BATCH_ROWS.labels("valkey")
        self._seconds_metric = BATCH_SECONDS.labels("valkey")
        self._depth_metric = QUEUE_DEPTH.labels("valkey")

    def submit(self, command: Command | Deferred) -> asyncio.Future[Any]:
        """Queue a command for the next round trip.  Raises ValkeyAway at once where none can be had."""
        if time.monotonic() < self._away_until or len(self._waiting) >= _QUEUE_MAX:
            raise ValkeyAway
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.put(Call(command, done))
        return done

    def put(self, call: Call) -> None:
        """Queue a call that has been on its way already."""
        self._waiting.append(call)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Close the connections."""
        await close(self.client)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._send_batch()
        finally:
            self._runner = None

    async def _send_batch(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(min(len(self._waiting), _PIPELINE_MAX))]
        at_once = [call for call in waiting if not callable(call.command)]
        batch = at_once + [call for call in waiting if callable(call.command)]
        self._rows_metric.observe(len(batch))
        self._depth_metric.set(len(self._waiting))
        began = time.monotonic()
        answers: list[Any]
        try:
            answers = await self._exchange([call.to_command() for call in batch])
        except (RedisError, OSError, TimeoutError):
            self._away_until = time.monotonic() + _REST_S
            batch.extend(self._waiting)  # whoever waits for the next round trip would only wait for the same failure
            self._waiting.clear()
            answers = [ValkeyAway()] * len(batch)
            if self._on_failure is not None:
                self._on_failure()
        except Exception as error:  # a bug in one of the commands; still, nobody is left waiting for ever
            answers = [error] * len(batch)
        self._seconds_metric.observe(time.monotonic() - began)
        settled = list(zip(batch, answers, strict=True))
        if self._elsewhere is None:
            # Those that were made last are told first: a payment whose claim has come then finds its counters there, so
            # that it neither waits for them nor sets up a timer.  (What a cluster sends elsewhere is queued there in
            # this order, and has to leave in that of its first trip.)
            settled = settled[len(at_once) :] + settled[: len(at_once)]
        for call, answer in settled:
            self._settle(call, answer)

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """One round trip; a refused command's answer is its error.  A third of what the library's own pipeline costs.

        A server that says nothing has the time of one answer, the whole trip (or a new connection) twice as long.
        """
        began = asyncio.get_running_loop().time()
        is_in_step = False
        try:
            is_new = not await self._is_sound()
            async with asyncio.timeout(self._timeout_s * (2 if is_new else 1)) as patience:
                connection = await self._connected()
                await connection.send_packed_command(b"".join(map(hiredis.pack_command, commands)))
                answers = [await _answer(connection)]
                if len(commands) > 1:
                    patience.reschedule(began + 2 * self._timeout_s)
                    answers += [await _answer(connection) for _ in commands[1:]]
            is_in_step = True
            return answers
        finally:
            if not is_in_step:  # whoever came next would read the answers to these commands
                await self._give_back()

    async def _is_sound(self) -> bool:
        """Whether the kept connection can be used: the server has neither closed it nor said anything unasked.

        The library's pool looks too, but minds nothing where a connection speaks RESP3 (`ensure_connection` of 8.1).
        """
        kept = self._connection
        if kept is not None and kept.is_connected and not await kept.can_read():
            return True
        await self._give_back()
        return False

    async def _connected(self) -> AbstractConnection:
        """The line's own connection: to take one from the pool for each trip costs as much as the trip."""
        if self._connection is None:
            self._connection = await self.client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            # The library would set up a timer for each answer, and a task for each sending: more than all the rest.
            self._connection.socket_timeout = None
        return self._connection

    async def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await self.client.connection_pool.release(connection)

    def _settle(self, call: Call, answer: Any) -> None:
        if call.done.done():
            return
        if not isinstance(answer, Exception):
            call.done.set_result(answer)
        elif self._elsewhere is not None and isinstance(
            answer, (MovedError, AskError, TryAgainError, ClusterDownError, ClusterError)
        ):
            self._elsewhere(call, answer)
        else:
            call.done.set_exception(answer)


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
