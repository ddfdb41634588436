"""`make bench-risk`: what a risk decision costs in CPU by the number of rules, and all of it in a payment by its parts.

Rules and payments are those of risk_rules.py, from a seed.  Figures are of one thread's CPU time over the same
payments: the best of many rounds, which is what the work costs on this machine, and the median, which is what its
neighbours left of it.  In the payment, Valkey is a real one; what its pipeline costs by itself is measured with a
script that does nothing.  Reading a set of 100,000 rules happens in a process of its own (risk_reading.py).
"""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median, quantiles
from time import process_time, thread_time_ns
from typing import Annotated, Final

import orjson
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from gateway.kernel.expressions import Value, check
from loadtests.parts.risk_payment import Part, parts_of_a_payment
from loadtests.parts.risk_reading import Reading, reading_of
from loadtests.traffic.risk_rules import document_of, payments_of
from risk.decision import Action
from risk.engine import decide
from risk.facts import Facts
from risk.fields import FIELDS
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.rules.rule import Rule, RuleSet
from risk.values import values_of

SIZES: Final = (10, 100, 1_000, 10_000, 100_000)
TARGETS_US: Final = {1_000: 50.0, 100_000: 300.0}
"""P6: values, match and decision; with 100,000 rules at up to 100 hits."""
TARGET_PAYMENT_US: Final = 80.0
MANY_HITS: Final = (50, 100)
CERTAIN_RULES: Final = 100
CERTAIN: Final = "of them always hit"
_PAYMENTS: Final = 500
_GC_THRESHOLDS: Final = (20_000, 20, 50)
"""The gateway's own (gateway/app.py)."""
_ALWAYS: Final = "payment.amount > 0 && payment.method == 'barcode'"


