"""The running service behind synchronous calls: a loop in a thread, with a till and a database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import asyncpg
import httpx

from tests.support.gateway import GatewayStack
from tests.support.till import Till
from tests.support.written import written, written_by_requests

_Result = TypeVar("_Result")
_TIMEOUT_S: Final = 120.0


class World:
    """Opened once for a module."""

    def __init__(self, stack: GatewayStack) -> None:
        self.stack = stack
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.till: Till = self.run(self._open_till())
        self._database: asyncpg.Connection = self.run(asyncpg.connect(stack.database_url))

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of a coroutine, or its exception."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Any request with the till's key."""
        return self.run(self.till.client.request(method, path, **arguments))

    def post(self, body: bytes) -> httpx.Response:
        """POST /v1/payments with these bytes as JSON."""
        return self.request("POST", "/v1/payments", content=body, headers={"Content-Type": "application/json"})

    def fetch(self, query: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """Rows of the database."""
        return self.run(self._database.fetch(query, *arguments))

    def written(self) -> dict[str, int]:
        """Rows by table."""
        return self.run(written(self._database))

    def written_by_requests(self) -> dict[str, Any]:
        """What only requests write, whatever the workers do."""
        return self.run(written_by_requests(self._database))

    def close(self) -> None:
        """Close what is open and end the thread."""
        self.run(self.till.client.aclose())
        self.run(self._database.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_S)
        self._loop.close()

    async def _open_till(self) -> Till:
        return self.stack.till()
