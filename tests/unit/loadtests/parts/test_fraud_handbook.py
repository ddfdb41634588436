"""The handbook's rules are chosen on what was known on the training days, and the shipped ones are a rule set."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from loadtests.parts.fraud_handbook import EXAMPLES, TRAINING, Town, choose
from risk.backtest.history import DAY_MS, History
from risk.backtest.table import TableForm, read_tables
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from tests.support.risk_history import payments, write


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A hundred days, ten of them after the training days."""
    return read_tables([write(tmp_path_factory.mktemp("town") / "town.csv", payments(days=100))], TableForm({}))


def _chosen(history: History) -> list[dict[str, Any]]:
    return choose(Town(history), Console(file=StringIO()))[0]


@pytest.mark.slow
def test_thresholds_are_chosen_by_nothing_that_became_known_after_the_training_days(history: History) -> None:
    end_ms = history.day_zero_ms + (TRAINING.last + 1) * DAY_MS
    rules = _chosen(history)
    assert len(rules) >= 2
    later = np.where(history.known_ms >= end_ms, ~history.fraud, history.fraud)
    assert _chosen(replace(history, fraud=later, _codes={})) == rules
    earlier = np.where(history.known_ms < end_ms, ~history.fraud, history.fraud)
    assert _chosen(replace(history, fraud=earlier, _codes={})) != rules


@pytest.mark.parametrize("name", ["fraud_handbook.json", "fraud_handbook_with_model.json"])
def test_the_shipped_rules_are_at_most_twelve_and_can_be_played(name: str) -> None:
    document = json.loads(Path(EXAMPLES / name).read_text(encoding="utf-8"))
    compiled = CompiledSet.of(parse(document, lists=(), models={1}), 1)
    assert 5 <= len(compiled.codes) <= 12
    assert len(compiled.velocities) <= 64
