"""Every statement of coupons finds its rows by a key, however many coupons there are."""

from __future__ import annotations

import re
from typing import Any, Final

import asyncpg
import pytest

from promotions.coupons.campaigns import SQL
from tests.support.plans import conditions, generic_plan

KEYS: Final = {
    "coupons": ("id", "customer", "campaign_id", "earned_by", "realm"),
    "campaigns": ("id",),
    "coupon_stock": ("campaign_id",),
    "payments": ("id",),
    "redemptions": ("payment_id",),
    "campaign_versions": ("campaign_id",),
    "merchants": ("id",),
}
BY_THE_NEWEST: Final = {"list_all"}
"""Reads its page off the end of the primary key."""
INSIDE_TAKE: Final = {
    "by_id": "SELECT * FROM coupons WHERE id = $1::text",
    "by_key": "SELECT * FROM coupons WHERE customer = $1::bytea AND claim_key = $2::text",
    "by_reward": "SELECT * FROM coupons WHERE earned_by = $1::text AND reward_of = $2::text AND number = $3::smallint",
    "claimed": "SELECT count(*) FROM coupons WHERE customer = $1::bytea AND campaign_id = $2::text"
    " AND source = 'claimed'",
    "free": "SELECT id FROM coupons WHERE customer = $1::bytea AND payment_id IS NULL AND voided_at IS NULL"
    " AND (expires_at IS NULL OR expires_at > now()) ORDER BY expires_at, id LIMIT 200",
}
"""The look-ups of `take_coupons`, which EXPLAIN does not look into, and that of pricing."""


@pytest.fixture(scope="module", autouse=True)
async def many_coupons(pool: asyncpg.Pool) -> None:
    """Two hundred thousand, of two campaigns."""
    await pool.execute(
        "INSERT INTO coupons (id, campaign_id, customer, merchant_id, realm, source, created_at)"
        " SELECT 'cpn_' || n, 'cam_' || n % 2, ('c-' || n % 50000)::bytea, 'm', 'm-' || n % 1000, 'claimed', now()"
        " FROM generate_series(1, 200000) n"
    )
    await pool.execute("ANALYZE coupons")


def _by_no_key(plan: dict[str, Any]) -> list[str]:
    """The ways in which a plan reads a table without one of its keys."""
    return [
        f"{table}: {way}"
        for table, keys in KEYS.items()
        for way in conditions(plan, table)
        if not re.search(rf"\b({'|'.join(keys)})\b", way)
    ]


@pytest.mark.parametrize("name", [name for name in SQL if name not in {"take", *BY_THE_NEWEST}])
async def test_a_statement_finds_its_rows_by_a_key(pool: asyncpg.Pool, name: str) -> None:
    assert _by_no_key(await generic_plan(pool, SQL[name])) == []


@pytest.mark.parametrize("name", INSIDE_TAKE)
async def test_so_do_those_inside_of_functions(pool: asyncpg.Pool, name: str) -> None:
    assert _by_no_key(await generic_plan(pool, INSIDE_TAKE[name])) == []
