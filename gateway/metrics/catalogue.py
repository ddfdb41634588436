"""Every metric as a table: docs/metrics.md is made of it (`make metrics-docs`), and a test holds it to that.

python -m gateway.metrics.catalogue [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from prometheus_client import Gauge
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from gateway.kernel import business_metrics, metrics
from gateway.kernel.hot_metrics import RANKED
from promotions.reporting.gauges import metrics_of

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
_BEGIN: Final = "<!-- made by `make metrics-docs` -->\n"
_END: Final = "<!-- end -->\n"
_MODES: Final = {
    "livesum": "sum of the processes",
    "livemax": "most of the processes",
    "livemin": "least of the processes",
    "livemostrecent": "installation",
}


class Source(StrEnum):
    """Where a metric is declared."""

    BUSINESS = "Business"
    TECHNICAL = "Technical"
    CAMPAIGNS = "Campaigns, read by the worker"


@dataclass(frozen=True, slots=True)
class Entry:
    """A metric as it is told; `scope` says what a gauge is of, and is empty for what only rises."""

    source: Source
    name: str
    kind: str
    labels: tuple[str, ...]
    scope: str
    about: str


def entries() -> Iterator[Entry]:
    """All of them, by source and in the order of the code."""
    for source, module in ((Source.BUSINESS, business_metrics), (Source.TECHNICAL, metrics)):
        for declared in vars(module).values():
            metric = collector_of(declared)
            if isinstance(metric, MetricWrapperBase):
                yield _entry(source, metric)
    for family in metrics_of((), {}):
        yield Entry(
            Source.CAMPAIGNS, family.name, family.type, _labels_of(family), "installation", family.documentation
        )


def collector_of(declared: object) -> Any:
    """prometheus_client's metric behind one of the catalogue, hot or not; None behind anything else."""
    return getattr(declared, "collector", declared if isinstance(declared, MetricWrapperBase) else None)


def tables() -> str:
    """Markdown."""
    lines: list[str] = []
    for source in Source:
        lines += [f"\n### {source}\n", "| name | type | labels | of | what |", "|---|---|---|---|---|"]
        lines += [_row(entry) for entry in entries() if entry.source is source]
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with its tables made anew.  Raises ValueError where it has no place for them."""
    head, _, rest = text.partition(_BEGIN)
    _, found, tail = rest.partition(_END)
    if not found:
        raise ValueError("the page has no place for the tables")
    return f"{head}{_BEGIN}{tables()}\n{_END}{tail}"


def _entry(source: Source, metric: MetricWrapperBase) -> Entry:
    kind, name = str(metric._type), metric._name  # noqa: SLF001  the library has no other way to ask
    labels = tuple(metric._labelnames)  # noqa: SLF001
    scope = _MODES[str(metric._multiprocess_mode)] if isinstance(metric, Gauge) else ""  # noqa: SLF001
    ranked = name in RANKED
    told = f"{name}_total" if kind == "counter" else name
    return Entry(source, told, "ranked counter" if ranked else kind, labels, scope, metric._documentation)  # noqa: SLF001


def _labels_of(family: Metric) -> tuple[str, ...]:
    return tuple(family._labelnames)  # type: ignore[attr-defined]  # noqa: SLF001


def _row(entry: Entry) -> str:
    labels = ", ".join(f"`{label}`" for label in entry.labels)
    return f"| `{entry.name}` | {entry.kind} | {labels} | {entry.scope} | {entry.about} |"


def main() -> None:
    """Write the page, or with --check only say whether it is what it should be."""
    text = PAGE.read_text("utf-8")
    wanted = page(text)
    if "--check" in sys.argv[1:]:
        raise SystemExit(0 if text == wanted else "docs/metrics.md is not what the code says: run make metrics-docs")
    PAGE.write_text(wanted, "utf-8")


if __name__ == "__main__":
    main()
