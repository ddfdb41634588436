"""The stacks of each scaling curve.  Stacks of one curve run side by side, so that its points can take turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from loadtests.bench.campaign_sets import end_all, put_in_force
from loadtests.bench.curve import CurveName, Point
from loadtests.bench.merchants import write_merchants
from loadtests.bench.rule_sets import rule_sets
from loadtests.bench.scene import Scene, scene
from loadtests.bench.stored import seed, state_of
from tests.support.valkey_cluster import valkey_cluster

_CAMPAIGNS: Final = 100
_RULES: Final = 1_000
SIZES: Final[Mapping[CurveName, Sequence[int]]] = {
    CurveName.CAMPAIGNS: (0, 100, 10_000),
    CurveName.RULES: (0, 1_000, 100_000),
    CurveName.MERCHANTS: (1, 1_000, 100_000),
    CurveName.CONCURRENCY: (1, 8, 32, 128, 512),
    CurveName.PROCESSES: (1, 2, 4),
    CurveName.VALKEY: (1, 3),
    CurveName.STORED: (0, 1_000_000, 10_000_000),
}
_SMALL_CASES: Final[Mapping[CurveName, int]] = {
    CurveName.CAMPAIGNS: 100, CurveName.RULES: 1_000, CurveName.MERCHANTS: 1, CurveName.STORED: 0,
}  # fmt: skip
"""Where P5 asks that the largest size costs little more than this one."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What points are made with; what is started ends with `held`."""

    console: Console
    held: ExitStack
    open_requests: int
    warm_up_s: float
    seeded: Path | None = None
    """The folder in which stacks with a long history are kept; None: each is seeded, measured and gone."""

    def stack(
        self,
        *,
        campaigns: int = _CAMPAIGNS,
        rules: int = _RULES,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        kept: Path | None = None,
    ) -> Scene:
        """A stack with so many campaigns and rules in force; on a state that is kept, no others are."""
        chosen = scene(self.console, workers=workers, everything=False, environment=environment, kept=kept)
        on = self.held.enter_context(chosen)
        on.warm_up_s = self.warm_up_s
        if kept is not None:
            end_all(on.stack.ready)
        if campaigns:
            put_in_force(on.stack.ready, campaigns)
        on.screened = rules > 0
        if rules:
            self.held.enter_context(rule_sets(on.stack.ready, rules)).put_in_force(rules=True)
        return on

    def folder(self) -> Path:
        """A folder that is gone at the end."""
        return Path(self.held.enter_context(tempfile.TemporaryDirectory(prefix="mashang-curve-")))

    def say(self, what: str) -> None:
        """Progress."""
        self.console.print(what, style="dim", highlight=False)


def points(name: CurveName, sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    """Start what the curve needs; the points in order of size."""
    return _MAKERS[name](sizes, workshop)


def _campaigns(sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    return [_point(CurveName.CAMPAIGNS, size, workshop.stack(campaigns=size), workshop) for size in sizes]


def _rules(sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    return [_point(CurveName.RULES, size, workshop.stack(rules=size), workshop) for size in sizes]


def _merchants(sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    """On one stack; the smaller cases have merchants of their own, so that the larger one's are all new."""
    on, folder, made = workshop.stack(), workshop.folder(), []
    for size in sizes:
        workshop.say(f"{size:,} merchants …")
        keys = folder / f"{size}.txt"
        write_merchants(on.stack.ready, size, keys)
        made.append(_point(CurveName.MERCHANTS, size, on, workshop, keys))
    return made


def _concurrency(sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    on = workshop.stack()
    return [Point(f"{size:,}", on, size) for size in sizes]


def _processes(sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    return [_point(CurveName.PROCESSES, size, workshop.stack(workers=size), workshop) for size in sizes]


def _valkey(sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    return [
        Point("one server" if size == 1 else "cluster", _on_valkey(size, workshop), workshop.open_requests)
        for size in sizes
    ]


def _on_valkey(masters: int, workshop: Workshop) -> Scene:
    if masters == 1:
        return workshop.stack()
    cluster = workshop.held.enter_context(valkey_cluster(workshop.folder()))
    on = workshop.stack(environment={"MASHANG_REDIS_URL": cluster.url})
    on.groups = {**on.groups, "Valkey": [node.child.pid for node in cluster.nodes]}
    return on


def _stored(sizes: Sequence[int], workshop: Workshop) -> list[Point]:
    made = []
    for size in sizes:
        kept = state_of(workshop.seeded, size) if workshop.seeded is not None and size else None
        on = workshop.stack(kept=kept)
        if size:
            workshop.say(f"{size:,} payments …")
            seed(on.stack, size)
        made.append(_point(CurveName.STORED, size, on, workshop))
    return made


def _point(name: CurveName, size: int, on: Scene, workshop: Workshop, keys: Path | None = None) -> Point:
    return Point(f"{size:,}", on, workshop.open_requests, keys, _SMALL_CASES.get(name) == size)


_MAKERS: Final[Mapping[CurveName, Callable[[Sequence[int], Workshop], list[Point]]]] = {
    CurveName.CAMPAIGNS: _campaigns,
    CurveName.RULES: _rules,
    CurveName.MERCHANTS: _merchants,
    CurveName.CONCURRENCY: _concurrency,
    CurveName.PROCESSES: _processes,
    CurveName.VALKEY: _valkey,
    CurveName.STORED: _stored,
}
