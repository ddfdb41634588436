"""The plans that PostgreSQL makes for statements whose values it does not know, as on the gateway's connections."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import asyncpg

_EXPLAIN: Final = """DO $block$
DECLARE plan json;
BEGIN
    EXECUTE $explain$EXPLAIN (GENERIC_PLAN, FORMAT JSON) STATEMENT$explain$ INTO plan;
    RAISE NOTICE '%', plan;
END
$block$"""


async def generic_plan(pool: asyncpg.Pool, statement: str) -> dict[str, Any]:
    """The plan that every call of this statement gets (`plan_cache_mode = force_generic_plan`)."""
    told: list[str] = []

    def listen(_: Any, message: Any) -> None:
        told.append(message.message)

    async with pool.acquire() as connection:
        connection.add_log_listener(listen)
        try:
            await connection.execute(_EXPLAIN.replace("STATEMENT", statement))
        finally:
            connection.remove_log_listener(listen)
    plan: dict[str, Any] = json.loads(told[-1])[0]["Plan"]
    return plan


def scans(plan: Mapping[str, Any], table: str) -> list[Mapping[str, Any]]:
    """The nodes that read a table or its partitions."""
    return [
        node for node in _nodes(plan) if node.get("Relation Name", "").startswith(table) and "Scan" in node["Node Type"]
    ]


def conditions(plan: Mapping[str, Any], table: str) -> set[str]:
    """How the rows of a table are found: each index with its condition; `nothing` where it is read whole."""
    found = set()
    for node in scans(plan, table):
        is_bitmap = node["Node Type"] == "Bitmap Heap Scan"
        looks = [child for child in _nodes(node) if child["Node Type"] == "Bitmap Index Scan"] if is_bitmap else [node]
        found |= {str(look.get("Index Cond", "nothing")) for look in looks}
    return found


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
