"""What a scrape is made of: families of samples, from this process's registry or from files, and their text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Sorted by name; in a bucket, `le` stands last."""
Sample: TypeAlias = tuple[str, Labels]

_TEXTS_MAX: Final = 20_000
_CREATED: Final = "_created"


@dataclass(slots=True)
class Family:
    """One metric; `kind` is counter, gauge or histogram, `name` is without `_total`."""

    name: str
    kind: str
    about: str
    samples: dict[Sample, float] = field(default_factory=dict)
    """By the sample's own name and its labels, in the order in which they are told."""


def families_of(registry: CollectorRegistry) -> Iterator[Family]:
    """What a registry of prometheus_client holds, without the times at which counters were made."""
    return (family_of(metric) for metric in registry.collect())


def family_of(metric: Metric) -> Family:
    """A metric of prometheus_client."""
    family = Family(metric.name, metric.type, metric.documentation)
    for sample in metric.samples:
        if not sample.name.endswith(_CREATED):
            family.samples[sample.name, _sorted(sample.labels)] = sample.value
    return family


def text_of(families: Iterable[Family]) -> bytes:
    """Prometheus' text format, 0.0.4."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        about = family.about.replace("\\", r"\\").replace("\n", r"\n")
        lines.append(f"# HELP {name} {about}\n# TYPE {name} {family.kind}\n")
        lines += [
            f"{sample}{_text_of_labels(labels)} {go_string(value)}\n"
            for (sample, labels), value in family.samples.items()
        ]
    return "".join(lines).encode()


def go_string(value: float) -> str:
    """A number as Prometheus writes it."""
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


def _sorted(labels: dict[str, str]) -> Labels:
    """As in files: by name, `le` last."""
    return tuple(sorted(labels.items(), key=lambda item: (item[0] == "le", item[0])))


_texts: Final[dict[Labels, str]] = {}


def _text_of_labels(labels: Labels) -> str:
    """Kept: the labels of a scrape are those of the one before."""
    text = _texts.get(labels)
    if text is None:
        if len(_texts) >= _TEXTS_MAX:
            _texts.clear()
        inner = ",".join([f'{name}="{_escaped(value)}"' for name, value in labels])
        text = _texts[labels] = f"{{{inner}}}" if inner else ""
    return text


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
