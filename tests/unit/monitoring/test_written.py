"""What Grafana and the cluster read is what the sources say."""

from __future__ import annotations

import json
from typing import Any

import yaml

from loadtests.monitoring.grafana import document
from loadtests.monitoring.sources import FOLDER, Dashboard, dashboards
from loadtests.monitoring.writing import written


def test_the_files_are_those_that_make_dashboards_writes() -> None:
    stale = [str(place) for place, text in written().items() if (FOLDER / place).read_text(encoding="utf-8") != text]
    made = {place.name for place in written()}
    left = [path.name for path in (FOLDER / "dashboards").glob("*.json") if path.name not in made]

    assert (stale, left) == ([], []), "make dashboards"


def test_the_config_maps_hold_every_rule_file_and_every_dashboard() -> None:
    document = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    named = {file for each in document["configMapGenerator"] for file in each["files"]}

    there = [*(FOLDER / "rules").glob("*.yaml"), *(FOLDER / "dashboards").glob("*.json")]
    assert named == {str(path.relative_to(FOLDER)) for path in there}


def test_no_panel_covers_another_and_all_have_a_number_of_their_own() -> None:
    for panels in map(_panels, dashboards()):
        taken = [
            (x, y)
            for panel in panels
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(taken) == len(set(taken))
        assert max(x for x, _ in taken) < 24
        assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    for panels in map(_panels, dashboards()):
        for panel in panels:
            if panel["type"] != "row":
                assert panel["title"]
                assert panel["description"].endswith(".")
                assert panel["fieldConfig"]["defaults"]["unit"]
                assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])


def test_versions_are_shown_by_their_names_and_figures_by_their_values() -> None:
    overview = next(
        panels for panels in map(_panels, dashboards()) if any(each["title"] == "Version" for each in panels)
    )
    modes = {each["title"]: each["options"]["textMode"] for each in overview if each["type"] == "stat"}

    assert modes.pop("Version") == "name"
    assert set(modes.values()) == {"value"}


def test_outcomes_have_colours_that_say_something() -> None:
    overview = next(each for each in dashboards() if each.uid == "mashang-overview")
    (outcomes,) = [panel for panel in _panels(overview) if panel["title"] == "Payments by outcome"]
    colours = {
        each["matcher"]["options"]: each["properties"][0]["value"]["fixedColor"]
        for each in outcomes["fieldConfig"]["overrides"]
    }

    assert colours == {"succeeded": "green", "failed": "orange", "reversed": "red", "closed": "#8a8a8a"}


def test_each_dashboard_leads_to_all_others() -> None:
    uids = {each.uid for each in dashboards()}

    for each in dashboards():
        links = {link["url"].removeprefix("/d/") for link in _document(each)["links"]}
        assert links == uids - {each.uid}


def _document(dashboard: Dashboard) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(document(dashboard, dashboards())))
    return made


def _panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = _document(dashboard)["panels"]
    return panels
