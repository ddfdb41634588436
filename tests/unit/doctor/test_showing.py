"""The doctor's report: the table, the JSON, what is accepted, and the exit status."""

from __future__ import annotations

import json

import pytest

from gateway.doctor.finding import Area, Finding, Scribe, Standing
from gateway.doctor.judging.settings import judge_settings
from gateway.doctor.showing import ExitStatus, show_report
from gateway.production.reasons import Reason

POSTGRESQL = Scribe(Area.POSTGRESQL)
FOUND = [
    POSTGRESQL.ok("version", "PostgreSQL 16"),
    POSTGRESQL.problem("standby", "none [at all]", "Set one up."),
    Scribe(Area.VALKEY).warning("memory", "no bound", "Set maxmemory."),
    Scribe(Area.KEYS).not_checked("master_key", "nothing is sealed"),
]


def test_the_table_says_what_was_seen_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_report(FOUND, (), as_json=False) is ExitStatus.PROBLEMS
    shown = capsys.readouterr().out
    for text in ("standby", "PROBLEM", "none [at all]", "→ Set one up.", "1 ok, 1 not checked, 1 warning, 1 problem"):
        assert text in shown


def test_an_accepted_problem_is_a_warning_and_its_name_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_report(FOUND, ["postgresql.standby"], as_json=False) is ExitStatus.WELL
    assert "(accepted)" in capsys.readouterr().out
    assert show_report(FOUND, ["standby", "valkey.standby"], as_json=False) is ExitStatus.PROBLEMS


def test_json_has_every_finding_the_counts_and_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(FOUND, (), as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert report["exit_status"] == 2
    assert report["summary"] == {"ok": 1, "not_checked": 1, "warning": 1, "problem": 1}
    assert report["findings"][1] == {
        "area": "postgresql",
        "check": "standby",
        "standing": "problem",
        "told": "none [at all]",
        "advice": "Set one up.",
    }
    assert report["findings"][0]["advice"] is None


def test_settings_are_named_by_variable_and_development_is_told() -> None:
    reasons = [Reason("MASHANG_LOG_JSON", "no", "yes"), Reason("MASHANG_TRUSTED_PROXIES", "0", "1", is_refusal=False)]
    found = judge_settings(reasons, is_production=False)
    assert [(each.check, each.standing) for each in found] == [
        ("MASHANG_ENV", Standing.WARNING),
        ("MASHANG_LOG_JSON", Standing.PROBLEM),
        ("MASHANG_TRUSTED_PROXIES", Standing.WARNING),
    ]
    good: list[Finding] = judge_settings([], is_production=True)
    assert {each.standing for each in good} == {Standing.OK}
