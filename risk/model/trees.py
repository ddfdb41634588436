"""Walks all trees of a model at once, by masks: QuickScorer (Lucchese et al., SIGIR 2015), exact.

A leaf is a bit of its tree's word, the leftmost the lowest.  A node that sends a payment to the right rules out the
leaves to its left; what is ruled out by all nodes of a feature depends only on between which of their thresholds the
value lies, so that it stands in a table.  A payment's words are those of its features ANDed, its leaves the lowest bits
of these: some 12 µs for 120 trees, where a library that is called from Python takes 30 to 120.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[Any]

LEAVES_MAX: Final = 64
"""Of one tree."""
_WORDS: Final = ((16, np.uint16), (32, np.uint32), (64, np.uint64))
_ROWS_AT_ONCE: Final = 10_000
_LEAF_MAX: Final = 1e6
"""Log-odds beyond that no training gives; the sum of all leaves stays a number."""


class TreesError(ValueError):
    """No trees that can be walked; the message says why."""


class Trees:
    """Of XGBoost's JSON for binary:logistic.  Numbers are rounded to 32 bits, as the trees were trained with; NaN goes
    where the tree says."""

    def __init__(self, document: Mapping[str, Any], features: int) -> None:
        """Raises TreesError."""
        try:
            learner = document["learner"]
            given = learner["gradient_booster"]["model"]["trees"]
            base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
            trees = [_Tree(each) for each in given]
            if not 0 < base < 1:
                raise TreesError("the base score is no probability")
            self._base = math.log(base / (1 - base))
            self._build(trees, features)
        except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, RecursionError) as error:
            raise TreesError(f"{type(error).__name__}: {error}") from None

    def _build(self, trees: Sequence[_Tree], features: int) -> None:
        leaves = max(len(tree.leaves) for tree in trees)
        word = next(kind for bits, kind in _WORDS if leaves <= bits)
        splits = [split for number, tree in enumerate(trees) for split in tree.splits(number)]
        if any(not 0 <= split[0] < features for split in splits):
            raise TreesError("a node asks of a feature that there is not")
        self._thresholds: list[list[float]] = []
        self._begins: list[int] = []
        tables: list[Words] = []
        begin = 0
        for feature in range(features):
            mine = sorted((split for split in splits if split[0] == feature), key=lambda split: split[1])
            thresholds, table = _table(mine, len(trees), word)
            self._thresholds.append(thresholds)
            self._begins.append(begin)
            tables.append(table)
            begin += len(table)
        self._table: Words = np.concatenate(tables)
        self._one = word(1)
        self._firsts = np.cumsum([0, *(len(tree.leaves) for tree in trees[:-1])])
        self._leaves = np.array([leaf for tree in trees for leaf in tree.leaves])

    def score(self, row: Sequence[float]) -> float:
        """Of one payment, 0 to 1."""
        places = [
            begin + (bisect_right(thresholds, value) if value == value else len(thresholds) + 1)  # noqa: PLR0124  (NaN)
            for begin, thresholds, value in zip(self._begins, self._thresholds, _rounded(row), strict=True)
        ]
        return _probability(float(self._margins(np.bitwise_and.reduce(self._table[places], axis=0))))

    def score_all(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of many, shape (n, features); exactly what `score` gives of each."""
        found = np.empty(len(rows))
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[begin : begin + _ROWS_AT_ONCE].astype(np.float32).astype(np.float64)
            words = np.full((len(some), len(self._firsts)), np.iinfo(self._table.dtype).max, dtype=self._table.dtype)
            for feature, (first, thresholds) in enumerate(zip(self._begins, self._thresholds, strict=True)):
                values = some[:, feature]
                places = np.searchsorted(thresholds, values, side="right")
                words &= self._table[first + np.where(np.isnan(values), len(thresholds) + 1, places)]
            found[begin : begin + len(some)] = [_probability(each) for each in self._margins(words).tolist()]
        return found

    def _margins(self, words: Words) -> Any:
        """The sums of the leaves; the bits below the lowest one say its number."""
        leaf = np.bitwise_count((words - self._one) & ~words)
        return self._base + self._leaves[self._firsts + leaf].sum(axis=-1)


def _rounded(row: Sequence[float]) -> list[float]:
    found: list[float] = np.array(row, dtype=np.float32).tolist()
    return found


def _probability(margin: float) -> float:
    return 1 / (1 + math.exp(-margin)) if margin > -700 else 0.0


def _table(splits: Sequence[tuple[int, float, int, int, bool]], trees: int, word: Any) -> tuple[list[float], Words]:
    """The thresholds in order, and the words below the first, between each two, above the last; then of no value."""
    every = np.iinfo(word).max
    thresholds = sorted({split[1] for split in splits})
    table = np.full((len(thresholds) + 2, trees), every, dtype=word)
    for _, threshold, tree, ruled_out, null_is_left in splits:
        kept = word(every ^ ruled_out)
        table[bisect_right(thresholds, threshold) : -1, tree] &= kept
        if not null_is_left:
            table[-1, tree] &= kept
    return thresholds, table


class _Tree:
    """One tree: its leaves from left to right, and its nodes with the leaves to the left of each."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        if any(given["split_type"]):
            raise TreesError("a node asks of a category")
        self._given = given
        self.leaves: list[float] = []
        self._spans: dict[int, tuple[int, int]] = {}
        self._walk(0)

    def _walk(self, node: int) -> None:
        left, right = self._given["left_children"][node], self._given["right_children"][node]
        condition = float(self._given["split_conditions"][node])
        if left == -1:
            if not abs(condition) <= _LEAF_MAX:
                raise TreesError("a leaf is no log-odds")
            if len(self.leaves) == LEAVES_MAX:  # nodes that share their children would have no end of them
                raise TreesError(f"a tree has more than {LEAVES_MAX} leaves")
            self.leaves.append(condition)
            return
        if condition != condition:  # noqa: PLR0124  (NaN)
            raise TreesError("a threshold is no number")
        if left <= node or right <= node:
            raise TreesError("a node stands before its parent")
        begin = len(self.leaves)
        self._walk(left)
        self._spans[node] = (begin, len(self.leaves))
        self._walk(right)

    def splits(self, number: int) -> list[tuple[int, float, int, int, bool]]:
        """(feature, threshold, tree, the bits that are ruled out to the right, whether no value goes left)."""
        given = self._given
        return [
            (
                given["split_indices"][node],
                float(np.float32(given["split_conditions"][node])),
                number,
                (1 << end) - (1 << begin),
                bool(given["default_left"][node]),
            )
            for node, (begin, end) in self._spans.items()
        ]
