"""Calls of velocities.lua, and what happened, as that script reads it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from redis.exceptions import NoScriptError, RedisError

from gateway.database.valkey import Script, Valkey, ValkeyAway
from gateway.database.valkey_line import Command
from risk.velocity.plan import LETTERS, Kind, Plan
from risk.velocity.spec import DISTINCT_DIMENSIONS, Series
from risk.velocity.travel import Place

_EVENT: Final = struct.Struct(">QQBB8shh6s6s6s6s6s6s")
_NOWHERE: Final = Place(32_767, 32_767)
NOBODY: Final = bytes(6)
NOBODIES: Final = (NOBODY,) * len(DISTINCT_DIMENSIONS)
"""No value in any of the dimensions that are counted."""
_CODES: Final = {series: ord(letter) for series, letter in LETTERS.items()}
_QUESTIONS_MAX: Final = 16
_KEYS_MAX: Final = 160
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
    return NOBODY if name is None else name[:6]


class Question(NamedTuple):
    """What happened, at which entities, and who waits for their velocities; `claim` only where it lies beside them."""

    kinds: Sequence[Kind]
    keys: Sequence[str]
    event: bytes
    hears: Hears
    claim: Claim | None = None


class Calling:
    """One per process.  On a single server, all that waits for the same round trip is counted by one call, in order.

    What a call of the script costs by itself, and an entity that several payments share, is paid for once.
    """

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._open: Call | None = None

    def ask(self, plan: Plan, question: Question) -> None:
        """Count what happened, or look; whoever is asked for hears of it.  Returns at once."""
        if not self._valkey.is_single:
            self._ask_each_slot(plan, question)
            return
        question.hears.expect(1)
        call = self._open
        if call is None or call.script.sha != plan.script.sha or call.is_full:
            call = self._open = Call(self._valkey, plan.script, self._close)
            call.add(question)
            call.send()
        else:
            call.add(question)

    def _ask_each_slot(self, plan: Plan, question: Question) -> None:
        """A call for each slot of the cluster; the claim is looked at where it lies."""
        claim, keys = question.claim, list(question.keys)
        claimed_at = len(keys)
        if claim is not None:
            keys.append(claim.key)
        groups = [places for places in self._valkey.together(keys) if places[0] != claimed_at]
        question.hears.expect(len(groups))
        for places in groups:
            own = [place for place in places if place != claimed_at]
            call = Call(self._valkey, plan.script)
            call.add(
                question._replace(
                    kinds=[question.kinds[place] for place in own],
                    keys=[keys[place] for place in own],
                    claim=claim if places[-1] == claimed_at else None,
                )
            )
            call.send()

    def _close(self, call: Call) -> None:
        """Whoever comes next needs another call."""
        if self._open is call:
            self._open = None


class Call:
    """One call of the script, put together when it leaves; sent again in full where the server has forgotten it."""

    __slots__ = ("_arguments", "_is_in_full", "_on_leave", "_places", "_questions", "_valkey", "script")

    def __init__(self, valkey: Valkey, script: Script, on_leave: Callable[[Call], None] | None = None) -> None:
        self.script = script
        self._valkey = valkey
        self._on_leave = on_leave
        self._questions: list[Question] = []
        self._places: dict[str, int] = {}
        self._arguments: list[bytes | str] = []
        self._is_in_full = False

    @property
    def is_full(self) -> bool:
        """Whether it takes no more, so that it does not hold the server for long; a place is a byte."""
        return len(self._questions) >= _QUESTIONS_MAX or len(self._places) >= _KEYS_MAX

    def add(self, question: Question) -> None:
        """Answer this, too, after what came before."""
        kinds, keys, event, _, claim = question
        places = self._places
        where: list[int] = []
        for kind, key in zip(kinds, keys, strict=True):
            where += (kind.number, places.get(key) or places.setdefault(key, len(places) + 1))
        holder = ""
        if claim is not None:
            where.append(places.setdefault(claim.key, len(places) + 1))
            holder = claim.holder
        self._arguments += (event, bytes(where), holder)
        self._questions.append(question)

    def send(self) -> None:
        """Queue it: behind what waits already, and the claims that come until it leaves."""
        try:
            done = self._valkey.submit(next(iter(self._places)), self._leave)
        except ValkeyAway:
            self._left()
            self._tell_away()
        else:
            done.add_done_callback(self._answered)

    def _leave(self) -> Command:
        self._left()
        make = self.script.in_full if self._is_in_full else self.script.by_hash
        return make([*self._places], self._arguments)

    def _left(self) -> None:
        if self._on_leave is not None:
            self._on_leave(self)

    def _answered(self, done: asyncio.Future[Any]) -> None:
        self._left()  # it may never have left
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            self._tell(done.result())
        elif isinstance(error, NoScriptError) and not self._is_in_full:
            self._is_in_full = True
            self.send()
        elif isinstance(error, RedisError) and len(self._questions) > 1:
            self._ask_each()
        else:
            if not isinstance(error, (ValkeyAway, asyncio.CancelledError)):
                is_ours = not isinstance(error, RedisError)
                told = {"error": type(error).__name__, "reason": str(error)}
                _log.warning("velocities could not be counted", exc_info=is_ours, extra=told)
            self._tell_away()

    def _ask_each(self) -> None:
        """What is wrong at one payment's entity is no reason to leave the others without: each still counts once."""
        for question in self._questions:
            call = Call(self._valkey, self.script)
            call.add(question)
            call.send()

    def _tell(self, answer: list[int]) -> None:
        first = 0
        for kinds, _, _, hears, _ in self._questions:
            end = first + sum([kind.width for kind in kinds])
            hears.hear(kinds, answer[first:end])
            first = end

    def _tell_away(self) -> None:
        for question in self._questions:
            question.hears.hear(question.kinds, None)
