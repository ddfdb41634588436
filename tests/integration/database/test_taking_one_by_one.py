"""Batches take of campaigns what the same rows take one at a time: the same admitted, the same refused, fen for fen.

Both are held against a plain model, so that they cannot be wrong in the same way.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import asyncpg
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.database.batches import _waves
from gateway.database.intents import IntentResult, IntentRow, _meeting, intent_batch
from gateway.database.redemptions import Refusal, RefusalKind
from promotions.facts import EVER
from tests.support.campaign_rows import campaign, coupon, drawing, state, taken, today, use

_EXAMPLES = itertools.count(1)
GRANTED: Final = {("money", 0): (300, None), ("money", 1): (90, None), ("number", 0): (None, 4), ("both", 0): (200, 3)}
CAMPAIGNS: Final = ("money", "number", "both", "free")
COUNT_MAX: Final = 3
FEN_MAX: Final = 150


@dataclass(frozen=True)
class Part:
    """What a payment wants of one campaign; `who` and `coupon` are numbers, `wrong`: of an old version."""

    campaign: str
    fen: int
    slice: int = 0
    who: int | None = None
    coupon: int | None = None
    wrong: bool = False


@dataclass(frozen=True)
class Order:
    """A payment; small domains, so that order numbers, slices, customers and coupons meet."""

    number: int
    order_no: int
    customer: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Step:
    """One batch of new payments and of some sent again, or payments that come to nothing."""

    orders: tuple[Order, ...] = ()
    again: tuple[int, ...] = ()
    given_back: tuple[int, ...] = ()


_LAST: Final = 20
some = st.sampled_from
parts = st.lists(
    st.builds(
        Part,
        campaign=some(CAMPAIGNS),
        fen=st.one_of(st.integers(1, 60), some([0, 90, 301])),
        slice=some([0, 0, 0, 1, 2]),
        who=some([None, 0, 1, 1]),
        coupon=some([None] * 5 + [0, 1]),
        wrong=some([False] * 9 + [True]),
    ),
    max_size=3,
    unique_by=lambda part: part.campaign,
)
orders = st.tuples(st.integers(0, 25), st.integers(0, 1), parts.map(tuple))


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Steps in which every payment number is new."""
    fresh, steps = itertools.count(), []
    for _ in range(draw(st.integers(1, 4))):
        batch = draw(st.lists(orders, min_size=1, max_size=10))
        again = tuple(draw(st.lists(st.integers(0, _LAST), max_size=3, unique=True)))
        steps.append(Step(tuple(Order(next(fresh), *order) for order in batch), again))
        steps.append(Step(given_back=tuple(draw(st.lists(st.integers(0, _LAST), max_size=3, unique=True)))))
    return steps


@dataclass
class World:
    """One run of a history with campaigns, customers and a merchant of its own."""

    pool: asyncpg.Pool
    name: str
    day: date
    one_by_one: bool

    def __post_init__(self) -> None:
        self.rows: dict[int, IntentRow] = {}
        self.answers: list[Any] = []
        self.batches: list[list[int]] = []

    async def found(self) -> None:
        for name in CAMPAIGNS:
            limits = {"budget": None} if name == "free" else {"budget": None, "count": 9, "slices": 2}
            await campaign(self.pool, self.id_of(name), version=2, **limits)
        for (name, number), (fen, count) in GRANTED.items():
            await self.pool.execute(
                "INSERT INTO campaign_slices (campaign_id, day, slice, granted, granted_count)"
                " VALUES ($1, $2, $3, $4, $5)",
                self.id_of(name), self.day, number, fen, count,
            )  # fmt: skip
        for number in range(2):
            await coupon(self.pool, f"cpn_{self.name}_{number}", self.id_of("money"), self.customer(number))

    async def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            again = [self.rows[number] for number in step.again if number in self.rows]
            self.rows.update((order.number, self.intent(order)) for order in step.orders)
            rows = [self.rows[order.number] for order in step.orders] + again
            if rows:
                await self.flush(rows)
            await self.give_back(step.given_back)

    async def flush(self, rows: Sequence[IntentRow]) -> None:
        """Rows that meet (by their order number) go after the others: so does who goes one by one."""
        order = list(itertools.chain(*_waves([tuple(_meeting(row)) for row in rows])))
        results: dict[int, Any] = {}
        if self.one_by_one:
            for position in order:
                [results[position]] = await intent_batch(self.pool).flush([rows[position]])
        else:
            results = dict(enumerate(await intent_batch(self.pool).flush(rows)))
        self.answers.extend(self.told(results[position]) for position in range(len(rows)))

    def told(self, result: IntentResult | Exception) -> Any:
        assert isinstance(result, IntentResult), result
        if result.refusal is None or result.refusal.kind not in {RefusalKind.EXHAUSTED, RefusalKind.LIMIT}:
            return result.inserted, result.refusal and (result.refusal.campaign_id[-9:], result.refusal.kind)
        return repr(result.refusal).replace(self.name, "world")

    async def give_back(self, numbers: Sequence[int]) -> None:
        """Payments that come to nothing, once each."""
        for number in numbers:
            if number in self.rows:
                payment_id = self.rows[number].payment_id
                if await self.pool.fetchval(
                    "UPDATE payments SET status = 'failed' WHERE id = $1 AND status = 'processing' RETURNING id",
                    payment_id,
                ):
                    await self.pool.fetch("SELECT * FROM give_back_redemptions(ARRAY[$1])", payment_id)

    def intent(self, order: Order) -> IntentRow:
        redemptions = [self.redemption(part) for part in order.parts]
        return drawing(
            f"pay_{self.name}_{order.number:02}",
            *redemptions,
            merchant_id=f"mer_{self.name}",
            merchant_order_no=f"o{order.order_no}",
            customer=self.customer(order.customer),
        )

    def redemption(self, part: Part) -> Any:
        counters = (
            []
            if part.who is None
            else [use(self.key(part.who), EVER, COUNT_MAX), use(self.key(part.who), self.day, None, FEN_MAX)]
        )
        return taken(
            self.id_of(part.campaign),
            self.day,
            part.fen,
            counters=counters,
            version=1 if part.wrong else 2,
            slice=None if part.campaign == "free" else part.slice,
            coupon_id=None if part.coupon is None else f"cpn_{self.name}_{part.coupon}",
        )

    def id_of(self, name: str) -> str:
        return f"cmp_{self.name}_{name:_>9}"

    def key(self, who: int) -> str:
        return f"{self.name}-{who}"

    def customer(self, number: int) -> bytes:
        return f"{self.name}/{number}".encode()

    async def content(self) -> str:
        found = await state(self.pool, self.name)
        assert all(used <= granted for *_, granted, used, _, _ in found["campaign_slices"] if granted is not None)
        return repr(found).replace(self.name, "world")


