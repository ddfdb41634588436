"""One call of velocities.lua, and what happened, as that script reads it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from redis.exceptions import NoScriptError, RedisError

from gateway.database.valkey import Script, Valkey, ValkeyAway
from risk.velocity.plan import LETTERS, Kind, Plan
from risk.velocity.spec import DISTINCT_DIMENSIONS, Series
from risk.velocity.travel import Place

_EVENT: Final = struct.Struct(">QQBB8shh6s6s6s6s6s6s")
_NOWHERE: Final = Place(32_767, 32_767)
_NOBODY: Final = bytes(6)
NOBODIES: Final = (_NOBODY,) * len(DISTINCT_DIMENSIONS)
"""No value in any of the dimensions that are counted."""
_CODES: Final = {series: ord(letter) for series, letter in LETTERS.items()}
_log: Final = logging.getLogger("mashang.risk")


class Hears(Protocol):
    """Who waits for the answers."""

    def expect(self, calls: int) -> None:
        """So many are to come; said once, before the first."""

    def hear(self, kinds: Sequence[Kind], answer: list[int] | None) -> None:
        """What the script answered to one call; None where Valkey could not be asked."""


class Claim(NamedTuple):
    """Where Valkey has the claim of an order number, and who is to hold it: a retry that does not is not counted."""

    key: str
    holder: str


def event_of(
    series: Series,
    identity: str,
    amount_fen: int,
    at_ms: int,
    *,
    place: Place | None = None,
    values: Sequence[bytes] = NOBODIES,
    look: bool = False,
) -> bytes:
    """What happened; `values` are the first six bytes of keyed hashes, in the order of DISTINCT_DIMENSIONS."""
    known = hashlib.blake2b(identity.encode(errors="surrogatepass"), digest_size=8).digest()
    north, east = place or _NOWHERE
    return _EVENT.pack(at_ms, amount_fen, _CODES[series], look, known, north, east, *values)


def value_of(name: bytes | None) -> bytes:
    """What stands for a value among those that are counted."""
    return _NOBODY if name is None else name[:6]


class Call:
    """Sent when it is made; sent again in full where the server has forgotten the script."""

    __slots__ = ("_arguments", "_hears", "_is_in_full", "_keys", "_kinds", "_script", "_valkey")

    def __init__(
        self,
        valkey: Valkey,
        script: Script,
        kinds: Sequence[Kind],
        keys: Sequence[str],
        arguments: Sequence[bytes | str],
        *,
        hears: Hears,
    ) -> None:
        self._valkey = valkey
        self._script = script
        self._kinds = kinds
        self._keys = keys
        self._arguments = arguments
        self._hears = hears
        self._is_in_full = False
        self._send()

    def _send(self) -> None:
        make = self._script.in_full if self._is_in_full else self._script.by_hash
        try:
            done = self._valkey.submit(self._keys[0], make(self._keys, self._arguments))
        except ValkeyAway:
            self._hears.hear(self._kinds, None)
        else:
            done.add_done_callback(self._answered)

    def _answered(self, done: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            self._hears.hear(self._kinds, done.result())
        elif isinstance(error, NoScriptError) and not self._is_in_full:
            self._is_in_full = True
            self._send()
        else:
            if not isinstance(error, (ValkeyAway, asyncio.CancelledError)):
                _log.warning("velocities could not be counted: %s", error, exc_info=not isinstance(error, RedisError))
            self._hears.hear(self._kinds, None)


def calls_of(
    valkey: Valkey,
    plan: Plan,
    found: Sequence[tuple[Kind, str]],
    event: bytes,
    hears: Hears,
    *,
    claim: Claim | None = None,
) -> None:
    """Send one call to a single server, one for each slot of a cluster; the claim is looked at where it lies."""
    kinds, keys = [kind for kind, _ in found], [key for _, key in found]
    claimed_at = len(keys)
    if claim is not None:
        keys.append(claim.key)
    groups = [places for places in valkey.together(keys) if places[0] != claimed_at]
    hears.expect(len(groups))
    for places in groups:
        here = [kinds[place] for place in places if place != claimed_at]
        arguments: tuple[bytes | str, ...] = (event, bytes([kind.number for kind in here]))
        if claim is not None and places[-1] == claimed_at:
            arguments = (*arguments, claim.holder)
        Call(valkey, plan.script, here, [keys[place] for place in places], arguments, hears=hears)
