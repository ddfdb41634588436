"""The metric files of several processes as one: counters and histograms added up, gauges as each one says.

prometheus_client has the same (MultiProcessCollector), at several times the CPU: it parses every key of every file at
every scrape.  Here keys are parsed once.  The files are prometheus_client's own (prometheus_client/mmap_dict.py):
`counter_PID.db`, `histogram_PID.db`, and `gauge_MODE_PID.db`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.mmap_dict import MmapedDict

from gateway.metrics.families import Family, Labels, Sample, go_string

_KEYS_MAX: Final = 20_000
_LE: Final = "le"


class Key(NamedTuple):
    """A series in a file.  `bound` is a bucket's upper bound; its labels are without it."""

    family: str
    sample: str
    labels: Labels
    about: str
    bound: float | None


def read_file(path: Path) -> Iterator[tuple[str, float, float]]:
    """Key, value and time of every series in a file; nothing where it is gone, and no more than can be read of one that
    was not begun or is broken: the other processes' counts are wanted all the same.
    """
    try:
        for key, value, at, _ in MmapedDict.read_all_values_from_file(path):  # type: ignore[no-untyped-call]
            yield key, value, at
    except (FileNotFoundError, struct.error, ValueError, RuntimeError):
        return


def merged(paths: Iterable[Path]) -> list[Family]:
    """What those files hold together."""
    merging = _Merging()
    for path in sorted(paths):
        merging.take(path)
    return merging.families()


class _Merging:
    """What was read so far."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}
        self._buckets: dict[str, dict[Labels, dict[float, float]]] = {}
        self._times: dict[Sample, float] = {}

    def take(self, path: Path) -> None:
        """Add what a file holds."""
        kind, _, rest = path.stem.partition("_")
        mode = rest.partition("_")[0].removeprefix("live") if kind == "gauge" else "sum"
        for text, value, at in read_file(path):
            key = key_of(text)
            family = self._families.get(key.family)
            if family is None:
                family = self._families[key.family] = Family(key.family, kind, key.about)
            sample = key.sample, key.labels
            if key.bound is not None:
                counts = self._buckets.setdefault(key.family, {}).setdefault(key.labels, {})
                counts[key.bound] = counts.get(key.bound, 0.0) + value
            elif mode == "sum":
                family.samples[sample] = family.samples.get(sample, 0.0) + value
            elif mode != "mostrecent":
                choose = max if mode == "max" else min
                family.samples[sample] = choose(value, family.samples.get(sample, value))
            elif at > self._times.get(sample, 0.0):  # one that was never set is not told
                family.samples[sample], self._times[sample] = value, at

    def families(self) -> list[Family]:
        """All of them; files hold what fell into each bucket, Prometheus is told how many were at most each bound."""
        for name, by_labels in self._buckets.items():
            sums = self._families[name].samples
            self._families[name].samples = dict(_histogram(name, by_labels, sums))
        return list(self._families.values())


def _histogram(
    name: str, buckets: dict[Labels, dict[float, float]], sums: dict[Sample, float]
) -> Iterator[tuple[Sample, float]]:
    for labels, counts in buckets.items():
        total = 0.0
        for bound in sorted(counts):
            total += counts[bound]
            yield (f"{name}_bucket", (*labels, (_LE, go_string(bound)))), total
        yield (f"{name}_count", labels), total
        yield (f"{name}_sum", labels), sums.get((f"{name}_sum", labels), 0.0)


_keys: Final[dict[str, Key]] = {}


def key_of(text: str) -> Key:
    """A key as prometheus_client writes it: name of the metric, of the sample, labels, and help, in JSON."""
    key = _keys.get(text)
    if key is None:
        if len(_keys) >= _KEYS_MAX:
            _keys.clear()
        family, sample, labels, about = json.loads(text)
        bound = labels.pop(_LE, None)
        pairs = tuple(sorted(labels.items()))
        key = _keys[text] = Key(family, sample, pairs, about, None if bound is None else float(bound))
    return key


def totals(paths: Iterable[Path]) -> dict[str, float]:
    """The values of files of counters or of histograms added up, by key."""
    found: dict[str, float] = {}
    entries = sorted(entry[:2] for path in paths for entry in read_file(path))
    for key, same in groupby(entries, key=lambda entry: entry[0]):
        found[key] = sum(value for _, value in same)
    return found