@dataclass(frozen=True, slots=True)
class Curve:
    """CPU of one decision in µs, by the number of rules; `payments` is how many of those drawn it is about."""

    rules: int
    of: str
    payments: int
    hits_mean: float
    hits_p99: float
    hits_max: int
    values_us: float
    match_us: float
    decide_us: float
    all_us: float
    all_median_us: float
    build_s: float


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Rounds over the payments for each figure.")] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out 100,000 rules.")] = False,
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Measure, print tables, and write one JSON document."""
    gc.set_threshold(*_GC_THRESHOLDS)
    parts = list(parts_of_a_payment(rounds))
    curves: list[Curve] = []
    readings: list[Reading] = []
    for rules in SIZES[:-1] if quick else SIZES:
        curves += _curves(rules, rounds, readings)
    at = datetime.now(UTC)
    _show(Console(), curves, parts, readings)
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"risk-{at:%Y%m%dT%H%M%SZ}.json"
    document = {
        "time": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "targets": {"decision_us_by_rules": list(TARGETS_US.items()), "payment_us": TARGET_PAYMENT_US},
        "curves": [asdict(each) for each in curves],
        "payment": [asdict(each) for each in parts],
        "reading": [asdict(each) for each in readings],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    Console().print(f"Written to {path}")


def _curves(rules: int, rounds: int, readings: list[Reading]) -> Iterator[Curve]:
    rule_set = parse(document_of(rules), lists=None, models=None)
    compiled, build_s = _built(rule_set)
    meter = _Meter(compiled, build_s, rules, rounds)
    payments = payments_of(_PAYMENTS)
    yield meter.curve("all", payments)
    if many := [each for each in payments if MANY_HITS[0] <= meter.hits(*each) <= MANY_HITS[1]]:
        yield meter.curve(f"{MANY_HITS[0]}–{MANY_HITS[1]} hits", many)
    if rules >= max(TARGETS_US):
        readings.append(reading_of(compiled))
        certain = tuple(
            Rule(f"S_{number:03}", check(_ALWAYS, FIELDS), Action.SCORE, 1) for number in range(CERTAIN_RULES)
        )
        with_certain = replace(rule_set, rules=(*rule_set.rules[CERTAIN_RULES:], *certain))
        yield _Meter(*_built(with_certain), rules, rounds).curve(f"{CERTAIN_RULES} {CERTAIN}", payments)


def _built(rule_set: RuleSet) -> tuple[CompiledSet, float]:
    """The set and how long its index took, in seconds of CPU."""
    began = process_time()
    compiled = CompiledSet.of(rule_set, 1)
    built_s = process_time() - began
    gc.collect()
    gc.freeze()
    return compiled, built_s


@dataclass(frozen=True, slots=True)
class _Meter:
    compiled: CompiledSet
    build_s: float
    rules: int
    rounds: int

    def hits(self, facts: Facts, features: Mapping[str, Value | None]) -> int:
        return len(self.compiled.matcher.matches(values_of(self.compiled, facts, features)))

    def curve(self, of: str, payments: Sequence[tuple[Facts, Mapping[str, Value | None]]]) -> Curve:
        """Of these payments."""
        known = [(facts, features, values_of(self.compiled, facts, features)) for facts, features in payments]
        hits = [self.hits(*each) for each in payments]
        values, matched, decided, everything = [], [], [], []
        compiled, matches = self.compiled, self.compiled.matcher.matches
        for _ in range(self.rounds):
            began = thread_time_ns()
            for facts, features, _values in known:
                values_of(compiled, facts, features)
            values.append(thread_time_ns() - began)
            began = thread_time_ns()
            for _facts, _features, of_payment in known:
                matches(of_payment)
            matched.append(thread_time_ns() - began)
            began = thread_time_ns()
            for facts, _features, of_payment in known:
                decide(compiled, of_payment, facts)
            decided.append(thread_time_ns() - began)
            began = thread_time_ns()
            for facts, features, _values in known:
                decide(compiled, values_of(compiled, facts, features), facts)
            everything.append(thread_time_ns() - began)
        each_us = len(known) * 1_000
        return Curve(
            rules=self.rules,
            of=of,
            payments=len(known),
            hits_mean=fmean(hits),
            hits_p99=quantiles(hits, n=100)[98] if len(hits) > 1 else hits[0],
            hits_max=max(hits),
            values_us=min(values) / each_us,
            match_us=min(matched) / each_us,
            decide_us=min(decided) / each_us,
            all_us=min(everything) / each_us,
            all_median_us=median(everything) / each_us,
            build_s=self.build_s,
        )


def _show(console: Console, curves: Sequence[Curve], parts: Sequence[Part], readings: Sequence[Reading]) -> None:
    table = Table(title="CPU of a decision, µs; hits are their mean (and most)", title_justify="left", box=SIMPLE)
    for column in (
        "rules",
        "of",
        "hits",
        "values",
        "match",
        "decide",
        "all",
        "all, median",
        "build, s",
    ):
        table.add_column(column, justify="left" if column == "of" else "right")
    for each in curves:
        hits = f"{each.hits_mean:.1f} ({each.hits_max})"
        costs = (each.values_us, each.match_us, each.decide_us, each.all_us, each.all_median_us)
        table.add_row(f"{each.rules:,}", each.of, hits, *(f"{cost:.1f}" for cost in costs), f"{each.build_s:.2f}")
    console.print(table)
    table = Table(
        title="1,000 live rules and 20 velocities in a payment, µs of gateway CPU", title_justify="left", box=SIMPLE
    )
    for column in ("part", "best", "median"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for part in parts:
        table.add_row(part.what, f"{part.best_us:.1f}", f"{part.median_us:.1f}")
    console.print(table)
    for reading in readings:
        console.print(reading.line())
    for each in curves:
        if each.rules in TARGETS_US and CERTAIN not in each.of:
            _judge(console, f"{each.rules:,} rules, {each.of}", each.all_us, TARGETS_US[each.rules])
    _judge(console, parts[0].what, parts[0].best_us, TARGET_PAYMENT_US)


def _judge(console: Console, what: str, found_us: float, target_us: float) -> None:
    mark = "[green]✓[/green]" if found_us <= target_us else "[red]✗[/red]"
    console.print(f"{mark} {what}: {found_us:.1f} µs, at most {target_us:.0f} asked")


if __name__ == "__main__":
    typer.run(main)
