"""What each panel's queries answered after a run, and whether a panel may be as empty as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.monitoring.prometheus import Line, Prometheus
from loadtests.monitoring.sources import Dashboard, Panel, Query

RATE_INTERVAL: Final = "10s"
"""Five scrapes; Grafana takes four by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query gave; only the series that have a number."""

    query: Query
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Filled:
    """A panel with its answers."""

    dashboard: Dashboard
    panel: Panel
    answers: Sequence[Answer]

    @property
    def empty(self) -> list[str]:
        """The expressions without data that should have some."""
        if self.panel.may_be_empty is not None:
            return []
        return [answer.query.expr.strip() for answer in self.answers if not answer.lines]

    @property
    def series(self) -> int:
        """How many there are."""
        return sum(len(answer.lines) for answer in self.answers)

    @property
    def state(self) -> str:
        """In a word."""
        if self.empty:
            return "EMPTY"
        return "data" if self.series else "empty, as expected"


def filled(prometheus: Prometheus, dashboard: Dashboard, from_s: float, to_s: float) -> list[Filled]:
    """Every panel of a dashboard, asked as Grafana asks."""
    return [
        Filled(
            dashboard, panel, [Answer(query, _asked(prometheus, panel, query, from_s, to_s)) for query in panel.queries]
        )
        for panel in dashboard.panels
    ]


def _asked(prometheus: Prometheus, panel: Panel, query: Query, from_s: float, to_s: float) -> list[Line]:
    expression = query.expr.replace("$__rate_interval", RATE_INTERVAL)
    lines = prometheus.at(expression, to_s) if panel.kind == "bars" else prometheus.over(expression, from_s, to_s)
    return [line for line in lines if line.finite]
