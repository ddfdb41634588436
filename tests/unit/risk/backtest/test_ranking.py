"""Average precision and the precision of a day's customers, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from risk.backtest.ranking import average_precision, customer_precision


def test_average_precision_is_the_mean_of_the_precision_at_each_fraud() -> None:
    fraud = np.array([True, False, True, False])
    assert average_precision(fraud, np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx((1 + 2 / 3) / 2)


def test_payments_with_the_same_score_pass_a_threshold_together() -> None:
    fraud = np.array([True, False, False, False])
    assert average_precision(fraud, np.zeros(4)) == pytest.approx(0.25)
    assert average_precision(fraud[::-1], np.zeros(4)) == pytest.approx(0.25)


def test_without_a_fraud_there_is_no_average_precision() -> None:
    assert average_precision(np.zeros(3, dtype=np.bool_), np.arange(3.0)) is None


def test_a_customer_counts_once_a_day_with_the_highest_score() -> None:
    fraud = np.array([False, True, False, True, False])
    scores = np.array([0.9, 0.1, 0.8, 0.2, 0.7])
    days = np.array([0, 0, 0, 1, 1])
    customers = np.array([1, 1, 2, 1, 2])
    # day 0: 1 (0.9, defrauded) before 2; day 1: 2 (0.7, not) before 1
    assert customer_precision(fraud, scores, days, customers, 1) == pytest.approx((1 + 0) / 2)
    assert customer_precision(fraud, scores, days, customers, 2) == pytest.approx((1 / 2 + 1 / 2) / 2)


def test_who_is_not_known_is_in_no_list_of_customers() -> None:
    fraud, scores, days = np.array([True]), np.array([1.0]), np.array([0])
    assert customer_precision(fraud, scores, days, np.array([-1])) is None
