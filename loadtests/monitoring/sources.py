"""The sources under k8s/monitoring: dashboards as they are written, rules and alerts as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

FOLDER: Final = Path(__file__).parents[2] / "k8s" / "monitoring"
RUNBOOKS: Final = Path(__file__).parents[2] / "docs" / "runbooks"


class Strict(BaseModel):
    """A misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(Strict):
    """One expression of a panel; `legend` in Grafana's way: `{{account}}`."""

    expr: str
    legend: str = ""


class Panel(Strict):
    """One picture.  `kind`: stat, lines, stacked or bars; `width` of 24; `unit` is Grafana's id of it."""

    title: str
    kind: str = Field(pattern="^(stat|lines|stacked|bars)$")
    unit: str
    help: str
    width: int = Field(ge=3, le=24)
    queries: tuple[Query, ...] = Field(min_length=1)
    decimals: int | None = None
    floor: float | None = 0
    """Where the axis begins; None: where the values do."""
    steps: tuple[tuple[float, str], ...] = ()
    """From which value on it has which colour; green below the first, unless the first says otherwise."""
    below: str = "green"
    colours: dict[str, str] = Field(default_factory=dict)
    """Of series by their names, where a colour says something."""
    words: dict[str, str] = Field(default_factory=dict)
    """What is shown in place of a value."""
    runbook: str | None = None
    dashboard: str | None = None
    """The dashboard that tells more."""
    may_be_empty: str | None = None
    """Why it has no data after a load run; the query is tried all the same."""


class Row(Strict):
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...] = Field(min_length=1)


class Dashboard(Strict):
    """A screen."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...] = Field(min_length=1)

    @property
    def panels(self) -> Iterator[Panel]:
        """All, in their order."""
        for row in self.rows:
            yield from row.panels


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule or an alert."""

    file: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the series or of the alert."""
        return str(self.body.get("record") or self.body["alert"])

    @property
    def is_alert(self) -> bool:
        """Or else a recording rule."""
        return "alert" in self.body


def dashboards(folder: Path = FOLDER / "dashboards") -> list[Dashboard]:
    """Every dashboard's source, by file name."""
    return [Dashboard.model_validate(yaml.safe_load(path.read_text())) for path in sorted(folder.glob("*.yaml"))]


def rule_files(folder: Path = FOLDER / "rules") -> dict[str, dict[str, Any]]:
    """Every rule file by its name."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}


def rules() -> Sequence[Rule]:
    """Every rule of every file."""
    return [
        Rule(name, rule) for name, file in rule_files().items() for group in file["groups"] for rule in group["rules"]
    ]
