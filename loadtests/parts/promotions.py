"""`make bench-promotions`: what the price of a payment costs in CPU: fields, match, judgement and best combination.

The campaigns are those of the market (market.py: tiers, draws, first payments, time windows, segments, vouchers, fees),
each of its merchant, bank, region or category; payments come from customers with a past.  Each figure is of one
thread's CPU time over the same payments: the best of many rounds, which is what the work costs on this machine, and the
median, which is what its neighbours left of it.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import orjson
import typer
from rich.console import Console
from rich.table import Table

from loadtests.traffic.market import ZONE, campaigns_of, payments_of
from promotions.campaigns.campaign import Campaign
from promotions.campaigns.fields import values_of
from promotions.campaigns.matching import CampaignSet, set_of
from promotions.facts import Facts
from promotions.offer import Offer
from promotions.pricing import price

TARGET_US: Final = 100.0
TARGET_CAMPAIGNS: Final = 10_000
WHOLE: Final = "fields, match and price"
ALL_APPLY: Final = "price where every campaign's condition holds"
Pricing: TypeAlias = Callable[[Facts, Sequence[Campaign]], Offer]
_PAYMENTS: Final = 500
_GC_THRESHOLDS: Final = (20_000, 20, 50)
"""The gateway's own (gateway/app.py)."""
_SECRET: Final = b"a key of the benchmark"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one call in µs, and how many campaigns a payment had to choose from."""

    what: str
    campaigns: int
    candidates_mean: float
    candidates_max: int
    best_us: float
    median_us: float


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Rounds over the payments for each figure.")] = 30,
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Measure, print a table, and write one JSON document."""
    gc.set_threshold(*_GC_THRESHOLDS)
    costs = list(_measure(rounds))
    at = datetime.now(UTC)
    _show(Console(), costs)
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"promotions-{at:%Y%m%dT%H%M%SZ}.json"
    document = {
        "time": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "target": {"what": "all of it", "campaigns": TARGET_CAMPAIGNS, "best_us_at_most": TARGET_US},
        "costs": [asdict(cost) for cost in costs],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    Console().print(f"Written to {path}")


def _measure(rounds: int) -> Iterator[Cost]:
    for number in (100, 1_000, TARGET_CAMPAIGNS):
        campaigns, payments = set_of(campaigns_of(number)), payments_of(_PAYMENTS, number)
        gc.collect()
        gc.freeze()
        meter = _Meter(number, [(facts, campaigns.candidates(facts)) for facts in payments], rounds)

        def whole(facts: Facts, _: Sequence[Campaign], campaigns: CampaignSet = campaigns) -> Offer:
            return price(campaigns.candidates(facts), facts, _SECRET)

        def matched(facts: Facts, _: Sequence[Campaign], campaigns: CampaignSet = campaigns) -> object:
            return campaigns.candidates(facts)

        def recorded(facts: Facts, found: Sequence[Campaign], whole: Pricing = whole) -> bytes:
            return _record(whole(facts, found))

        yield meter.cost("fields of a payment", lambda facts, _: values_of(facts, ZONE))
        yield meter.cost("fields and match", matched)
        yield meter.cost("price of its candidates", _priced)
        yield meter.cost(WHOLE, whole)
        yield meter.cost("the same, and its record as JSON", recorded)
    for number in (1, 5, 20, 100):
        all_apply = campaigns_of(number)
        yield _Meter(number, [(facts, all_apply) for facts in payments_of(_PAYMENTS, number)], rounds).cost(
            ALL_APPLY, _priced
        )


def _priced(facts: Facts, candidates: Sequence[Campaign]) -> Offer:
    return price(candidates, facts, _SECRET)


def _record(offer: Offer) -> bytes:
    return orjson.dumps([each.to_json() for each in offer.considered])


@dataclass(frozen=True, slots=True)
class _Meter:
    """Measures over these payments and the campaigns that each has to choose from, so many rounds."""

    campaigns: int
    payments: Sequence[tuple[Facts, Sequence[Campaign]]]
    rounds: int

    def cost(self, what: str, work: Callable[[Facts, Sequence[Campaign]], object]) -> Cost:
        """The CPU time of one call."""
        costs_us: list[float] = []
        for _ in range(self.rounds):
            before_ns = time.thread_time_ns()
            for facts, candidates in self.payments:
                work(facts, candidates)
            costs_us.append((time.thread_time_ns() - before_ns) / 1_000 / len(self.payments))
        found = [len(candidates) for _, candidates in self.payments]
        return Cost(
            what, self.campaigns, statistics.fmean(found), max(found), min(costs_us), statistics.median(costs_us)
        )


def _show(console: Console, costs: Sequence[Cost]) -> None:
    table = Table(title="CPU of one call, µs", title_justify="left")
    for column in ("what", "campaigns", "candidates, mean (most)", "best", "median"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for cost in costs:
        candidates = f"{cost.candidates_mean:.1f} ({cost.candidates_max})"
        table.add_row(cost.what, str(cost.campaigns), candidates, f"{cost.best_us:.1f}", f"{cost.median_us:.1f}")
    console.print(table)
    aim = next(cost for cost in costs if (cost.what, cost.campaigns) == (WHOLE, TARGET_CAMPAIGNS))
    mark = "[green]✓[/green]" if aim.best_us <= TARGET_US else "[red]✗[/red]"
    console.print(
        f"{mark} {WHOLE} over {aim.campaigns} campaigns: {aim.best_us:.1f} µs (median {aim.median_us:.1f}), at most "
        f"{TARGET_US:.0f} asked"
    )


if __name__ == "__main__":
    typer.run(main)
