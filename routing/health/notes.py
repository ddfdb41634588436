"""What processes tell each other of health: written, read back strictly, and merged.

{"v": 1, "cells": [[account, wallet, method, ok, fault, ok_slow, fault_slow,
                    goods, bads, state, changed_ms, level, [bucket, weight, bucket, weight, ...]], ...]}

`ok` to `fault_slow` are decayed, `goods` and `bads` counted since the process began; `changed_ms` is how long ago the
breaker's state changed, null where it never has.  A note says what its own process saw, never what it heard, so
nothing is counted twice.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from routing.channels.base import Wallet
from routing.health.cells import CellHealth
from routing.health.evidence import Counts
from routing.health.health import Health
from routing.health.latencies import BUCKETS
from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState
from routing.sale import Cell, Method

VERSION: Final = 1
CELLS_MAX: Final = 2_000
LATENCIES_MAX: Final = 256
"""So many cells tell of their latencies too."""
_SAME_S: Final = 0.05
"""Changes that lie closer together than this are the same one: ages are known that well."""
_NUMBER_MAX: Final = 1e12
_NUMBERS: Final = frozenset({int, float})
_STATES: Final = {state.value: state for state in BreakerState}
_BUCKETS: Final = range(BUCKETS)
_LEVEL_MAX: Final = 16


Totals: TypeAlias = tuple[int, int]
"""Calls that went well and that failed, since a process began."""


class Note(NamedTuple):
    """What a process has told, and how long ago."""

    process_id: str
    text: bytes
    age_s: float


@dataclass(frozen=True, slots=True)
class Voice:
    """One other process on one cell's breaker; `changed_at` on our clock."""

    state: BreakerState
    changed_at: float
    level: int


@dataclass(slots=True)
class Heard:
    """What all the others say of one cell."""

    counts: Counts = field(default_factory=Counts)
    buckets: list[tuple[int, float]] = field(default_factory=list)
    voices: list[Voice] = field(default_factory=list)
    goods: int = 0
    bads: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A cell of a note."""

    cell: Cell
    counts: Counts
    totals: Totals
    voice: Voice
    buckets: list[tuple[int, float]]


def write(health: Health) -> bytes:
    """This process's note: what is not well first, then the busiest, up to CELLS_MAX cells."""
    now = health.clock()
    cells = sorted(filter(_has_news, health.active), key=_weight, reverse=True)[:CELLS_MAX]
    rows = [_row(cell, now, with_latencies=place < LATENCIES_MAX) for place, cell in enumerate(cells)]
    return orjson.dumps({"v": VERSION, "cells": rows})


def _has_news(cell: CellHealth) -> bool:
    """Whether this process has seen anything of the cell itself, or its breaker has ever moved."""
    return not cell.evidence.own.is_negligible or not math.isinf(cell.breaker.changed_at)


def _weight(cell: CellHealth) -> tuple[bool, float]:
    counts = cell.evidence.own
    return cell.breaker.state is not BreakerState.CLOSED, counts.ok_slow + counts.fault_slow


def _row(cell: CellHealth, now: float, *, with_latencies: bool) -> list[object]:
    counts, breaker = cell.evidence.own, cell.breaker
    buckets = cell.latencies.told() if with_latencies else []
    changed_ms = None if math.isinf(breaker.changed_at) else round((now - breaker.changed_at) * 1_000)
    numbers = (counts.ok, counts.fault, counts.ok_slow, counts.fault_slow)
    totals = (breaker.goods_told, breaker.bads_told)
    decayed = [round(number, 2) for number in numbers]
    return [*cell.cell, *decayed, *totals, breaker.state, changed_ms, breaker.level, buckets]


