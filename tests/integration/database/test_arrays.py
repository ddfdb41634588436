"""Arrays as parameters: no element is asked by an abstract class whether it is one, and what arrives is the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from gateway.database.pool import BoundedPool, open_pool
from tests.support.rows import settings

_AT = datetime(2026, 11, 22, 16, 20, tzinfo=UTC)


class Crate:
    """A sized iterable by its methods, as `collections.abc` has it."""

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))

    def __len__(self) -> int:
        return 2


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[BoundedPool]:
    opened = await open_pool(settings(database_url, "redis://nobody"), size=1)
    yield opened
    opened.terminate()


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("text", ["a", None, "", "中文", 'with "quotes", {braces} and \\']),
        ("bigint", (1, None, -(2**62))),
        ("bytea", [b"", b"\x00\xff", None]),
        ("boolean", (True, False, None)),
        ("timestamptz", [_AT, None]),
        ("integer", [[1, 2], [3, 4]]),
        ("text", ()),
    ],
)
async def test_an_array_arrives_as_it_was_sent(pool: BoundedPool, kind: str, sent: Any) -> None:
    assert await pool.fetchval(f"SELECT $1::{kind}[]", sent) == list(sent)


async def test_a_set_is_an_array_too(pool: BoundedPool) -> None:
    assert sorted(await pool.fetchval("SELECT $1::text[]", {"a", "b"})) == ["a", "b"]
    assert await pool.fetchval("SELECT $1::text[]", frozenset({"a"})) == ["a"]


async def test_what_is_an_array_goes_by_its_type(pool: BoundedPool) -> None:
    """Were an abstract class asked, two hundred times for each payment, it would say yes to these."""
    for like_an_array in (Crate(), {1: 2}.keys()):
        with pytest.raises(asyncpg.DataError, match="sized iterable container expected"):
            await pool.fetchval("SELECT $1::bigint[]", like_an_array)


async def test_a_string_is_no_array(pool: BoundedPool) -> None:
    with pytest.raises(asyncpg.DataError, match="sized iterable container expected"):
        await pool.fetchval("SELECT $1::text[]", "abc")
