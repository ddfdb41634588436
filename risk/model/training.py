"""Trains a model on a labelled history: a share of the training days chooses its size, then all of them are used."""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from risk.backtest.column import Column
from risk.backtest.columns import Columns
from risk.backtest.history import DAY_MS, History
from risk.backtest.ranking import average_precision
from risk.backtest.timeline import Bools, Ints
from risk.model.feature import Feature
from risk.model.model import Model

Floats: TypeAlias = npt.NDArray[np.float64]
Say: TypeAlias = Callable[[str], None]

DEPTHS: Final = (3, 4, 5)
TREES_TRIED_MAX: Final = 120
_STEP: Final = 20
_FIXED: Final = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 5,
    "seed": 1,
}
_VALIDATION_SHARE: Final = 4
"""The last quarter of the days chooses depth and number of trees."""
_ROWS_PER_CALL: Final = 50_000


class TrainingError(Exception):
    """Nothing can be learned from this; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days to learn from, `first` to `last`, both within.

    A label counts only if it was known when the last day ended: whoever trains then has no later ones.
    """

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Size:
    """What was chosen."""

    depth: int
    trees: int


def matrix(features: Sequence[Feature], columns: Columns, places: Ints) -> Floats:
    """The features of payments, NaN where null; shape (m, features)."""
    rows = np.full((len(places), len(features)), np.nan)
    for number, feature in enumerate(features):
        top = columns.of(feature.name)
        over = None if feature.over is None else columns.of(feature.over)
        if top is None or (feature.over is not None and over is None):
            continue
        values = top.floats()[places]
        if over is not None:
            below = over.floats()[places]
            values = np.divide(values, below, out=np.full_like(values, np.nan), where=below != 0)
        rows[:, number] = values
    return rows


def train(
    history: History, columns: Columns, features: Sequence[Feature], days: Days, *, threads: int, say: Say
) -> Model:
    """Choose depth and number of trees on the last quarter of the days, then train on all.  Raises TrainingError."""
    end_ms = history.day_zero_ms + (days.last + 1) * DAY_MS
    usable = (history.days >= days.first) & (history.days <= days.last) & (history.known_ms < end_ms)
    places = np.flatnonzero(usable)
    if not 0 < int(history.fraud[places].sum()) < len(places):
        raise TrainingError("Those days have no payments that were known as fraud when they ended, or no others.")
    rows, fraud = matrix(features, columns, places), history.fraud[places]
    size, tried = _choose(_Lesson(history, places, rows), threads, say)
    say(f"training {size.trees} trees of depth {size.depth} on {len(places):,} payments, {int(fraud.sum()):,} frauds")
    booster = _boosted(rows, fraud, size, threads)
    told = {
        "days": [days.first, days.last],
        "payments": len(places),
        "frauds": int(fraud.sum()),
        "depth": size.depth,
        "trees": size.trees,
        "tried": tried,
    }
    return Model(tuple(features), json.loads(bytes(booster.save_raw("json"))), told)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """The payments at some places of a history, with what is to be looked at of them."""

    history: History
    places: Ints
    rows: Floats


def _choose(lesson: _Lesson, threads: int, say: Say) -> tuple[Size, list[dict[str, Any]]]:
    """The size with the best average precision on the last days, learned from what was known before these began."""
    history, places, rows = lesson.history, lesson.places, lesson.rows
    fraud, days = history.fraud[places], history.days[places]
    cut = int(days[-1]) - max(1, (int(days[-1]) - int(days[0])) // _VALIDATION_SHARE)
    cut_ms = history.day_zero_ms + cut * DAY_MS
    before, after = np.flatnonzero(history.known_ms[places] < cut_ms), np.flatnonzero(days >= cut)
    if not fraud[before].any() or not fraud[after].any():
        raise TrainingError("There are too few days to choose a size: it takes frauds in the first and in the last.")
    tried: list[dict[str, Any]] = []
    for depth in DEPTHS:
        booster = _boosted(rows[before], fraud[before], Size(depth, TREES_TRIED_MAX), threads)
        for trees in range(_STEP, TREES_TRIED_MAX + 1, _STEP):
            scores = booster.inplace_predict(rows[after], iteration_range=(0, trees))
            precision = average_precision(fraud[after], scores) or 0.0
            tried.append({"depth": depth, "trees": trees, "average_precision": round(precision, 4)})
        say(f"depth {depth}: average precision {max(each['average_precision'] for each in tried):.4f} at best so far")
    best = max(tried, key=lambda each: (each["average_precision"], -each["trees"]))
    return Size(best["depth"], best["trees"]), tried


def _boosted(rows: Floats, fraud: Bools, size: Size, threads: int) -> Any:
    import xgboost

    data = xgboost.QuantileDMatrix(rows, fraud.astype(np.float32), nthread=threads)
    return xgboost.train({**_FIXED, "max_depth": size.depth, "nthread": threads}, data, size.trees)


def score_column(model: Model, columns: Columns, count: int, begin: int = 0) -> Column:
    """The model's score of the payments of a history, `count` of them, as the gateway gives it; null before `begin`."""
    from risk.model.scorer import Scorer

    scorer = Scorer(model)
    scores, known = np.zeros(count), np.arange(count) >= begin
    for first in range(begin, count, _ROWS_PER_CALL):
        places = np.arange(first, min(first + _ROWS_PER_CALL, count))
        scores[places] = scorer.score_all(matrix(model.features, columns, places))
    return Column(scores, known)
