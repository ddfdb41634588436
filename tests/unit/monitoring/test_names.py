"""Every expression of every alert, rule and panel asks for series, labels, buckets and values that the code has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pytest

from gateway.admission.admission import Refusal
from gateway.kernel.failures import FailureCode
from gateway.payments.states import Status
from loadtests.monitoring.expressions import Expression, Selector, read
from loadtests.monitoring.sources import RUNBOOKS, Rule, dashboards, rules
from tests.unit.monitoring.catalogue import Series, exported

_OF_SCRAPES: Final = frozenset({"job", "instance"})
_VALUES: Final = {
    ("mashang_payments_ended_total", "failure"): {str(code) for code in FailureCode},
    ("mashang_payments_ended_total", "status"): {str(status) for status in Status},
    ("mashang_refused_total", "reason"): {refusal.value for refusal in Refusal},
    ("mashang_http_requests_total", "method"): {"GET", "POST"},
}
"""Closed sets: a selector that names something else would be silent for ever."""
_BLOCK: Final = re.compile(r"```promql\n(.*?)\n```", re.DOTALL)
_LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")
_TEMPLATE: Final = re.compile(r"\$labels\.(\w+)")


def _known() -> dict[str, Series]:
    known = exported() | {"up": Series("up", "gauge", _OF_SCRAPES)}
    for rule in rules():
        if not rule.is_alert:
            known[rule.name] = Series(rule.name, "recorded", read(rule.body["expr"]).outermost or frozenset())
    return known


_KNOWN: Final = _known()
_EXPRESSIONS: Final = [
    *((f"{rule.file}: {rule.name}", str(rule.body["expr"])) for rule in rules()),
    *(
        (f"{dashboard.title}: {panel.title}", query.expr)
        for dashboard in dashboards()
        for panel in dashboard.panels
        for query in panel.queries
    ),
    *(
        (f"{page.name}: {line}", line)
        for page in sorted(RUNBOOKS.glob("*.md"))
        for block in _BLOCK.findall(page.read_text())
        for line in block.splitlines()
    ),
]


@pytest.mark.parametrize(("where", "expression"), _EXPRESSIONS, ids=[where for where, _ in _EXPRESSIONS])
def test_an_expression_names_only_what_there_is(where: str, expression: str) -> None:
    assert problems(read(expression), _KNOWN) == []


def test_a_renamed_metric_label_bucket_or_value_is_found() -> None:
    known = {
        "a_bucket": Series("a_bucket", "histogram", frozenset({"le"}), frozenset({"0.1", "+Inf"})),
        "mashang_refused_total": Series("mashang_refused_total", "counter", frozenset({"reason"})),
    }

    assert problems(read("sum(b_total)"), known) == ["there is no b_total"]
    assert problems(read('a_bucket{le="0.2"}'), known) == ["a_bucket has no bucket 0.2"]
    assert problems(read('a_bucket{le="0.1",kind="x"}'), known) == ["a_bucket has no label kind"]
    assert problems(read("sum by (kind) (a_bucket)"), known) == ["nothing here has the label kind"]
    assert problems(read('mashang_refused_total{reason=~"beginning|tired"}'), known) == ["no reason is called tired"]


@pytest.mark.parametrize("name", sorted(name for name in _KNOWN if name.startswith("mashang:")))
def test_what_is_recorded_is_asked_for(name: str) -> None:
    assert any(name in expression for where, expression in _EXPRESSIONS if not where.endswith(name))


@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.is_alert], ids=lambda rule: rule.name)
def test_an_alerts_texts_name_labels_that_its_series_have(rule: Rule) -> None:
    texts = " ".join(rule.body["annotations"].values())

    assert set(_TEMPLATE.findall(texts)) <= labels_of_result(read(rule.body["expr"]))


def test_a_legend_names_labels_that_its_query_groups_by() -> None:
    wrong = [
        f"{dashboard.title}: {panel.title}: {query.legend}"
        for dashboard in dashboards()
        for panel in dashboard.panels
        for query in panel.queries
        if not set(_LEGEND.findall(query.legend)) <= read(query.expr).grouped
    ]

    assert wrong == []


def labels_of_result(found: Expression) -> frozenset[str]:
    """The labels that the samples of an expression can have."""
    if found.outermost is not None:
        return found.outermost
    first = _KNOWN[found.selectors[0].name]
    return first.labels if first.kind == "recorded" or first.name == "up" else frozenset()


def problems(found: Expression, known: Mapping[str, Series]) -> list[str]:
    """What an expression asks for and nobody has."""
    missing = [f"there is no {each.name}" for each in found.selectors if each.name not in known]
    if missing:
        return missing
    told = [problem for each in found.selectors for problem in _problems(each, known[each.name])]
    labels = frozenset().union(*(known[each.name].labels for each in found.selectors))
    return told + [f"nothing here has the label {label}" for label in sorted(found.grouped - labels - _OF_SCRAPES)]


def _problems(selector: Selector, series: Series) -> list[str]:
    told = []
    for label, value in selector.matchers:
        if label not in series.labels | _OF_SCRAPES:
            told.append(f"{series.name} has no label {label}")
        elif label == "le" and value not in series.bounds:
            told.append(f"{series.name} has no bucket {value}")
        closed = _VALUES.get((series.name, label))
        if closed is not None:
            plain = [each for each in value.split("|") if each]
            told += [f"no {label} is called {each}" for each in plain if each not in closed]
    return told
