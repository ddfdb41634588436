"""Every alert tells what to do, has a run-book, and is shown to fire and to stay silent."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from loadtests.monitoring.sources import FOLDER, RUNBOOKS, Rule, dashboards, rules

_ALERTS: Final = [rule for rule in rules() if rule.is_alert]
_INDEX: Final = "README"
_HEADINGS: Final = ("## What it means", "## How to look", "## What to do", "## What not to do")
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (apt install prometheus): the rules' syntax and their unit tests are left out",
)


def _page_of(rule: Rule) -> str:
    return Path(rule.body["annotations"]["runbook_url"]).stem


@pytest.mark.parametrize("rule", _ALERTS, ids=lambda rule: rule.name)
def test_an_alert_says_how_urgent_it_is_and_what_to_do(rule: Rule) -> None:
    annotations = rule.body["annotations"]

    assert rule.name.startswith("Mashang")
    assert rule.body["labels"]["severity"] in {"page", "ticket"}
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert not annotations["summary"].endswith(".")
    assert len(annotations["description"].split(". ")) >= 2
    assert annotations["runbook_url"] == f"docs/runbooks/{_page_of(rule)}.md"


@pytest.mark.parametrize("rule", _ALERTS, ids=lambda rule: rule.name)
def test_an_alerts_page_names_it_and_has_every_part(rule: Rule) -> None:
    page = (RUNBOOKS / f"{_page_of(rule)}.md").read_text()

    assert f"`{rule.name}`" in page.partition("## ")[0]
    assert re.findall(r"^## .*$", page, re.MULTILINE) == list(_HEADINGS)


def test_every_page_is_some_alerts_and_stands_in_the_index() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {_INDEX}
    index = (RUNBOOKS / f"{_INDEX}.md").read_text()

    assert pages == {_page_of(rule) for rule in _ALERTS}
    assert {name for name in pages if f"]({name}.md)" not in index} == set()
    assert {rule.name for rule in _ALERTS if f"`{rule.name}`" not in index} == set()


def test_the_index_says_of_each_alert_whether_it_wakes_somebody() -> None:
    lines = (RUNBOOKS / f"{_INDEX}.md").read_text().splitlines()

    for rule in _ALERTS:
        (line,) = [line for line in lines if f"`{rule.name}`" in line]
        assert f"| {rule.body['labels']['severity']} |" in line


def test_panels_lead_to_pages_and_dashboards_that_there_are() -> None:
    uids = {each.uid for each in dashboards()}
    panels = [panel for each in dashboards() for panel in each.panels]

    assert {panel.runbook for panel in panels if panel.runbook} <= {_page_of(rule) for rule in _ALERTS}
    assert {panel.dashboard for panel in panels if panel.dashboard} <= uids


def test_every_alert_is_shown_to_fire_and_to_stay_silent() -> None:
    shown: dict[str, set[bool]] = {}
    for test in _promtools():
        name = test["name"].partition(":")[0]
        for case in test["promql_expr_test"]:
            assert f'alertname="{name}",alertstate="firing"' in case["expr"]
            shown.setdefault(name, set()).add(bool(case["exp_samples"]))

    assert shown == {rule.name: {True, False} for rule in _ALERTS}


@needs_promtool
def test_promtool_finds_the_rules_and_the_configuration_sound() -> None:
    for command in (["check", "rules", *_paths("rules")], ["check", "config", str(FOLDER / "prometheus.yaml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@needs_promtool
def test_promtools_own_tests_of_the_alerts_pass() -> None:
    done = subprocess.run(["promtool", "test", "rules", *_paths("tests")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def _paths(folder: str) -> list[str]:
    return [str(path) for path in sorted((FOLDER / folder).glob("*.yaml"))]


def _promtools() -> list[dict[str, Any]]:
    return [test for path in _paths("tests") for test in yaml.safe_load(Path(path).read_text())["tests"]]
