"""Campaigns for Prometheus: what is spent, held and left, how fast it goes, and why payments do not get it.

Campaigns come and go, so their series are made at each scrape instead of being kept: the CAMPAIGNS_MAX running ones
that gave most today, and the others together.  So there are never more than some two hundred series.  What campaigns
without a budget and a number give is counted nowhere: their report adds it up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import asyncpg
import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from promotions.offer import Reason
from promotions.reporting.counting import SQL

CAMPAIGNS_MAX: Final = 10
OTHERS: Final = "others"
AGE_S_MAX: Final = 5.0
"""Scrapes that come closer together share what was read."""
_REASONS: Final = frozenset(Reason) - {Reason.APPLIED}
_FIGURES: Final = {
    "today_fen": ("mashang_campaign_today_fen", "Held or spent on the campaign's present day."),
    "spent_fen": ("mashang_campaign_spent_fen", "Taken by payments that succeeded, less what refunds gave back."),
    "held_fen": ("mashang_campaign_held_fen", "Taken by payments that are not decided."),
    "left_fen": ("mashang_campaign_left_fen", "Left of the whole budget."),
    "granted_left_fen": ("mashang_campaign_granted_left_fen", "Granted to the day's slices and not taken yet."),
    "share": ("mashang_campaign_paced_share", "Share of customers that a paced campaign lets through."),
}


class CampaignGauges:
    """One per process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._rows: Sequence[Any] = ()
        self._read_s = float("-inf")
        self._rates: dict[str, float] = {}

    async def text(self) -> bytes:
        """The metrics in Prometheus' text format.  Raises what the database does."""
        if time.monotonic() - self._read_s > AGE_S_MAX:
            self._keep(await self._pool.fetch(SQL["gauges"], CAMPAIGNS_MAX))
        return generate_latest(cast("CollectorRegistry", self))

    def collect(self) -> Iterator[Metric]:
        """What generate_latest asks a registry for."""
        for column, (name, help_) in _FIGURES.items():
            family = GaugeMetricFamily(name, help_, labels=["campaign"])
            for row in self._rows:
                if row[column] is not None:
                    family.add_metric([row["id"] or OTHERS], row[column])
            yield family
        rate = GaugeMetricFamily(
            "mashang_campaign_fen_per_second", "How fast it goes, between the last two looks.", labels=["campaign"]
        )
        for campaign_id, fen_per_s in self._rates.items():
            rate.add_metric([campaign_id], fen_per_s)
        yield rate
        yield self._refusals()

    def _refusals(self) -> Metric:
        family = GaugeMetricFamily(
            "mashang_campaign_refusals",
            "Payments of the present hour that did not get it, by why.",
            labels=["campaign", "reason"],
        )
        for row in self._rows:
            for what, count in orjson.loads(row["asked"] or "{}").items():
                if what in _REASONS:
                    family.add_metric([row["id"], what], count)
        return family

    def _keep(self, rows: Sequence[Any]) -> None:
        now_s = time.monotonic()
        before = {row["id"]: row["today_fen"] for row in self._rows if row["id"] is not None}
        self._rates = {
            row["id"]: max(0, row["today_fen"] - before[row["id"]]) / (now_s - self._read_s)
            for row in rows
            if row["id"] in before
        }
        self._rows, self._read_s = rows, now_s
