"""The campaigns of the benchmark: a hundred that a manager could write, of which the measured till's draws."""

from __future__ import annotations

import pytest

from loadtests.bench.campaign_sets import HOT, campaigns_for
from promotions.campaigns.campaign import AmountOff
from promotions.campaigns.document import parse

MERCHANT = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"


def test_there_are_a_hundred_and_some_are_the_tills_own() -> None:
    documents = campaigns_for(MERCHANT)
    assert len(documents) == 100
    own = [parse(document) for document in documents if document["condition"] == f"payment.merchant_id == '{MERCHANT}'"]
    assert own, "nearly every order of the load is to have a discount"
    assert {type(campaign.benefit) for campaign in own} == {AmountOff}


def test_their_budgets_outlast_the_load() -> None:
    for document in campaigns_for(MERCHANT):
        limits = [limit for limit in document["limits"].values() if isinstance(limit, int)]
        assert all(limit >= 10**8 for limit in limits)


def test_every_order_of_the_load_draws_from_the_hot_one() -> None:
    benefit = parse(HOT).benefit
    assert isinstance(benefit, AmountOff)
    assert benefit.tiers[0].spend_fen <= 100


@pytest.mark.long
def test_there_can_be_any_number_of_them() -> None:
    assert [len(campaigns_for(MERCHANT, number)) for number in (0, 7, 2_000)] == [0, 7, 2_000]
