"""The try's own judgement: what it scrapes, when a panel is too empty, and how figures are written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from loadtests.monitoring.answers import Answer, Filled
from loadtests.monitoring.pictures import colour, shown
from loadtests.monitoring.prometheus import Line, configuration
from loadtests.monitoring.sources import FOLDER, Panel, Query, dashboards

_QUERY = Query(expr="a_total")


def _panel(**more: object) -> Panel:
    facts = {"title": "A", "kind": "stat", "unit": "none", "help": "It.", "width": 4, "queries": (_QUERY,)}
    return Panel.model_validate(facts | more)


def _filled(panel: Panel, lines: Sequence[Line]) -> Filled:
    return Filled(dashboards()[0], panel, [Answer(_QUERY, lines)])


def test_the_committed_jobs_are_scraped_at_the_addresses_of_the_try() -> None:
    config = configuration({"mashang-gateway": ["a:1"], "mashang-worker": ["b:2", "b:3"]})

    assert config["scrape_configs"] == [
        {"job_name": "mashang-gateway", "static_configs": [{"targets": ["a:1"]}]},
        {"job_name": "mashang-worker", "static_configs": [{"targets": ["b:2", "b:3"]}]},
    ]
    assert config["rule_files"] == [str(FOLDER / "rules" / "*.yaml")]


def test_a_panel_without_data_is_a_problem_unless_it_says_why() -> None:
    line = Line({}, [(1.0, 2.0)])

    assert (_filled(_panel(), []).empty, _filled(_panel(), []).state) == (["a_total"], "EMPTY")
    assert (_filled(_panel(), [line]).empty, _filled(_panel(), [line]).state) == ([], "data")
    assert _filled(_panel(may_be_empty="Nothing fails."), []).state == "empty, as expected"
    assert _filled(_panel(may_be_empty="Nothing fails."), [line]).state == "data"


def test_what_is_no_number_is_no_data() -> None:
    assert Line({}, [(1.0, math.nan), (2.0, 3.0), (3.0, math.inf)]).finite == [(2.0, 3.0)]


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("percentunit", 0.905, "90.5 %"),
        ("s", 0.0123, "12.3 ms"),
        ("s", 3.0, "3 s"),
        ("bytes", 3 * 2**20, "3 MiB"),
        ("prefix:¥", 16_400.0, "¥16.4 k"),
        ("suffix: /s", 2.125, "2.12 /s"),
        ("none", 7.0, "7"),
    ],
)
def test_figures_are_written_in_their_unit(unit: str, value: float, text: str) -> None:
    assert shown(_panel(unit=unit), value) == text


def test_a_panel_has_the_colour_of_the_highest_step_that_is_reached() -> None:
    panel = _panel(below="green", steps=((60, "orange"), (180, "red")))

    assert colour(panel, 59) != colour(panel, 60) != colour(panel, 200)
    assert colour(panel, 60) == colour(panel, 179)
    assert colour(panel, None) not in {colour(panel, value) for value in (0, 60, 180)}
