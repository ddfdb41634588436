"""What operations ask of routing finds its rows by keys, or from the newest on, however many payments there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import asyncpg
import pytest

from gateway.admin.routing.matches import SQL
from gateway.database.pool import open_pool
from routing.policy.store import SQL as POLICIES
from tests.support.plans import conditions, generic_plan, scans
from tests.support.rows import settings


@pytest.fixture(scope="module")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(settings(database_url))
    yield opened
    await opened.close()


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_the_newest_payments_are_read_backwards_along_their_ids_and_no_more_than_are_wanted(
    pool: asyncpg.Pool,
) -> None:
    plan = await generic_plan(pool, SQL["recent_sales"])
    read = scans(plan, "payments")
    assert read
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan"}
    assert {node["Scan Direction"] for node in read} == {"Backward"}
    limits = [node for node in nodes(plan) if node["Node Type"] == "Limit"]
    assert any(scans(limit, "payments") for limit in limits)
    assert not [node for node in nodes(plan) if node["Node Type"] == "Sort" and scans(node, "payments")]


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [
        ("payment", "payments", "id = $1"),
        ("payment", "merchants", "id ="),
        ("attempts", "attempts", "payment_id = $1"),
        ("account_sums", "account_days", "account_id ="),
    ],
)
async def test_what_is_explained_is_found_by_its_key(pool: asyncpg.Pool, name: str, table: str, key: str) -> None:
    found = conditions(await generic_plan(pool, SQL[name]), table)
    assert found
    assert all(key in condition for condition in found), found


@pytest.mark.parametrize("name", ["in_force", "in_force_before", "list", "find"])
async def test_of_publications_only_the_last_is_read(pool: asyncpg.Pool, name: str) -> None:
    """Each process asks at every change of the directory."""
    read = scans(await generic_plan(pool, POLICIES[name]), "routing_publications")
    assert read
    assert all(node["Node Type"].startswith("Index") and node["Scan Direction"] == "Backward" for node in read)
