"""Joins two books that stand in the same order, row by row, so that neither has to fit into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeVar

Key: TypeAlias = tuple[Any, ...]
Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")


class _Kept(NamedTuple):
    """What is kept of an iterator that is ahead; `key` is None at its end."""

    key: Key | None
    row: Any


_END = _Kept(None, None)


async def joined(
    ours: AsyncIterator[tuple[Key, Ours]], theirs: Iterator[tuple[Key, Theirs]]
) -> AsyncIterator[tuple[Key, Ours | None, Theirs | None]]:
    """Every key of either side, once, with the row of each side that has it; both sides rise by their keys."""
    left, right = await _next(ours), _following(theirs)
    while left.key is not None or right.key is not None:
        if right.key is None or (left.key is not None and left.key < right.key):
            assert left.key is not None
            yield left.key, left.row, None
            left = await _next(ours)
        elif left.key is None or right.key < left.key:
            yield right.key, None, right.row
            right = _following(theirs)
        else:
            yield left.key, left.row, right.row
            left, right = await _next(ours), _following(theirs)


async def _next(rows: AsyncIterator[tuple[Key, Any]]) -> _Kept:
    async for key, row in rows:
        return _Kept(key, row)
    return _END


def _following(rows: Iterator[tuple[Key, Any]]) -> _Kept:
    return next((_Kept(key, row) for key, row in rows), _END)
