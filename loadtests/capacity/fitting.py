"""Least squares without negative costs, for the handful of unknowns that the calibration has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations


def fit(rows: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Coefficients c ≥ 0 for which Σ (row · c / value − 1)² is least: relative errors, so that every point counts.

    With so few columns every set of those that are not zero is tried, and the best of the admissible ones taken.
    Raises ValueError where a value is not above zero.
    """
    if min(values) <= 0:
        raise ValueError("relative errors need values above zero")
    scaled = [[cell / value for cell in row] for row, value in zip(rows, values, strict=True)]
    columns = range(len(rows[0]))
    best, least = [0.0] * len(rows[0]), float(len(rows))
    for size in range(1, len(rows[0]) + 1):
        for chosen in combinations(columns, size):
            found = _solve([[row[column] for column in chosen] for row in scaled])
            if found is None or min(found) < 0:
                continue
            coefficients = [0.0] * len(rows[0])
            for column, value in zip(chosen, found, strict=True):
                coefficients[column] = value
            error = sum((sum(map(_product, row, coefficients)) - 1) ** 2 for row in scaled)
            if error < least - 1e-12:
                best, least = coefficients, error
    return best


def _product(left: float, right: float) -> float:
    return left * right


def _solve(rows: Sequence[Sequence[float]]) -> list[float] | None:
    """The normal equations of rows · c = 1, by elimination; None where they have no single solution."""
    size = len(rows[0])
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(size)] + [sum(row[i] for row in rows)] for i in range(size)
    ]
    for pivot in range(size):
        best = max(range(pivot, size), key=lambda row: abs(table[row][pivot]))
        table[pivot], table[best] = table[best], table[pivot]
        if abs(table[pivot][pivot]) < 1e-12 * max(1.0, abs(table[pivot][size])):
            return None
        for row in range(size):
            if row != pivot:
                factor = table[row][pivot] / table[pivot][pivot]
                table[row] = [cell - factor * above for cell, above in zip(table[row], table[pivot], strict=True)]
    return [table[row][size] / table[row][row] for row in range(size)]
