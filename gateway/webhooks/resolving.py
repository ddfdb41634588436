"""Names become addresses that were checked: all of a name's addresses must be public, or none is used.

Looking up is done in threads, and a name server that does not answer holds its thread for many seconds.  So one look-up
runs per name, and names that were slow before wait in a lane of their own, where they hold up nobody else.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, TypeVar

from gateway.webhooks.addresses import Address, AddressRules, Target

LookUp = Callable[[str], Sequence[str]]
"""All addresses of a name, by the operating system; blocks.  Raises OSError where there are none."""

_Value = TypeVar("_Value")
_WAIT_S: Final = 5.0
_KEPT_S: Final = 10.0
"""So long an answer serves (also that there is none): for a burst of new connections, not for a rebinding."""
_SLOW_S: Final = 1.0
_NAMES_MAX: Final = 10_000
_THREADS: Final = 64
_SLOW_THREADS: Final = 16


class NameUnknown(Exception):
    """The name has no address, or none came in time."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a name was found to be."""

    addresses: Sequence[Address]
    until_s: float


def look_up(name: str) -> Sequence[str]:
    """As the operating system resolves it, in the order in which it wants them tried."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """One per process; belongs to the event loop that uses it."""

    def __init__(self, rules: AddressRules, look_up: LookUp = look_up) -> None:
        self._rules = rules
        self._look_up = look_up
        self._lane = ThreadPoolExecutor(_THREADS, "resolver")
        self._slow_lane = ThreadPoolExecutor(_SLOW_THREADS, "slow resolver")
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Sequence[Address]]] = {}
        self._slow: OrderedDict[str, None] = OrderedDict()

    async def addresses(self, target: Target) -> Sequence[Address]:
        """The checked addresses of a target, at least one.  Raises AddressRefused, NameUnknown."""
        literal = target.literal
        addresses = [literal] if literal is not None else await self._of_name(target.host)
        for address in addresses:
            self._rules.check(address)
        return addresses

    def close(self) -> None:
        """Wait for nothing more."""
        for asked in self._asked.values():
            asked.cancel()
        for lane in (self._lane, self._slow_lane):
            lane.shutdown(wait=False, cancel_futures=True)

    async def _of_name(self, name: str) -> Sequence[Address]:
        known = self._known.get(name)
        if known is not None and time.monotonic() < known.until_s:
            found = known.addresses
        else:
            asked = self._asked.get(name)
            if asked is None:
                asked = self._asked[name] = asyncio.create_task(self._ask(name))
            try:
                found = await asyncio.wait_for(asyncio.shield(asked), _WAIT_S)
            except TimeoutError:
                raise NameUnknown(name) from None
        if not found:
            raise NameUnknown(name)
        return found

    async def _ask(self, name: str) -> Sequence[Address]:
        """Ask once for everybody who waits; nothing found is an answer too."""
        lane = self._slow_lane if name in self._slow else self._lane
        try:
            found, took_s = await asyncio.get_running_loop().run_in_executor(lane, self._asked_here, name)
        finally:
            self._asked.pop(name, None)
        _keep(self._known, name, _Known(found, time.monotonic() + _KEPT_S))
        if took_s > _SLOW_S:
            _keep(self._slow, name, None)
        else:
            self._slow.pop(name, None)
        return found

    def _asked_here(self, name: str) -> tuple[Sequence[Address], float]:
        """In a thread of a lane: what was found, and how long that took."""
        began = time.monotonic()
        try:
            found = [ip_address(address) for address in self._look_up(name)]
        except (OSError, ValueError):  # unknown, no answer; no name that the system could ask for
            found = []
        return found, time.monotonic() - began


def _keep(kept: OrderedDict[str, _Value], name: str, value: _Value) -> None:
    """Remember, and forget the oldest where that makes too many."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _NAMES_MAX:
        kept.popitem(last=False)
