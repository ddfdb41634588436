"""What the code exports: every series with its labels, as prometheus_client knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import REGISTRY

import gateway.kernel.business_metrics
import gateway.kernel.metrics  # noqa: F401  it registers
from promotions.reporting.gauges import metrics_of

_SUFFIXES: Final = {"counter": ["_total"], "gauge": [""], "histogram": ["_sum", "_count", "_bucket"]}
_PREFIX: Final = "mashang_"


@dataclass(frozen=True, slots=True)
class Series:
    """One name; `bounds` are a histogram's, as `le` writes them."""

    name: str
    kind: str
    labels: frozenset[str]
    bounds: frozenset[str] = frozenset()


def exported() -> dict[str, Series]:
    """Every series by its name."""
    collectors = [each for each in REGISTRY._collector_to_names if getattr(each, "_name", "").startswith(_PREFIX)]
    made = [
        series
        for each in collectors
        for series in _series(each._name, each._type, each._labelnames, getattr(each, "_upper_bounds", ()))  # type: ignore[attr-defined]
    ]
    made += [
        series
        for family in metrics_of([], {})
        for series in _series(family.name, family.type, family._labelnames, ())  # type: ignore[attr-defined]
    ]
    return {series.name: series for series in made}


def _series(name: str, kind: str, labels: Any, bounds: Any) -> list[Series]:
    made = []
    for suffix in _SUFFIXES[kind]:
        is_bucket = suffix == "_bucket"
        les = (
            frozenset("+Inf" if bound == float("inf") else str(bound) for bound in bounds) if is_bucket else frozenset()
        )
        made.append(Series(name + suffix, kind, frozenset(labels) | ({"le"} if is_bucket else frozenset()), les))
    return made
