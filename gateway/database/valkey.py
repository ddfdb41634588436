"""Valkey: the calls of all waiting requests leave in one pipeline, one round trip at a time.

Valkey is a fast early answer that may be lost at any moment: every caller handles ValkeyAway and goes on by PostgreSQL.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from importlib.resources import files
from typing import Any, Final

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.kernel.metrics import BATCH_ROWS, BATCH_SECONDS, QUEUE_DEPTH
from gateway.settings import Settings

_PIPELINE_MAX: Final = 256
_QUEUE_MAX: Final = 8192
_REST_S: Final = 0.5
"""After a failure, calls are refused at once for so long, so that no payment waits for a server that is away."""


class ValkeyAway(Exception):
    """Valkey cannot be asked now."""


class Valkey:
    """One connection pool and one pipeline for the process."""

    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.redis_timeout_s
        self._client: redis.Redis = redis.from_url(
            settings.redis_url.get_secret_value(),
            socket_timeout=settings.redis_timeout_s,
            socket_connect_timeout=settings.redis_timeout_s,
            max_connections=8,
            retry=Retry(NoBackoff(), 0),
            protocol=3,
        )
        self._waiting: deque[tuple[tuple[Any, ...], asyncio.Future[Any]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._scripts = _Scripts()
        self._rows_metric = BATCH_ROWS.labels("valkey")
        self._seconds_metric = BATCH_SECONDS.labels("valkey")
        self._depth_metric = QUEUE_DEPTH.labels("valkey")

    async def call(self, *command: Any) -> Any:
        """Send one command with whatever else waits.  Raises ValkeyAway, or RedisError for a refused command."""
        if time.monotonic() < self._away_until or len(self._waiting) >= _QUEUE_MAX:
            raise ValkeyAway
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, done))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return await done

    async def script(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run scripts/NAME.lua by its hash, loading it where the server does not have it (any more)."""
        try:
            return await self.call("EVALSHA", self._scripts.sha(name), len(keys), *keys, *arguments)
        except NoScriptError:
            return await self.call("EVAL", self._scripts.text(name), len(keys), *keys, *arguments)

    async def ping(self) -> bool:
        """Whether the server answers."""
        try:
            await self.call("PING")
        except (ValkeyAway, RedisError):
            return False
        return True

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._send_batch()
        finally:
            self._runner = None

    async def _send_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _PIPELINE_MAX))]
        self._rows_metric.observe(len(batch))
        self._depth_metric.set(len(self._waiting))
        began = time.monotonic()
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                async with self._client.pipeline(transaction=False) as pipeline:
                    for command, _ in batch:
                        pipeline.execute_command(*command)
                    answers = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError):
            self._away_until = time.monotonic() + _REST_S
            batch.extend(self._waiting)  # whoever waits for the next round trip would only wait for the same failure
            self._waiting.clear()
            answers = [ValkeyAway()] * len(batch)
        except Exception as error:  # a bug in one of the commands; still, nobody is left waiting for ever
            answers = [error] * len(batch)
        self._seconds_metric.observe(time.monotonic() - began)
        for (_, done), answer in zip(batch, answers, strict=True):
            if done.done():
                continue
            if isinstance(answer, Exception):
                done.set_exception(answer)
            else:
                done.set_result(answer)


class _Scripts:
    """The Lua scripts of gateway/database/scripts and their hashes."""

    def __init__(self) -> None:
        folder = files("gateway.database") / "scripts"
        self._texts = {
            entry.name.removesuffix(".lua"): entry.read_text(encoding="utf-8")
            for entry in folder.iterdir()
            if entry.name.endswith(".lua")
        }
        self._shas = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in self._texts.items()}  # noqa: S324

    def sha(self, name: str) -> str:
        return self._shas[name]

    def text(self, name: str) -> str:
        return self._texts[name]
