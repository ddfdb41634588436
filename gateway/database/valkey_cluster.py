"""A Valkey cluster: each key's server, one line for each of them, and calls that the cluster sends elsewhere."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError

from gateway.database.valkey_address import Address, Node, client_of
from gateway.database.valkey_line import Call, Command, Deferred, Line, ValkeyAway

_SLOTS: Final = 16_384
_MOVES_MAX: Final = 3
_LOOK_AGAIN_S: Final = 0.2
"""While nodes fail, the map of slots is asked for this often: a replica takes over after cluster-node-timeout."""

_log: Final = logging.getLogger("mashang.valkey")


class Cluster:
    """The nodes that have slots.  The map is learnt from any node, and anew when one fails or sends a call away."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._lines: dict[Node, Line] = {}
        self._by_slot: list[Line | None] = [None] * _SLOTS
        self._learning: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")
        self._first: list[tuple[str | None, Call]] | None = []
        """Calls made before the map was there; None once it is."""

    def submit(self, key: str | None, command: Command | Deferred) -> asyncio.Future[Any]:
        """Queue a command at the key's node (None: at any).  Raises ValkeyAway where that is not known or away."""
        if self._first is not None:
            return self._submit_first(key, command)
        line = self._line_of(key)
        if line is None:
            self._learn_soon()
            raise ValkeyAway
        return line.submit(command)

    def together(self, keys: Sequence[str]) -> list[list[int]]:
        """Which of these keys lie in one slot, by their places."""
        groups: dict[int, list[int]] = {}
        for place, key in enumerate(keys):
            groups.setdefault(_slot(key), []).append(place)
        return list(groups.values())

    async def aclose(self) -> None:
        """Close every connection."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)
        for line in self._lines.values():
            await line.aclose()

    def _submit_first(self, key: str | None, command: Command | Deferred) -> asyncio.Future[Any]:
        assert self._first is not None
        call = Call(command, asyncio.get_running_loop().create_future())
        self._first.append((key, call))
        self._learn_soon()
        return call.done

    def _line_of(self, key: str | None) -> Line | None:
        if key is None:
            return next((line for line in self._by_slot if line is not None), None)
        return self._by_slot[_slot(key)]

    def _learn_soon(self) -> None:
        if self._learning is None:
            self._learning = asyncio.create_task(self._learn())

    async def _learn(self) -> None:
        try:
            await asyncio.sleep(max(0.0, self._looked_at + _LOOK_AGAIN_S - time.monotonic()))
            self._looked_at = time.monotonic()
            for node in dict.fromkeys((*self._lines, *self._address.nodes)):
                if await self._learn_from(node):
                    return
            _log.warning("no node of the cluster tells who has its slots")
        finally:
            self._learning = None
            self._send_first()

    async def _learn_from(self, node: Node) -> bool:
        client = client_of(self._address, self._timeout_s, node)
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                ranges = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError):
            return False
        finally:
            await client.aclose()
        owners = list(_owners(ranges, node))
        for first, last, owner in owners:
            self._by_slot[first : last + 1] = [self._line(owner)] * (last + 1 - first)
        return bool(owners)

    def _line(self, node: Node) -> Line:
        line = self._lines.get(node)
        if line is None:
            client = client_of(self._address, self._timeout_s, node)
            line = self._lines[node] = Line(client, self._timeout_s, self._elsewhere, self._learn_soon)
        return line

    def _send_first(self) -> None:
        waiting, self._first = self._first or (), None
        for key, call in waiting:
            line = self._line_of(key)
            if line is not None:
                line.put(call)
            elif not call.done.done():
                call.done.set_exception(ValkeyAway())

    def _elsewhere(self, call: Call, error: RedisError) -> None:
        """MOVED and ASK name the node; the rest means that the cluster is about to change."""
        call.moves += 1
        self._learn_soon()
        if isinstance(error, MovedError) and call.moves <= _MOVES_MAX:
            line = self._line((str(error.host), int(error.port)))
            self._by_slot[error.slot_id] = line
            line.put(call)
        elif isinstance(error, AskError) and call.moves <= _MOVES_MAX:
            line = self._line((str(error.host), int(error.port)))
            asking = Call(("ASKING",), asyncio.get_running_loop().create_future())
            asking.done.cancel()  # nobody waits for its answer
            line.put(asking)
            line.put(call)
        else:
            call.done.set_exception(ValkeyAway())


def _slot(key: str) -> int:
    return key_slot(key.encode(errors="surrogatepass"))


def _owners(ranges: Any, asked: Node) -> Iterable[tuple[int, int, Node]]:
    """First slot, last slot and the master of each range; a node that does not know its own host is the one asked."""
    for first, last, (host, port, *_), *_ in ranges:
        yield first, last, (host.decode() if host else asked[0], port)
