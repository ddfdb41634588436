"""Which names of a ranked counter are told by name: the busiest 100, the others together as `other`.

Every process counts its names exactly (kernel/hot_metrics.py), a scrape adds the processes up, and then it is chosen:

- While there are at most 100 names, each is told.  After that the choice is looked at once a minute: a name that was
  more than twice as busy as one of the 100 takes its place.  Busy is what counted lately (half of it is forgotten in an
  hour), so that yesterday's campaign makes room for today's.
- No series ever goes back.  A name that gets a series of its own begins it with all that it has counted, and `other`
  keeps what was told of it before; a name that loses its series is told in `other` from there on.  So
  `sum(rate(...))` over all series is exact, and what one series grows by is what was counted while it was told.
- A series that ends comes back, if it does, with a higher value: Prometheus takes that for growth, which it is.

What was chosen is kept in the folder of the metric files, so that all processes tell the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from gateway.kernel import business_metrics, metrics  # noqa: F401  they say which counters are ranked
from gateway.kernel.hot_metrics import OTHER, RANKED, ROWS_MAX
from gateway.metrics.families import Family, Labels
from gateway.metrics.merging import key_of

TOLD_MAX: Final = 100
_LOOK_EVERY_S: Final = 60.0
_HALF_LIFE_S: Final = 3_600.0
_BUSIER: Final = 2.0
_FILE: Final = "ranking.json"


@dataclass(slots=True)
class Standing:
    """How one counter's names stand; `moved` is what `other` keeps of names that are told, less what it took over."""

    named: frozenset[str]
    told: set[Labels] = field(default_factory=set)
    moved: dict[Labels, float] = field(default_factory=dict)
    lately: dict[Labels, tuple[float, float]] = field(default_factory=dict)
    """Of every name: its count at the last look, and how busy it was then."""
    looked_at_s: float = 0.0

    def rest_of(self, labels: Labels) -> Labels:
        """The series of the others that this one would be counted in."""
        return tuple([(name, OTHER if name in self.named else value) for name, value in labels])

    def apply(self, counts: Mapping[Labels, float], now_s: float) -> dict[Labels, float]:
        """What is told of these counts; `now_s` is the time of day, which survives a restart."""
        names = {labels: count for labels, count in counts.items() if self.rest_of(labels) != labels}
        self._take_in(names)
        if len(names) > TOLD_MAX and now_s - self.looked_at_s >= _LOOK_EVERY_S:
            self._look(names, now_s)
        said = {labels: names[labels] for labels in self.told if labels in names}
        for labels, count in counts.items():
            if labels not in self.told:
                rest = self.rest_of(labels)
                said[rest] = said.get(rest, 0.0) + count
        for rest, amount in self.moved.items():
            said[rest] = said.get(rest, 0.0) + amount
        return said

    def _take_in(self, names: Mapping[Labels, float]) -> None:
        """A name that is new is told while there is room."""
        for labels in sorted(names.keys() - self.lately.keys(), key=lambda new: -names[new]):
            self.lately[labels] = names[labels], names[labels]
            if len(self.told) < TOLD_MAX:
                self.told.add(labels)

    def _look(self, names: Mapping[Labels, float], now_s: float) -> None:
        kept = 0.5 ** ((now_s - self.looked_at_s) / _HALF_LIFE_S) if self.looked_at_s else 1.0
        known, self.lately = self.lately, {}
        for labels, count in names.items():
            before, busy = known[labels]
            self.lately[labels] = count, busy * kept + count - before
        self.looked_at_s = now_s
        coming = sorted(names.keys() - self.told, key=self._busy, reverse=True)
        going = sorted(self.told, key=self._busy)
        for new, old in zip(coming, going, strict=False):
            if self._busy(new) <= _BUSIER * self._busy(old):
                break
            self._move(new, names[new])
            self._move(old, -names.get(old, 0.0))
            self.told.add(new)
            self.told.discard(old)

    def _busy(self, labels: Labels) -> float:
        return self.lately[labels][1]

    def _move(self, labels: Labels, count: float) -> None:
        rest = self.rest_of(labels)
        self.moved[rest] = self.moved.get(rest, 0.0) + count

    def to_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "told": sorted(self.told),
            "moved": sorted(self.moved.items()),
            "lately": sorted(self.lately.items()),
            "looked_at_s": self.looked_at_s,
        }

    @classmethod
    def of_json(cls, named: frozenset[str], kept: Mapping[str, Any]) -> Self:
        """From the file."""
        return cls(
            named=named,
            told={_labels(told) for told in kept["told"]},
            moved={_labels(rest): amount for rest, amount in kept["moved"]},
            lately={_labels(labels): (count, busy) for labels, (count, busy) in kept["lately"]},
            looked_at_s=kept["looked_at_s"],
        )


class Ranking:
    """All ranked counters.  With a folder, whoever calls holds its lock (folder.py)."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / _FILE
        self._written = b""
        self._standings: dict[str, Standing] = {}

    def apply(self, families: list[Family], now_s: float | None = None) -> None:
        """Leave of every ranked counter what is told."""
        self._read()
        for family in families:
            named = RANKED.get(family.name)
            if named is not None and family.samples:
                standing = self._standings.setdefault(family.name, Standing(named))
                counts = {labels: count for (_, labels), count in family.samples.items()}
                told = standing.apply(counts, time.time() if now_s is None else now_s)
                family.samples = {(f"{family.name}_total", labels): told[labels] for labels in sorted(told)}
        self._write()

    def standing(self, name: str) -> Standing:
        """How the names of one counter stand."""
        self._read()
        return self._standings.setdefault(name, Standing(RANKED[name]))

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            text = b""
        if text == self._written:
            return
        kept = json.loads(text) if text else {}
        self._standings = {name: Standing.of_json(RANKED[name], kept[name]) for name in kept if name in RANKED}
        self._written = text

    def _write(self) -> None:
        if self._path is None:
            return
        text = json.dumps({name: standing.to_json() for name, standing in self._standings.items()}).encode()
        if text != self._written:
            new = self._path.with_suffix(".new")
            with suppress(OSError):  # a full disk: this process goes by what it knows, and tells
                new.write_bytes(text)
                new.replace(self._path)
                self._written = text


def shortened(totals: Mapping[str, float], folder: Path) -> dict[str, float]:
    """Counters of dead processes, with so many names at most as one process keeps: the least are added to `other`.

    What is told stays, and no series goes back: a name that is not told is told in `other` already.
    """
    ranking, found = Ranking(folder), dict(totals)
    for name, named in RANKED.items():
        standing = ranking.standing(name)
        keys = [key for key in found if key_of(key).family == name and _renamed(key, named) != key]
        spare = [key for key in sorted(keys, key=found.__getitem__) if key_of(key).labels not in standing.told]
        for key in spare[: max(0, len(keys) - ROWS_MAX)]:
            rest = _renamed(key, named)
            found[rest] = found.get(rest, 0.0) + found.pop(key)
    return found


def _renamed(key: str, named: frozenset[str]) -> str:
    family, sample, labels, about = json.loads(key)
    others = {label: OTHER if label in named else value for label, value in labels.items()}
    return json.dumps([family, sample, others, about], sort_keys=True)


def _labels(pairs: Any) -> Labels:
    return tuple([(name, value) for name, value in pairs])