class Hearing:
    """One per process: takes in the notes of the others, each time in the place of those heard before."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._totals: dict[tuple[str, Cell], Totals] = {}

    def hear(self, notes: Iterable[Note]) -> None:
        """Take in the notes of all other processes; what is not of our version, or broken, is left out."""
        heard, now = self._gather(notes), self._health.clock()
        for known in list(self._health.active):
            if known.cell not in heard:
                _take(known, Heard())
                known.show()
        for cell, about in heard.items():
            if not self._health.has_room_for(cell):
                continue
            known = self._health.cell_health(cell)
            _take(known, about)
            known.hear(about.goods, about.bads, now)
            _follow(known, about.voices, now, self._health.settings)
            known.show()

    def _gather(self, notes: Iterable[Note]) -> dict[Cell, Heard]:
        heard: defaultdict[Cell, Heard] = defaultdict(Heard)
        before, self._totals = self._totals, {}
        now = self._health.clock()
        for note in notes:
            for line in _read(note, now):
                about, key = heard[line.cell], (note.process_id, line.cell)
                about.counts.add(line.counts, *self._health.factors(note.age_s))
                about.buckets += line.buckets
                about.voices.append(line.voice)
                goods, bads = before.get(key, line.totals)
                about.goods += max(0, line.totals[0] - goods)
                about.bads += max(0, line.totals[1] - bads)
                self._totals[key] = line.totals
        return heard


def _take(known: CellHealth, about: Heard) -> None:
    known.evidence.peers = about.counts
    known.latencies.hear(about.buckets)


def _follow(known: CellHealth, voices: list[Voice], now: float, settings: HealthSettings) -> None:
    """Do as the others did, where they know better."""
    if known.breaker.state is not BreakerState.OPEN:
        _follow_openings(known, voices, now, settings)
    if known.breaker.state is not BreakerState.CLOSED:
        _follow_returns(known, voices, now, settings)


def _follow_openings(known: CellHealth, voices: list[Voice], now: float, settings: HealthSettings) -> None:
    """Open as another did, where nothing that we saw speaks against it.

    Nothing must have gone well here of late, and where this process has only just closed it takes two others: lest a
    single one that is cut off from the channel takes all with it, again and again.
    """
    breaker = known.breaker
    if known.good_ended > now - settings.good_fresh_s:
        return
    since = max(breaker.changed_at + _SAME_S, known.good_began)
    openings = [voice for voice in voices if voice.state is BreakerState.OPEN and voice.changed_at > since]
    is_settled = breaker.state is BreakerState.HALF_OPEN or now >= breaker.changed_at + settings.calm_s
    if len(openings) >= (1 if is_settled else 2):
        first = min(openings, key=lambda voice: voice.changed_at)
        known.open(first.changed_at, first.level)


def _follow_returns(known: CellHealth, voices: list[Voice], now: float, settings: HealthSettings) -> None:
    """Close as another did; half-open once another that did so has had the time to probe alone."""
    breaker = known.breaker
    later = [voice for voice in voices if voice.changed_at > breaker.opened_at + _SAME_S]
    closings = [voice.changed_at for voice in later if voice.state is BreakerState.CLOSED]
    if closings:
        known.close(max(closings))
    elif breaker.state is BreakerState.OPEN and now >= breaker.opened_at + breaker.open_s:
        alone_until = now - settings.follow_half_open_s
        if any(voice.state is BreakerState.HALF_OPEN and voice.changed_at <= alone_until for voice in later):
            breaker.half_open(now)


def _read(note: Note, now: float) -> list[Line]:
    """The lines of a note; none of one that is not ours, those with another version's words left out."""
    try:
        document = orjson.loads(note.text)
        if document["v"] != VERSION:
            return []
        rows = document["cells"][:CELLS_MAX]
    except (ValueError, TypeError, LookupError):
        return []
    lines = []
    for row in rows if isinstance(rows, list) else []:
        try:
            lines.append(_line(row, note.age_s, now))
        except (ValueError, TypeError, LookupError):
            continue
    return lines


def _line(row: Any, age_s: float, now: float) -> Line:
    account_id, wallet, method, ok, fault, ok_slow, fault_slow, goods, bads, state, changed_ms, level, flat = row
    _check_numbers((ok, fault, ok_slow, fault_slow, goods, bads, level, changed_ms or 0, *flat))
    changed_at = -math.inf if changed_ms is None else now - age_s - changed_ms / 1_000
    return Line(
        cell=_cell(account_id, wallet, method),
        # The slow window forgets less of the same payments: rounding must not say otherwise.
        counts=Counts(ok, fault, max(ok, ok_slow), max(fault, fault_slow)),
        totals=(int(goods), int(bads)),
        voice=Voice(_STATES[state], changed_at, min(_LEVEL_MAX, int(level))),
        buckets=[(_BUCKETS[index], weight) for index, weight in zip(flat[::2], flat[1::2], strict=True)],
    )


@lru_cache(maxsize=2 * CELLS_MAX)
def _cell(account_id: object, wallet: str, method: str) -> Cell:
    if not isinstance(account_id, str):
        raise TypeError("no account of ours")
    return Cell(account_id, Wallet(wallet), Method(method))


def _check_numbers(numbers: Iterable[object]) -> None:
    for number in numbers:
        if type(number) not in _NUMBERS or not 0 <= number <= _NUMBER_MAX:  # type: ignore[operator]
            raise ValueError("no number of ours")
