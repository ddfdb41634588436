"""`mashang risk backtest` and `train` over a file: tables, JSON, a page that loads nothing, sentences for mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.processes.errors import StackError
from tests.support.risk_history import HIGH_FEN, payments, write

_RULES = {
    "rules": [
        {"code": "HIGH", "when": f"payment.amount > {HIGH_FEN}", "action": "decline"},
        {"code": "b", "when": "payment.amount > 9000", "action": "review", "mode": "shadow"},
    ]
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with payments, rules and what a model is to look at."""
    folder = tmp_path_factory.mktemp("town")
    write(folder / "town.csv.gz", payments())
    (folder / "rules.json").write_text(json.dumps(_RULES))
    looked_at = ["payment.amount", "velocity('fraud_share', 'terminal', '3d')"]
    (folder / "features.json").write_text(json.dumps(looked_at))
    return folder


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["risk", *arguments], catch_exceptions=True)


def _backtest(town: Path, *options: str) -> Result:
    return _run("backtest", str(town / "rules.json"), "--data", str(town / "town.csv.gz"), *options)


def _found(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_back_test_prints_its_tables(town: Path) -> None:
    result = _backtest(town, "--report-from", "50")
    assert result.exit_code == 0, result.exception
    for word in ("all together", "HIGH", "shadow rules", "1970-02-20"):
        assert word in result.stdout


def test_the_same_as_json_from_a_day_or_its_date(town: Path) -> None:
    by_number = _found(_backtest(town, "--report-from", "50", "--json"))
    by_date = _found(_backtest(town, "--report-from", "1970-02-20", "--json"))
    assert by_number == by_date
    assert by_number["warm_days"] == 50
    assert [rule["code"] for rule in by_number["rules"]] == ["HIGH", "b"]
    assert by_number["together"]["precision"] == 1.0
    assert by_number["against"] is None


def test_the_last_days_can_be_left_out_and_nothing_else_changes(town: Path) -> None:
    whole = _found(_backtest(town, "--report-from", "40", "--json"))
    part = _found(_backtest(town, "--report-from", "40", "--report-to", "49", "--json"))
    assert len(whole["days"]) == 20
    assert part["days"] == whole["days"][:10]
    assert part["together"]["alerts"] == sum(day["tally"]["alerts"] for day in part["days"])


def test_another_file_can_be_compared_with(town: Path) -> None:
    (town / "other.json").write_text(json.dumps({"rules": [_RULES["rules"][0]]}))
    found = _found(_backtest(town, "--against", str(town / "other.json"), "--json"))
    assert found["against"]["new"]["alerts"] == found["against"]["gone"]["alerts"] == 0
    assert found["against"]["together"] == found["together"]


def test_the_page_loads_nothing_and_has_a_chart(town: Path) -> None:
    result = _backtest(town, "--html", str(town / "report.html"))
    assert result.exit_code == 0, result.exception
    page = (town / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") > 3
    assert "HIGH" in page
    assert "prefers-color-scheme:dark" in page
    assert not re.search(r"(src|href)=|url\(|<script|https?:", page)


def test_a_model_is_trained_written_and_played_with_rules(town: Path) -> None:
    model = town / "model.json"
    options = ("--train-days", "0-44", "--features", str(town / "features.json"), "--threads", "1", "--json")
    trained = _found(_run("train", str(model), "--data", str(town / "town.csv.gz"), *options))
    assert trained["days"] == [0, 44]
    assert trained["reported"]["days"] == [45, 59]
    scored = {"model": 1, "rules": [{"code": "SURE", "when": "model.score > 0.5", "action": "review"}]}
    (town / "scored.json").write_text(json.dumps(scored))
    arguments = ("--data", str(town / "town.csv.gz"), "--report-from", "45", "--model", str(model), "--json")
    found = _found(_run("backtest", str(town / "scored.json"), *arguments))
    assert found["ranking"]["model_average_precision"] == pytest.approx(trained["reported"]["average_precision"])
    assert found["ranking"]["model_customer_precision"] == pytest.approx(trained["reported"]["customer_precision"])
    assert found["together"]["alerts"] > 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--report-from", "400"), "0 (1970-01-01) to 59 (1970-03-01); 400 is none of them"),
        (("--report-from", "soon"), "A day is a number or a date"),
        (("--map", "amount"), "NAME=HEADING"),
        (("--map", "amount=fen"), "no column fen"),
        (("--timezone", "Moon/Crater"), "no time zone"),
        (("--label-delay", "week"), "such as 7d"),
        (("--html", "/nowhere/at/all.html"), "There is no folder"),
        (("--from", "2026-11-01"), "--data FILE, or --from and --to"),
        (("--model", "/nowhere.json"), "could not be read"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(town: Path, options: tuple[str, ...], told: str) -> None:
    result = _backtest(town, *options)
    assert isinstance(result.exception, StackError)
    assert told in str(result.exception)


def test_a_rule_set_with_a_problem_is_refused_with_its_place(town: Path) -> None:
    (town / "wrong.json").write_text(
        json.dumps({"rules": [{"code": "A", "when": "payment.amout > 1", "action": "review"}]})
    )
    result = _run("backtest", str(town / "wrong.json"), "--data", str(town / "town.csv.gz"))
    assert isinstance(result.exception, StackError)
    assert "did you mean" in result.stderr
