"""What a rule set asks of the counters: for each kind of entity its rings and calls, and the one script that has them.

The script is scripts/velocities.lua with these tables before it, so that nothing of them travels with a payment.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Self

from gateway.database.valkey import Script
from risk.velocity import travel
from risk.velocity.spec import (
    BUCKETS,
    DISTINCT_DIMENSIONS,
    LABEL_DELAY_S,
    METRIC_SERIES,
    Metric,
    Series,
    Velocity,
)

DUE_BUCKET_S_MIN: Final = 5_400
"""How finely payments are told apart until their labels are due: a sixteenth of the window, but not below this."""
STRANGERS_MAX: Final = 64
"""Of the parts that only other rule sets ask for, so many are kept at an entity."""
LETTERS: Final = {
    Series.PAYMENTS: "p",
    Series.DECLINES: "d",
    Series.REFUNDS: "r",
    Series.COMPLAINTS: "c",
    Series.FRAUDS: "f",
}
"""Of the series' rings."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The entities of one key.  `number` is the script's; `series` are those that have a ring here.

    Of the numbers that the script answers for an entity, `width` in all, a plain name has the one at its place, a share
    those of its frauds and of the payments that are due, and `travel` is the place of the first of three.
    """

    number: int
    key: tuple[str, ...]
    plain: tuple[tuple[str, int], ...]
    shares: tuple[tuple[str, int, int], ...]
    travel: int | None
    width: int
    series: frozenset[Series]


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one rule set.  `nothing` is what is known of a payment that names nobody: every name, with None."""

    kinds: tuple[Kind, ...]
    needs_travel: bool
    dimensions: frozenset[str]
    """Whose values are counted."""
    nothing: dict[str, None]
    script: Script

    @classmethod
    def of(cls, velocities: Sequence[tuple[str, Velocity]], *, needs_travel: bool = False) -> Self:
        """`velocities` are call names and what they name, as a compiled rule set has them."""
        by_key: defaultdict[tuple[str, ...], list[tuple[str, Velocity]]] = defaultdict(list)
        for name, velocity in velocities:
            by_key[velocity.key].append((name, velocity))
        if needs_travel:
            by_key.setdefault(_TRAVELLER, [])
        kinds, branches = [], []
        for number, (key, asked) in enumerate(sorted(by_key.items()), start=1):
            writing = _Writing(asked, needs_travel=needs_travel and key == _TRAVELLER)
            branches.append(writing.branch(number))
            kinds.append(writing.kind(number, key))
        names = [name for name, _ in velocities] + list(travel.NOWHERE) * needs_travel
        dimensions = {DISTINCT_DIMENSIONS[each.metric] for _, each in velocities if each.metric in DISTINCT_DIMENSIONS}
        return cls(tuple(kinds), needs_travel, frozenset(dimensions), dict.fromkeys(names), _script(branches))


_COMMENT: Final = re.compile(r"^ *--.*\n", re.MULTILINE)
_CONSTANT: Final = re.compile(r"^local ([A-Z_]+) = (.+)\n", re.MULTILINE)
_NAMED: Final = re.compile(r"\b([A-Z_]{3,})\b")
"""What the script names in capitals is written where it stands; KEYS and ARGV are the server's own."""


