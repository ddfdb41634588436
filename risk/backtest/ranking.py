"""How good a score is at putting frauds first, whatever threshold is chosen afterwards."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from risk.backtest.timeline import NOBODY, Bools, Ints

CUSTOMERS_A_DAY: Final = 100
"""So many a team can look at."""


def average_precision(fraud: Bools, scores: npt.NDArray[Any]) -> float | None:
    """Σ (recall_k − recall_{k−1}) · precision_k over the thresholds k, as scikit-learn defines it; None without fraud.

    Payments with the same score pass a threshold together.
    """
    total = int(fraud.sum())
    if not total:
        return None
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    caught = np.cumsum(fraud[order])[ends]
    precision = caught / (ends + 1)
    return float((np.diff(np.append(0, caught)) * precision).sum() / total)


def customer_precision(
    fraud: Bools, scores: npt.NDArray[Any], days: Ints, customers: Ints, count: int = CUSTOMERS_A_DAY
) -> float | None:
    """Of the customers with the highest scores of a day, the share that was defrauded on that day; its mean over days.

    A customer's score is the highest of the day; nobody is left out because of what was known of him before.
    """
    known = customers != NOBODY
    if not known.any():
        return None
    shares = [
        _share_of_day(fraud[of_day], scores[of_day], customers[of_day], count)
        for day in np.unique(days)
        if (of_day := np.flatnonzero((days == day) & known)).size
    ]
    return float(np.mean(shares))


def _share_of_day(fraud: Bools, scores: npt.NDArray[Any], customers: Ints, count: int) -> float:
    different, of = np.unique(customers, return_inverse=True)
    highest = np.full(len(different), -np.inf)
    np.maximum.at(highest, of, scores)
    defrauded = np.zeros(len(different), dtype=np.bool_)
    np.logical_or.at(defrauded, of, fraud)
    best = np.argsort(-highest, kind="stable")[:count]
    return float(defrauded[best].mean())
