"""Gives the score of one payment in some tens of microseconds, and its reasons where somebody asks for them.

The reasons are SHAP values, which XGBoost works out; a process that only scores loads no more than numpy.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from gateway.kernel.expressions import Value
from gateway.kernel.expressions.fields import Call
from risk.model.feature import names_of
from risk.model.model import Model, ModelError

REASONS_MAX: Final = 5


class Reason(NamedTuple):
    """How much a feature moved the score, in log-odds: above zero towards fraud.  `value` is None where it was null."""

    feature: str
    value: float | None
    log_odds: float


class Scorer:
    """A model that is ready to be asked.  Making it takes some milliseconds.

    `names` are the fields and calls that it looks at, `calls` the calls among them.
    """

    def __init__(self, model: Model) -> None:
        """Raises ModelError for trees that cannot be read."""
        from risk.model.trees import Trees, TreesError

        try:
            self._trees = Trees(model.trees, len(model.features))
        except TreesError as error:
            raise ModelError(f"The trees cannot be read: {error}.") from None
        self.model = model
        self.names, self.calls = names_of(model.features)

    names: frozenset[str]
    calls: tuple[Call, ...]

    def score(self, values: Mapping[str, Value | None]) -> float | None:
        """How likely a fraud, 0 to 1; `values` are those that rules see, by name."""
        return self._trees.score([feature.of(values) for feature in self.model.features])

    def score_all(self, rows: Any) -> Any:
        """The scores of many payments: rows of shape (n, features), NaN where null; gives shape (n,)."""
        return self._trees.score_all(rows)

    def reasons(self, values: Mapping[str, Value | None]) -> tuple[Reason, ...]:
        """The features that moved the score most, at most REASONS_MAX.  Takes milliseconds and loads XGBoost."""
        row = [feature.of(values) for feature in self.model.features]
        moved = self._contributions(row)[: len(row)]
        ordered = sorted(zip(self.model.features, row, moved, strict=True), key=lambda each: -abs(each[2]))
        return tuple(
            Reason(feature.text, None if value != value else float(value), by)  # noqa: PLR0124  (NaN)
            for feature, value, by in ordered[:REASONS_MAX]
            if by
        )

    def try_reasons(self) -> None:
        """Raises ValueError or TypeError where XGBoost has no reasons to give; of some damaged trees it dies."""
        moved = self._contributions([math.nan] * len(self.model.features))
        if not math.isfinite(math.fsum(moved)):
            raise ValueError("its reasons are no numbers")

    def _contributions(self, row: list[float]) -> list[float]:
        import numpy as np
        import xgboost

        booster = xgboost.Booster(model_file=bytearray(json.dumps(self.model.trees).encode()))
        found: list[list[float]] = booster.predict(
            xgboost.DMatrix(np.array([row], dtype=np.float32)), pred_contribs=True
        ).tolist()
        return found[0]
