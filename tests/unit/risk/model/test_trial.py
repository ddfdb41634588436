"""What XGBoost dies of is refused, and takes no other process with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost

from risk.model.model import Model, ModelError
from risk.model.scorer import Scorer
from risk.model.trial import refuse_unexplainable


@pytest.fixture
def document() -> dict[str, Any]:
    """Of a model with one tree of two leaves."""
    rows = xgboost.DMatrix(np.array([[1.0], [2.0], [3.0], [4.0]]), label=[0, 0, 1, 1])
    wanted = {"objective": "binary:logistic", "min_child_weight": 0, "base_score": 0.5}
    trees = json.loads(xgboost.train(wanted, rows, 1).save_raw("json"))
    return {"format": 1, "features": ["payment.amount"], "trees": trees}


def _tree(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["trees"]["learner"]["gradient_booster"]["model"]["trees"][0]
    return found


def _without_parents(document: dict[str, Any]) -> None:
    del _tree(document)["parents"]


def _with_parents_far_away(document: dict[str, Any]) -> None:
    _tree(document)["parents"][1:] = [2**30, 2**30]


def _of_many_classes(document: dict[str, Any]) -> None:
    document["trees"]["learner"]["learner_model_param"]["num_class"] = "3"


async def test_a_trained_model_passes(document: dict[str, Any]) -> None:
    await refuse_unexplainable(Model.of(document))


@pytest.mark.parametrize("spoil", [_without_parents, _with_parents_far_away, _of_many_classes])
async def test_trees_that_xgboost_cannot_read_are_refused(
    document: dict[str, Any], spoil: Callable[[dict[str, Any]], None]
) -> None:
    spoil(document)
    model = Model.of(document)
    assert Scorer(model).score({"payment.amount": 5}) is not None
    with pytest.raises(ModelError) as refused:
        await refuse_unexplainable(model)
    assert refused.value.part == "trees"
