"""Gives the score of one payment in some tens of microseconds, and its reasons where somebody asks for them.

The trees are walked by treelite's GTIL; the reasons are SHAP values, which XGBoost works out.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
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
    """A model that is ready to be asked.  Making it takes some milliseconds and loads numpy and treelite.

    `names` are the fields and calls that it looks at, `calls` the calls among them.
    """

    def __init__(self, model: Model) -> None:
        """Raises ModelError for trees that cannot be read."""
        import numpy as np
        import treelite
        from treelite import gtil

        try:
            self._trees = treelite.frontend.from_xgboost_json(json.dumps(model.trees))
        except treelite.TreeliteError as error:
            raise ModelError(f"The trees cannot be read: {str(error).splitlines()[0]}.") from None
        self.model = model
        self.names, self.calls = names_of(model.features)
        self._predict = gtil.predict
        self._row = np.empty((1, len(model.features)), dtype=np.float32)

    names: frozenset[str]
    calls: tuple[Call, ...]

    def score(self, values: Mapping[str, Value | None]) -> float | None:
        """How likely a fraud, 0 to 1; `values` are those that rules see, by name."""
        row = self._row
        row[0] = [feature.of(values) for feature in self.model.features]
        return float(self._predict(self._trees, row, nthread=1).flat[0])

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

    def _contributions(self, row: list[float]) -> list[float]:
        import numpy as np
        import xgboost

        booster = xgboost.Booster(model_file=bytearray(json.dumps(self.model.trees).encode()))
        found: list[list[float]] = booster.predict(
            xgboost.DMatrix(np.array([row], dtype=np.float32)), pred_contribs=True
        ).tolist()
        return found[0]

    def score_all(self, rows: Any) -> Any:
        """The scores of many payments: rows of shape (n, features), NaN where null; gives shape (n,)."""
        import numpy as np

        return self._predict(self._trees, np.ascontiguousarray(rows, dtype=np.float32), nthread=1).reshape(-1)
