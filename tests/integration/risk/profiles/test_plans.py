"""Following and reading find what they need by keys, and events by their time, in the generic plans of the gateway."""

from __future__ import annotations

import re

import asyncpg
import pytest

from risk.profiles.following import SQL
from tests.support.plans import conditions, generic_plan

KEYS = {
    #  statement      table             how its rows are found
    ("changes", "payments"): "id",
    ("changes", "attempts"): "payment_id",
    ("changes", "merchants"): "id",
    ("changes", "stores"): "store_id",
    ("known_pairs", "risk_payers"): "payer",
    ("habits", "risk_profiles"): "customer",
    ("profiles", "risk_profiles"): "customer",
    ("profiles", "customers"): "customer",
}


@pytest.mark.parametrize(("name", "table"), KEYS)
async def test_rows_are_found_by_their_keys(pool: asyncpg.Pool, name: str, table: str) -> None:
    found = conditions(await generic_plan(pool, SQL[name]), table)
    assert found
    key = re.compile(rf"(?<![.\w]){KEYS[name, table]} =")
    assert all(key.search(condition) for condition in found), found


async def test_events_are_found_by_their_time_or_by_their_payment(pool: asyncpg.Pool) -> None:
    found = conditions(await generic_plan(pool, SQL["changes"]), "events")
    assert any("(at >= $1) AND (at < $2)" in condition for condition in found), found
    assert all("at >= $1" in condition or "payment_id =" in condition for condition in found), found


async def test_where_following_begins_is_found_without_reading_the_events(pool: asyncpg.Pool) -> None:
    plan = str(await generic_plan(pool, SQL["first_event"]))
    assert "Seq Scan" not in plan
    assert "'Sort'" not in plan