class _Writing:
    """Writes a kind's part of the script: each part of an entity asked for once, and the numbers made of it."""

    def __init__(self, asked: Sequence[tuple[str, Velocity]], *, needs_travel: bool) -> None:
        self._asked = asked
        self._lines: list[str] = []
        self._width = 0
        self._reach_s = 0
        self._plain: list[tuple[str, int]] = []
        self._shares: list[tuple[str, int, int]] = []
        self._series = frozenset(METRIC_SERIES[velocity.metric] for _, velocity in asked)
        for series in Series:
            if series in self._series and series is not Series.PAYMENTS:
                self._lines.append(f"ids({_tag('s', ord(LETTERS[series]))}, {ord(LETTERS[series])})")
        self._write_rings()
        self._write_values()
        self._travel = self._write_places() if needs_travel else None

    def kind(self, number: int, key: tuple[str, ...]) -> Kind:
        """What is written, as the gateway reads its answers."""
        return Kind(number, key, tuple(self._plain), tuple(self._shares), self._travel, self._width, self._series)

    def branch(self, number: int) -> str:
        """What is written, as a branch of the script's loop over entities."""
        body = "\n".join((f"open(place, {self._reach_s})", *self._lines, f"filled = filled + {self._width}"))
        return f"if kind == {number} then\n{body}"

    def _write_rings(self) -> None:
        by_ring: defaultdict[tuple[Series, int], list[tuple[str, Metric]]] = defaultdict(list)
        for name, velocity in self._asked:
            if velocity.metric is Metric.SECONDS_SINCE_LAST:
                self._put(name, f"since({velocity.window_s})")
                self._reach(velocity.window_s)
            elif velocity.metric not in DISTINCT_DIMENSIONS:
                by_ring[METRIC_SERIES[velocity.metric], velocity.window_s].append((name, velocity.metric))
        for (series, window_s), asked in by_ring.items():
            letter = LETTERS[series]
            self._lines.append(f"count, sum, low, high = ring({_tag(letter, window_s)}, {ord(letter)}, {window_s})")
            self._reach(window_s + window_s // BUCKETS + 1)
            for name, metric in asked:
                if metric is not Metric.FRAUD_SHARE:
                    self._put(name, _NUMBERS.get(metric, "count"))
            self._write_shares([name for name, metric in asked if metric is Metric.FRAUD_SHARE], window_s)

    def _write_shares(self, names: Sequence[str], window_s: int) -> None:
        if not names:
            return
        frauds = self._number("count")
        due = self._number(f"dues({_tag('u', window_s)}, {window_s})")
        self._reach(window_s + LABEL_DELAY_S + 2 * max(window_s // BUCKETS, DUE_BUCKET_S_MIN))
        self._shares += [(name, frauds, due) for name in names]

    def _write_values(self) -> None:
        for number, metric in enumerate(DISTINCT_DIMENSIONS):
            asked = [(name, velocity) for name, velocity in self._asked if velocity.metric is metric]
            if asked:
                self._lines.append(f"values({_tag('v', number)}, {number + 1})")
            for name, velocity in asked:
                self._put(name, f"distinct({velocity.window_s})")
                self._reach(velocity.window_s)

    def _write_places(self) -> int:
        first = self._width
        entries = ", ".join(f"answers[filled + {first + number}]" for number in (1, 2, 3))
        self._lines.append(f"{entries} = places({_tag('l', 0)})")
        self._width += 3
        self._reach(travel.REACH_S)
        return first

    def _put(self, name: str, number: str) -> None:
        self._plain.append((name, self._number(number)))

    def _number(self, number: str) -> int:
        """The place among the kind's numbers."""
        self._lines.append(f"answers[filled + {self._width + 1}] = {number}")
        self._width += 1
        return self._width - 1

    def _reach(self, reach_s: int) -> None:
        self._reach_s = max(self._reach_s, reach_s)


_TRAVELLER: Final = ("customer",)
_NUMBERS: Final = {
    Metric.SUM_AMOUNT: "sum",
    Metric.REFUND_AMOUNT: "sum",
    Metric.MIN_AMOUNT: "count > 0 and low or -1",
    Metric.MAX_AMOUNT: "count > 0 and high or -1",
    Metric.MEAN_AMOUNT: "count > 0 and floor(sum / count + 0.5) or -1",
}
"""What is made of a ring; of those that are not named it is `count`."""


def _tag(letter: str, number: int) -> str:
    """As a literal of Lua."""
    digits = "".join(f"\\{byte:03d}" for byte in number.to_bytes(4, "big"))
    return f"'{letter}{digits}'"


def _in_place(body: str) -> str:
    """The script without comments, with its constants and these written where they stand."""
    given = {
        "BUCKETS": BUCKETS,
        "LABEL_DELAY_MS": LABEL_DELAY_S * 1_000,
        "DUE_BUCKET_MS": DUE_BUCKET_S_MIN * 1_000,
        "PLACE_MS": travel.REACH_S * 1_000,
        "STRANGERS_MAX": STRANGERS_MAX,
    }
    constants: dict[str, str] = dict(_CONSTANT.findall(body)) | {name: str(value) for name, value in given.items()}
    bare = _CONSTANT.sub("", _COMMENT.sub("", body))
    return _NAMED.sub(lambda found: constants.get(str(found[1]), str(found[1])), bare)


_BODY: Final = _in_place((files("risk.velocity") / "scripts" / "velocities.lua").read_text(encoding="utf-8"))


def _script(branches: Sequence[str]) -> Script:
    text = _BODY.replace("KINDS", "\nelse".join(branches) + "\nend" if branches else "")
    return Script(text, hashlib.sha1(text.encode()).hexdigest())  # noqa: S324 - how servers name scripts
