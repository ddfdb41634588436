"""A report reads what its time and merchant bound, and looks the rest up row by row: never all that there is."""

from __future__ import annotations

import pytest

from gateway.reports.store import SQL
from tests.integration.reports.conftest import Shop
from tests.support.plans import conditions, generic_plan

OWN = {
    "payments": ("payments",),
    "payment_sums": ("payments",),
    "payment_postings": ("payments",),
    "open_payments": ("payments",),
    "count_payments": ("payments",),
    "refunds": ("refunds",),
    "refund_sums": ("refunds",),
    "refund_postings": ("refunds",),
    "open_refunds": ("refunds",),
    "count_refunds": ("refunds",),
}


@pytest.mark.parametrize("name", SQL)
def test_its_own_rows_are_found_by_merchant_and_time(shop: Shop, name: str) -> None:
    plan = shop.run(generic_plan(shop.pool, SQL[name]))
    for table in OWN[name]:
        found = conditions(plan, table)
        assert found
        assert all("merchant_id =" in condition and "id >=" in condition for condition in found), found


@pytest.mark.parametrize("name", ["payment_postings", "refund_postings"])
def test_postings_are_looked_up_for_each_of_them(shop: Shop, name: str) -> None:
    found = conditions(shop.run(generic_plan(shop.pool, SQL[name])), "transfers")
    assert found
    assert all("payment_id =" in condition for condition in found), found


@pytest.mark.parametrize("name", ["refunds", "refund_sums", "refund_postings", "open_refunds"])
def test_the_payment_of_a_refund_is_looked_up_by_its_key(shop: Shop, name: str) -> None:
    found = conditions(shop.run(generic_plan(shop.pool, SQL[name])), "payments")
    assert found
    assert all("id = r.payment_id" in condition for condition in found), found
