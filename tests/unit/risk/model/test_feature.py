"""Features are fields and velocities as rules name them, or one divided by another; nothing else."""

from __future__ import annotations

import math

import pytest

from risk.model.feature import FeatureError, feature_of, names_of

_MEAN = "velocity('mean_amount', 'customer', '30d')"


def test_a_feature_is_the_value_of_its_name_and_nan_where_there_is_none() -> None:
    feature = feature_of("payment.amount")
    assert feature.of({"payment.amount": 1250}) == 1250
    assert math.isnan(feature.of({"payment.amount": None}))
    assert math.isnan(feature.of({}))
    assert feature_of("customer.first_payment").of({"customer.first_payment": True}) == 1


def test_a_feature_can_be_a_ratio_that_is_nan_where_one_of_the_two_is_missing_or_zero() -> None:
    feature = feature_of(f"payment.amount / {_MEAN.replace(chr(39), chr(34))}")
    assert feature.of({"payment.amount": 300, _MEAN: 200}) == 1.5
    for over in (None, 0):
        assert math.isnan(feature.of({"payment.amount": 300, _MEAN: over}))


def test_the_names_that_features_look_at_are_told_with_their_calls() -> None:
    names, calls = names_of([feature_of(f"payment.amount / {_MEAN}"), feature_of("payment.hour")])
    assert names == {"payment.amount", "payment.hour", _MEAN}
    assert [call.name for call in calls] == [_MEAN]


@pytest.mark.parametrize(
    "text",
    [
        "payment.amout",
        "payment.wallet",
        "model.score",
        "velocity('count', 'customer', '1y')",
        "payment.amount + 1",
        "payment.amount / payment.wallet",
        "",
    ],
)
def test_what_is_no_number_and_no_name_is_refused(text: str) -> None:
    with pytest.raises(FeatureError):
        feature_of(text)
