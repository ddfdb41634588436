"""A model learns from what was known, is chosen on the training days alone, and scores as XGBoost itself does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost

from risk.backtest.columns import Columns
from risk.backtest.history import History
from risk.backtest.ranking import average_precision
from risk.backtest.table import TableForm, read_tables
from risk.model.feature import feature_of
from risk.model.model import Model, ModelError
from risk.model.scorer import Scorer
from risk.model.training import Days, TrainingError, matrix, score_column, train
from tests.support.risk_history import payments, write

_FEATURES = tuple(
    map(
        feature_of,
        [
            "payment.amount",
            "payment.amount / velocity('mean_amount', 'customer', '14d')",
            "velocity('fraud_share', 'terminal', '3d')",
            "velocity('fraud_count', 'terminal', '14d')",
        ],
    )
)
_DAYS = Days(0, 44)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Sixty days."""
    return read_tables([write(tmp_path_factory.mktemp("town") / "town.csv", payments())], TableForm({}))


@pytest.fixture(scope="module")
def model(history: History) -> Model:
    """Of the first forty-five."""
    return _trained(history)


def _trained(history: History, told: Sequence[str] = ()) -> Model:
    return train(history, Columns(history), _FEATURES, _DAYS, threads=1, say=list(told).append)


def test_the_model_puts_the_frauds_of_later_days_first(history: History, model: Model) -> None:
    scores = score_column(model, Columns(history), len(history)).values
    late = history.days > _DAYS.last
    reached = average_precision(history.fraud[late], scores[late])
    by_amount = average_precision(history.fraud[late], history.amount_fen[late])
    assert reached is not None
    assert by_amount is not None
    assert reached > by_amount + 0.1


def test_labels_that_became_known_after_the_training_days_teach_nothing(history: History, model: Model) -> None:
    end_ms = history.day_zero_ms + (_DAYS.last + 1) * 86_400_000
    flipped = np.where(history.known_ms >= end_ms, ~history.fraud, history.fraud)
    assert (flipped != history.fraud).sum() > 1_000
    assert _trained(replace(history, fraud=flipped, _codes={})) == model
    earlier = np.where(history.known_ms < end_ms, ~history.fraud, history.fraud)
    assert _trained(replace(history, fraud=earlier, _codes={})) != model


def test_the_scores_are_those_of_xgboost_one_by_one_and_all_at_once(history: History, model: Model) -> None:
    columns = Columns(history)
    places = np.arange(2_000, 4_000)
    rows = matrix(_FEATURES, columns, places)
    rows[::3, 1] = rows[::5, 2] = np.nan
    booster = xgboost.Booster(model_file=bytearray(json.dumps(model.trees).encode()))
    expected = booster.predict(xgboost.DMatrix(rows))
    assert np.abs(expected - Scorer(model).score_all(rows)).max() < 1e-6
    assert expected.max() > 0.5
    scored = score_column(model, columns, len(history)).values
    scorer = Scorer(model)
    for place, values in zip(range(3_000, 3_200), columns.rows(sorted(scorer.names), 3_000, 3_200), strict=True):
        assert scorer.score(values) == scored[place]


def test_the_reasons_name_what_moved_the_score(history: History, model: Model) -> None:
    scorer = Scorer(model)
    usual = {"payment.amount": 4_000, "velocity('mean_amount', 'customer', '14d')": 4_000}
    broken = {
        **usual,
        "velocity('fraud_share', 'terminal', '3d')": 1.0,
        "velocity('fraud_count', 'terminal', '14d')": 6,
    }
    score, better = scorer.score(broken), scorer.score({**broken, "velocity('fraud_share', 'terminal', '3d')": 0.0})
    assert score is not None
    assert better is not None
    assert score > better
    reasons = scorer.reasons(broken)
    assert {reason.feature for reason in reasons} <= {feature.text for feature in _FEATURES}
    assert reasons[0].log_odds > 0
    assert reasons[0].feature.startswith("velocity('fraud_")
    assert reasons[0].value == broken[reasons[0].feature]


