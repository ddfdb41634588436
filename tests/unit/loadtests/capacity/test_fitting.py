"""Costs are found again where there are any, and are never negative."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.capacity.fitting import fit

COST = st.floats(0, 5_000, allow_nan=False)


def error(rows: list[list[float]], values: list[float], costs: list[float]) -> float:
    predicted = (sum(cell * cost for cell, cost in zip(row, costs, strict=True)) for row in rows)
    return sum((told / value - 1) ** 2 for told, value in zip(predicted, values, strict=True))


@given(st.tuples(st.floats(10, 5_000), COST, COST))
def test_costs_that_made_the_figures_are_found_again(costs: tuple[float, float, float]) -> None:
    rows = [[1.0, 3.0, 8.0], [1.0, 1.5, 5.0], [1.0, 0.4, 0.9], [1.0, 0.1, 0.3]]
    values = [sum(cell * cost for cell, cost in zip(row, costs, strict=True)) for row in rows]
    assert fit(rows, values) == pytest.approx(costs, rel=1e-3, abs=0.05)


def test_a_cost_that_would_be_negative_is_none() -> None:
    rows = [[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]
    whole, batch = fit(rows, [30.0, 20.0, 10.0])
    assert batch == 0
    assert 10 < whole < 30


@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.floats(100, 9_000)), min_size=3, max_size=8),
    st.lists(st.tuples(COST, COST), min_size=1, max_size=20),
)
def test_no_other_costs_are_nearer(points: list[tuple[float, float]], others: list[tuple[float, float]]) -> None:
    rows, values = [[1.0, batches] for batches, _ in points], [value for _, value in points]
    found = fit(rows, values)
    assert min(found) >= 0
    assert all(error(rows, values, found) <= error(rows, values, list(other)) + 1e-6 for other in others)


def test_nothing_can_be_fitted_to_a_figure_that_is_not_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        fit([[1.0]], [0.0])
