"""The index of a set of rows: lists by key where many values are asked for, blocks of masks for all others.

- A term of which many different values are asked (a merchant, a card's BIN) is a key: its rows stand in a list by
  value, so that a payment sees those of its own merchant only. A long list is an index again.
- All other rows stand in blocks, those that ask of the same terms beside one another, so that a block asks of few
  terms.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gateway.kernel.expressions.blocks import PENDING, Block, Check, Checks, Compute, Row, block_of, holds
from gateway.kernel.expressions.constraints import Constraint

BLOCK_ROWS_MAX: Final = 4_096
"""Few large blocks: of a small one each mask is fetched from memory for a handful of rows."""
KEY_VALUES_MIN: Final = 64
"""A term is a key where at least so many values are asked of it."""
KEY_LIST_MAX: Final = 64
"""A row that lists more values than this is not put under each of them."""
PART_ROWS: Final = 2_048
"""Rows under keys that make a part."""
SHORT_LIST_MAX: Final = 24
"""Rows under one key that are looked at one by one; more of them are an index of their own."""


@dataclass(frozen=True, slots=True)
class Index:
    """See the module. Immutable."""

    keyed: tuple[tuple[int, dict[Any, Bucket]], ...]
    blocks: tuple[Block, ...]

    def collect(self, held: list[Any], compute: Compute, hits: list[int]) -> None:
        """Append the conditions that these values meet; one may come several times."""
        for slot, buckets in self.keyed:
            value = held[slot]
            bucket = buckets.get(compute(slot) if value is PENDING else value)
            if bucket is None:
                continue
            if isinstance(bucket, Index):
                bucket.collect(held, compute, hits)
                continue
            hits += [row.condition for row in bucket if holds(row.checks, held, compute)]
        for block in self.blocks:
            block.collect(held, compute, hits)


Bucket: TypeAlias = tuple[Row, ...] | Index
"""The rows under one value of a key, without what they ask of the key."""
Part: TypeAlias = tuple[int, dict[Any, Bucket]] | Block
"""Some thousand rows of an index: a block, or what stands under some values of a key (its slot)."""


class Shared(tuple[Check, ...]):
    """Some of the checks that the rows of several parts share: who writes the parts apart writes these once."""

    __slots__ = ()


def shared_of(index: Index) -> Iterator[Shared]:
    """All that its rows share, in some thousand checks each."""
    checks = list({id(check): check for checks in _checks_of(index) for check in checks}.values())
    for start in range(0, len(checks), PART_ROWS):
        yield Shared(checks[start : start + PART_ROWS])


def parts_of(index: Index) -> Iterator[Part]:
    """What the index is put together of again by `joined`."""
    for slot, buckets in index.keyed:
        some: dict[Any, Bucket] = {}
        rows = 0
        for value, bucket in buckets.items():
            some[value] = bucket
            rows += _rows_of(bucket)
            if rows >= PART_ROWS:
                yield slot, some
                some, rows = {}, 0
        yield slot, some
    yield from index.blocks


def joined(parts: Iterable[Part]) -> Index:
    """The index of these parts, in their order."""
    keyed: dict[int, dict[Any, Bucket]] = {}
    blocks: list[Block] = []
    for part in parts:
        if isinstance(part, Block):
            blocks.append(part)
        else:
            keyed.setdefault(part[0], {}).update(part[1])
    return Index(tuple(keyed.items()), tuple(blocks))


def _checks_of(index: Index) -> Iterator[Checks]:
    """Of all rows that are looked at one by one."""
    for block in index.blocks:
        yield from block.checks
    for bucket in (bucket for _, buckets in index.keyed for bucket in buckets.values()):
        if isinstance(bucket, Index):
            yield from _checks_of(bucket)
        else:
            yield from (row.checks for row in bucket)


def _rows_of(bucket: Bucket) -> int:
    if not isinstance(bucket, Index):
        return len(bucket)
    under_keys = sum(_rows_of(each) for _, buckets in bucket.keyed for each in buckets.values())
    return under_keys + sum(len(block.conditions) for block in bucket.blocks)


def index_of(rows: Sequence[Row], computed_from: int) -> Index:
    """Build the index. Slots from `computed_from` on are computed terms, which are no keys."""
    counts = _counts(rows, computed_from)
    keyed: defaultdict[int, defaultdict[Any, list[Row]]] = defaultdict(lambda: defaultdict(list))
    rest: list[Row] = []
    for row in rows:
        key = _key_of(row, counts)
        if key is None:
            rest.append(row)
            continue
        slot, values = key
        without = Row(row.condition, tuple(check for check in row.checks if check[0] != slot))
        for value in values:
            keyed[slot][value].append(without)
    return Index(
        keyed=tuple((slot, _buckets(lists, computed_from)) for slot, lists in keyed.items()),
        blocks=tuple(block_of(some, computed_from) for some in _cut(_neighbours(rest))),
    )


def _counts(rows: Iterable[Row], computed_from: int) -> dict[int, Counter[Any]]:
    """For each slot that can be a key: how many rows ask for each value."""
    counts: defaultdict[int, Counter[Any]] = defaultdict(Counter)
    for row in rows:
        for slot, constraint in row.checks:
            if slot < computed_from and constraint.among is not None and len(constraint.among) <= KEY_LIST_MAX:
                counts[slot].update(constraint.among)
    return {slot: values for slot, values in counts.items() if len(values) >= KEY_VALUES_MIN}


def _key_of(row: Row, counts: dict[int, Counter[Any]]) -> tuple[int, frozenset[Any]] | None:
    """The slot and values under which the row stands: those with the fewest rows beside it."""
    best: tuple[int, int, frozenset[Any]] | None = None
    for slot, constraint in row.checks:
        if slot in counts and constraint.among is not None and len(constraint.among) <= KEY_LIST_MAX:
            beside = max(counts[slot][value] for value in constraint.among)
            if best is None or beside < best[0]:
                best = (beside, slot, constraint.among)
    return None if best is None else best[1:]


def _buckets(lists: dict[Any, list[Row]], computed_from: int) -> dict[Any, Bucket]:
    return {
        value: tuple(rows) if len(rows) <= SHORT_LIST_MAX else index_of(rows, computed_from)
        for value, rows in lists.items()
    }


def _neighbours(rows: list[Row]) -> list[Row]:
    """The rows in an order in which those that ask the same stand together: by the terms, rarest first, then by what
    they ask of these, lists before ranges."""
    popularity = Counter(slot for row in rows for slot, _ in row.checks)

    def place(row: Row) -> tuple[Any, ...]:
        terms = sorted((popularity[slot], slot) for slot, _ in row.checks)
        asked = dict(row.checks)
        return tuple(terms), tuple(_rank(asked[slot]) for _, slot in terms)

    return sorted(rows, key=place)


def _rank(constraint: Constraint) -> tuple[int, str, float]:
    """Only to bring like to like: numbers by size, texts by themselves."""
    if constraint.among is not None:
        return 0, str(sorted(map(str, constraint.among))), 0.0
    bound = constraint.low if constraint.low is not None else constraint.high
    if isinstance(bound, str):
        return 1, bound, 0.0
    return 1, "", float(bound or 0)


def _cut(rows: list[Row]) -> Iterable[list[Row]]:
    """Blocks of neighbours."""
    return (rows[start : start + BLOCK_ROWS_MAX] for start in range(0, len(rows), BLOCK_ROWS_MAX))