def test_a_model_comes_back_from_its_document_as_it_was(model: Model) -> None:
    assert Model.of(json.loads(json.dumps(model.to_json()))) == model


@pytest.mark.parametrize("days", [Days(0, 5), Days(58, 59)])
def test_too_few_days_teach_nothing(history: History, days: Days) -> None:
    with pytest.raises(TrainingError):
        train(history, Columns(history), _FEATURES, days, threads=1, say=lambda _: None)


def _with_half_a_character(document: dict[str, Any]) -> None:
    document["trained"] = {"by": "\ud83d"}


def _without_features(document: dict[str, Any]) -> None:
    document["features"] = document["features"][:-1]


def _of_another_kind(document: dict[str, Any]) -> None:
    document["trees"]["learner"]["objective"]["name"] = "reg:squarederror"


def _of_another_format(document: dict[str, Any]) -> None:
    document["format"] = 2


def _without_trees(document: dict[str, Any]) -> None:
    document["trees"] = {}


def _with_a_nul(document: dict[str, Any]) -> None:
    document["trained"] = {"by": "nobody\0"}


def _with_a_large_number(document: dict[str, Any]) -> None:
    document["trained"] = {"payments": 2**70}


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (_without_features, "trees"),
        (_of_another_kind, "trees"),
        (_of_another_format, "format"),
        (_without_trees, "trees"),
        (_with_a_nul, "trained"),
        (_with_a_large_number, "trained"),
        (_with_half_a_character, "trained"),
    ],
)
def test_a_document_that_is_no_model_is_refused_by_its_part(model: Model, spoil: Any, part: str) -> None:
    document = deepcopy(model.to_json())
    spoil(document)
    with pytest.raises(ModelError) as refused:
        Model.of(document)
    assert refused.value.part == part


def _asks_of_nothing(tree: dict[str, Any]) -> None:
    tree["split_indices"][0] = 99


def _goes_round(tree: dict[str, Any]) -> None:
    tree["left_children"][0] = 0


def _ends_early(tree: dict[str, Any]) -> None:
    tree["right_children"][0] = 10_000


def _says_no_number(tree: dict[str, Any]) -> None:
    leaf = tree["left_children"].index(-1)
    tree["split_conditions"][leaf] = "nan"


def _compares_with_no_number(tree: dict[str, Any]) -> None:
    tree["split_conditions"][0] = "nan"


def _is_beyond_all_doubt(tree: dict[str, Any]) -> None:
    leaf = tree["left_children"].index(-1)
    tree["split_conditions"][leaf] = 1e308


def _shares_children(tree: dict[str, Any]) -> None:
    """Two to the power of 40 ways to a leaf, in 41 nodes."""
    tree["left_children"] = tree["right_children"] = [*range(1, 41), -1]
    tree["split_conditions"] = [0.5] * 41
    tree["split_indices"] = tree["split_type"] = tree["default_left"] = [0] * 41


@pytest.mark.parametrize(
    "spoil",
    [
        _asks_of_nothing,
        _goes_round,
        _ends_early,
        _says_no_number,
        _compares_with_no_number,
        _is_beyond_all_doubt,
        _shares_children,
    ],
)
def test_trees_that_cannot_be_walked_are_refused(model: Model, spoil: Any) -> None:
    document = deepcopy(model.to_json())
    spoil(document["trees"]["learner"]["gradient_booster"]["model"]["trees"][0])
    with pytest.raises(ModelError):
        Scorer(Model.of(document))


def test_a_base_score_that_is_no_probability_is_refused(model: Model) -> None:
    document = deepcopy(model.to_json())
    document["trees"]["learner"]["learner_model_param"]["base_score"] = "nan"
    with pytest.raises(ModelError):
        Scorer(Model.of(document))