class Model:
    """What campaigns give, without a database."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self._orders: dict[int, Order] = {}
        self._numbers: dict[int, int] = {}
        self._standing: set[int] = set()
        self._used: Counter[Any] = Counter()
        self._coupons: dict[int, int] = {}

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            again = [self._orders[number] for number in step.again if number in self._orders]
            self._orders.update((order.number, order) for order in step.orders)
            batch = [*step.orders, *again]
            order = list(itertools.chain(*_waves([(each.order_no,) for each in batch])))
            answers = {position: self._admit(batch[position]) for position in order}
            self.answers.extend(answers[position] for position in range(len(batch)))
            for number in step.given_back:
                self._give_back(number)

    def _admit(self, order: Order) -> Any:
        if order.order_no in self._numbers:
            return False, None
        for part in order.parts:
            refusal = self._refusal(order, part)
            if refusal is not None:
                return refusal
        self._numbers[order.order_no] = order.number
        self._standing.add(order.number)
        self._count(order, 1)
        return True, None

    def _refusal(self, order: Order, part: Part) -> Any:
        name = f"{part.campaign:_>9}"
        if part.wrong:
            return False, (name, RefusalKind.CHANGED)
        if part.campaign != "free" and (part.campaign, part.slice) not in GRANTED:
            return False, (name, RefusalKind.NO_SLICE)
        if part.coupon is not None and (
            part.campaign != "money" or order.customer != part.coupon or part.coupon in self._coupons
        ):
            return False, (name, RefusalKind.COUPON)
        for meter, fen_max, count_max in self._meters(part):
            fen, count = self._used[meter, "fen"], self._used[meter, "count"]
            if (fen_max is not None and part.fen and fen + part.fen > fen_max) or (
                count_max is not None and count + 1 > count_max
            ):
                kind = RefusalKind.EXHAUSTED if meter[0] == "slice" else RefusalKind.LIMIT
                rooms = fen_max and fen_max - fen, None if count_max is None else count_max - count
                return repr(Refusal(f"cmp_world_{name}", kind, *rooms))
        return None

    @staticmethod
    def _meters(part: Part) -> Iterator[tuple[tuple[Any, ...], int | None, int | None]]:
        if part.campaign != "free":
            yield ("slice", part.campaign, part.slice), *GRANTED[part.campaign, part.slice]
        if part.who is not None:
            yield ("ever", part.campaign, part.who), None, COUNT_MAX
            yield ("today", part.campaign, part.who), FEN_MAX, None

    def _count(self, order: Order, times: int) -> None:
        for part in order.parts:
            for meter, _, _ in self._meters(part):
                self._used[meter, "fen"] += times * part.fen
                self._used[meter, "count"] += times
            if part.coupon is not None and times > 0:
                self._coupons[part.coupon] = order.number
            elif part.coupon is not None:
                del self._coupons[part.coupon]

    def _give_back(self, number: int) -> None:
        if number in self._standing:
            self._standing.remove(number)
            self._count(self._orders[number], -1)


@pytest.mark.timeout(300)
@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=histories())
async def test_a_batch_takes_what_its_rows_take_one_at_a_time(pool: asyncpg.Pool, steps: list[Step]) -> None:
    example, day, model = next(_EXAMPLES), await today(pool), Model()
    together, alone = [World(pool, f"{example}{kind}", day, kind == "s") for kind in "bs"]
    for world in (together, alone):
        await world.found()
        await world.run(steps)
    model.run(steps)

    assert alone.answers == model.answers
    assert together.answers == alone.answers
    assert await together.content() == await alone.content()
    refused = [answer for answer in model.answers if isinstance(answer, str)]
    event(f"refused for want of room: {min(len(refused), 3)}")


@pytest.mark.timeout(300)
@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=histories())
async def test_sending_every_batch_twice_takes_nothing_twice(pool: asyncpg.Pool, steps: list[Step]) -> None:
    """Who was refused before would be tried anew: those rows are left out."""
    world = World(pool, f"{next(_EXAMPLES)}t", await today(pool), one_by_one=False)
    await world.found()
    for step in steps:
        await world.run([step])
        admitted = [row for row in world.rows.values() if await is_written(pool, row.payment_id)]
        before = await world.content()
        if admitted:
            await world.flush(admitted)
        assert await world.content() == before
        await world.give_back(step.given_back)
        assert await world.content() == before


async def is_written(pool: asyncpg.Pool, payment_id: str) -> bool:
    return bool(await pool.fetchval("SELECT true FROM payments WHERE id = $1", payment_id))
