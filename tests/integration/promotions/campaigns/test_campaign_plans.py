"""What is asked of campaigns finds its rows by keys, however many campaigns and payments there are."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.admin.campaigns.matches import SQL as PAYMENTS
from gateway.merchants.stores import SQL as STORES
from promotions.campaigns.store import SQL
from tests.support.plans import conditions, generic_plan, scans


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [
        ("find", "campaigns", "id = $1"),
        ("hold", "campaigns", "id = $1"),
        ("versions", "campaign_versions", "campaign_id = $1"),
        ("hold_slices", "campaign_slices", "campaign_id = $1"),
        ("balances", "campaigns", "id = ANY"),
        ("balances", "campaign_slices", "campaign_id ="),
        ("balances", "payments", "id ="),
        ("balances", "refunds", "payment_id ="),
    ],
)
async def test_rows_of_campaigns_are_found_by_their_keys(pool: asyncpg.Pool, name: str, table: str, key: str) -> None:
    found = conditions(await generic_plan(pool, SQL[name]), table)
    assert found
    if table == "payments":  # but for those in review, which have an index of their own
        found -= {"nothing"}
    assert all(key in condition for condition in found), found


async def test_what_is_held_is_found_by_open_tasks_and_reviews(pool: asyncpg.Pool) -> None:
    plan = await generic_plan(pool, SQL["balances"])
    held = {condition for condition in conditions(plan, "redemptions") if "payment_id =" in condition}
    assert held
    assert not [condition for condition in held if "campaign_id = ANY" in condition]
    unlimited = conditions(plan, "redemptions") - held
    assert all("campaign_id = w" in condition for condition in unlimited), unlimited
    in_review = [node for node in scans(plan, "payments") if "for_review" in node.get("Index Name", "")]
    assert in_review or any("review" in str(node) for node in scans(plan, "payments"))


@pytest.mark.parametrize("name", ["list", "find", "place", "delete"])
async def test_stores_are_found_by_their_merchants(pool: asyncpg.Pool, name: str) -> None:
    found = conditions(await generic_plan(pool, STORES[name]), "stores")
    assert found
    assert all("merchant_id = " in condition and "$1" in condition for condition in found), found


async def test_the_newest_payments_are_read_backwards_along_their_ids(pool: asyncpg.Pool) -> None:
    read = scans(await generic_plan(pool, PAYMENTS["recent_payments"]), "payments")
    assert read
    assert {node["Scan Direction"] for node in read} == {"Backward"}
