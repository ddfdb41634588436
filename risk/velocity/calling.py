"""One call of velocities.lua, and what happened, as that script reads it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from redis.exceptions import NoScriptError, RedisError

from gateway.database.valkey import Valkey, ValkeyAway
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

Heard: TypeAlias = Callable[[Sequence[Kind], list[int] | None], None]
"""Called once, with what the script answered; None where Valkey could not be asked."""


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

    __slots__ = ("_arguments", "_heard", "_is_in_full", "_keys", "_kinds", "_plan", "_valkey")

    def __init__(
        self,
        valkey: Valkey,
        plan: Plan,
        found: Sequence[tuple[Kind, str]],
        event: bytes,
        heard: Heard,
        *,
        claim: Claim | None = None,
    ) -> None:
        self._valkey = valkey
        self._plan = plan
        self._kinds = [kind for kind, _ in found]
        self._keys = [key for _, key in found]
        self._arguments: tuple[bytes | str, ...] = (event, bytes([kind.number for kind in self._kinds]))
        if claim is not None:
            self._keys.append(claim.key)
            self._arguments = (*self._arguments, claim.holder)
        self._heard = heard
        self._is_in_full = False
        self._send()

    def _send(self) -> None:
        make = self._plan.script.in_full if self._is_in_full else self._plan.script.by_hash
        try:
            done = self._valkey.submit(self._keys[0], make(self._keys, self._arguments))
        except ValkeyAway:
            self._heard(self._kinds, None)
        else:
            done.add_done_callback(self._answered)

    def _answered(self, done: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            self._heard(self._kinds, done.result())
        elif isinstance(error, NoScriptError) and not self._is_in_full:
            self._is_in_full = True
            self._send()
        else:
            if not isinstance(error, (ValkeyAway, asyncio.CancelledError)):
                _log.warning("velocities could not be counted: %s", error, exc_info=not isinstance(error, RedisError))
            self._heard(self._kinds, None)


def calls_of(
    valkey: Valkey,
    plan: Plan,
    found: Sequence[tuple[Kind, str]],
    event: bytes,
    heard: Heard,
    *,
    claim: Claim | None = None,
) -> list[Call]:
    """One call on a single server, one for each slot of a cluster, where the claim lies in another one."""
    groups = valkey.together([key for _, key in found])
    if claim is not None and len(valkey.together([found[0][1], claim.key])) > 1:
        claim = None
    return [Call(valkey, plan, [found[place] for place in group], event, heard, claim=claim) for group in groups]
