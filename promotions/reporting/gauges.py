"""Campaigns for Prometheus: what is spent, held and left, how fast it goes, and why payments do not get it.

Campaigns come and go, so their series are made anew each time instead of being kept: the CAMPAIGNS_MAX running ones
that gave most today, of which the DETAILED_MAX first with every detail, and the others together as `other`.  What
campaigns without a budget and a number give is counted nowhere here: mashang_discount_fen_total has it, and their
report adds it up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import orjson
from prometheus_client.core import GaugeMetricFamily, Metric

from promotions.offer import Reason
from promotions.reporting.counting import SQL

CAMPAIGNS_MAX: Final = 100
DETAILED_MAX: Final = 10
OTHERS: Final = "other"
AGE_S_MAX: Final = 5.0
"""Looks that come closer together share what was read."""
_REASONS: Final = frozenset(Reason) - {Reason.APPLIED}
_FIGURES: Final = {
    "today_fen": ("mashang_campaign_today_fen", "Held or spent on the campaign's present day."),
    "spent_fen": ("mashang_campaign_spent_fen", "Taken by payments that succeeded, less what refunds gave back."),
    "held_fen": ("mashang_campaign_held_fen", "Taken by payments that are not decided."),
    "budget_fen": ("mashang_campaign_budget_fen", "The whole budget; nothing of campaigns without one."),
    "left_fen": ("mashang_campaign_left_fen", "Left of the whole budget."),
}
_DETAILS: Final = {
    "granted_left_fen": ("mashang_campaign_granted_left_fen", "Granted to the day's slices and not taken yet."),
    "share": ("mashang_campaign_paced_ratio", "Share of customers that a paced campaign lets through."),
}


class CampaignGauges:
    """One per process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._rows: Sequence[Any] = ()
        self._read_s = float("-inf")
        self._rates: dict[str, float] = {}

    async def metrics(self) -> list[Metric]:
        """They, read anew where that was a while ago.  Raises what the database does."""
        if time.monotonic() - self._read_s > AGE_S_MAX:
            self._keep(await self._pool.fetch(SQL["gauges"], CAMPAIGNS_MAX))
        return list(metrics_of(self._rows, self._rates))

    def _keep(self, rows: Sequence[Any]) -> None:
        now_s = time.monotonic()
        before = {row["id"]: row["today_fen"] for row in self._rows if row["id"] is not None}
        self._rates = {
            row["id"]: max(0, row["today_fen"] - before[row["id"]]) / (now_s - self._read_s)
            for row in rows
            if row["id"] in before
        }
        self._rows, self._read_s = rows, now_s


def metrics_of(rows: Sequence[Any], fen_per_s: Mapping[str, float]) -> Iterator[Metric]:
    """What is told of such rows, and of how fast each campaign goes; of no rows, what there would be."""
    detailed = rows[:DETAILED_MAX]
    for shown, figures in ((rows, _FIGURES), (detailed, _DETAILS)):
        for column, (name, about) in figures.items():
            family = GaugeMetricFamily(name, about, labels=["campaign"])
            for row in shown:
                if row[column] is not None:
                    family.add_metric([row["id"] or OTHERS], row[column])
            yield family
    rate = GaugeMetricFamily(
        "mashang_campaign_fen_per_second", "How fast it goes, between the last two looks.", labels=["campaign"]
    )
    for campaign_id, speed in fen_per_s.items():
        rate.add_metric([campaign_id], speed)
    yield rate
    yield _refusals(detailed)


def _refusals(rows: Sequence[Any]) -> Metric:
    family = GaugeMetricFamily(
        "mashang_campaign_refusals",
        "Payments of the present hour that did not get it, by why; of the ten largest.",
        labels=["campaign", "reason"],
    )
    for row in rows:
        for what, count in orjson.loads(row["asked"] or "{}").items():
            if what in _REASONS:
                family.add_metric([row["id"], what], count)
    return family
