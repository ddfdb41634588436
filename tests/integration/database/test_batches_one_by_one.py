"""Batches do what the same rows do one at a time: the same rows admitted, the same content (ARCHITECTURE "Must").

Both are held against a plain model, so that they cannot be wrong in the same way.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.database.batches import Batch
from gateway.database.decisions import DecisionRow
from gateway.database.intents import IntentResult, IntentRow, intent_batch
from gateway.database.outcomes import OutcomeResult, OutcomeRow, outcome_batch
from gateway.kernel.ids import new_ulid
from gateway.payments.states import TRANSITIONS, Event, Status
from tests.support.rows import content, intent, outcome

SETTLING: Final = (Event.CAPTURED, Event.DECLINED, Event.UNSENT, Event.NOT_CREATED, Event.CLOSED, Event.REVERSED)
_EXAMPLES = itertools.count(1)
_TIME: Final = new_ulid()[:10]
"""The statements are over this month's partitions, as those of payments are that were just made."""
_SCREENED_AT: Final = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass(frozen=True)
class Order:
    """An intent to be made; small domains, so that numbers and keys collide."""

    number: int
    merchant: int
    order_no: int
    key: int | None
    refused: bool
    bad: str | None


@dataclass(frozen=True)
class Step:
    """One batch: of new intents (and old ones sent again), of outcomes, or the merchants' cancellations."""

    orders: tuple[Order, ...] = ()
    again: tuple[int, ...] = ()
    outcomes: tuple[tuple[int, Event], ...] = ()
    cancelled: tuple[int, ...] = ()


NEVER_READ: Final = frozenset({"nul", "surrogate", "too_large"})
"""Refused before the statement begins; the other bad rows only where they would be written."""
BAD: Final = {
    "nul": {"operator_id": "a\0b"},
    "surrogate": {"operator_id": "\ud800"},
    "too_large": {"amount": 2**63},
    "zero": {"amount": 0, "payable": 0},
    "not_json": {"metadata": "{"},
}
_LAST: Final = 11
numbers = st.integers(0, _LAST)
order_facts = st.tuples(
    st.integers(0, 1),
    st.integers(0, 4),
    st.sampled_from([None, 0, 1]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([None] * 12 + sorted(BAD)),
)
kinds = st.one_of(
    st.tuples(st.just("orders"), st.lists(order_facts, min_size=2, max_size=8), st.lists(numbers, max_size=3)),
    st.tuples(st.just("outcomes"), st.lists(st.tuples(numbers, st.sampled_from(SETTLING)), min_size=1, max_size=6)),
    st.tuples(st.just("cancelled"), st.lists(numbers, min_size=1, max_size=3)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Steps in which every payment number is new."""
    fresh, steps = itertools.count(), []
    for kind, *facts in draw(st.lists(kinds, min_size=2, max_size=7)):
        if kind == "orders":
            steps.append(Step(tuple(Order(next(fresh), *order) for order in facts[0]), tuple(facts[1])))
        elif kind == "outcomes":
            steps.append(Step(outcomes=tuple(facts[0])))
        else:
            steps.append(Step(cancelled=tuple(facts[0])))
    return steps


@dataclass
class World:
    """One run of a history under merchants of its own."""

    pool: asyncpg.Pool
    name: str
    one_by_one: bool

    def __post_init__(self) -> None:
        self.rows: dict[int, IntentRow] = {}
        self.answers: list[Any] = []

    @property
    def merchants(self) -> list[str]:
        return [f"mer_{self.name}_{number}" for number in range(2)]

    async def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.orders:
                await self.admit(step)
            elif step.outcomes:
                rows = [outcome(self.row(number), kind) for number, kind in step.outcomes]
                await self.flush(outcome_batch(self.pool), rows)
            else:
                ids = [self.row(number).payment_id for number in step.cancelled]
                await self.pool.execute(
                    "UPDATE payments SET reversal = 'pending'"
                    " WHERE id = ANY ($1) AND reversal IS NULL AND status IN ('processing', 'succeeded')",
                    ids,
                )

    async def admit(self, step: Step) -> None:
        again = [self.rows[number] for number in step.again if number in self.rows]
        for order in step.orders:
            self.rows[order.number] = self.intent(order)
        await self.flush(intent_batch(self.pool), [self.rows[order.number] for order in step.orders] + again)

    async def flush(self, batch: Batch[Any, Any], rows: Sequence[IntentRow] | Sequence[OutcomeRow]) -> None:
        for part in [[row] for row in rows] if self.one_by_one else [rows]:
            self.answers.extend(_answer(found) for found in await batch.flush(part))

    def row(self, number: int) -> IntentRow:
        """The intent of that number, or of a payment that never was."""
        return self.rows.get(number) or intent(f"pay_{_TIME}{self.name}no", self.merchants[0])

    def intent(self, order: Order) -> IntentRow:
        row = intent(
            f"pay_{_TIME}{self.name}{order.number:02}",
            self.merchants[order.merchant],
            f"o{order.order_no}",
            key=None if order.key is None else f"k{order.key}",
            account_id=None if order.refused else "wechat_direct",
            **self.screened(order),
        )
        return row._replace(**BAD[order.bad]) if order.bad else row

    def screened(self, order: Order) -> dict[str, Any]:
        """Some are screened, and some of them are to be reviewed."""
        if order.number % 2:
            return {}
        case_id = None if order.number % 4 or order.refused else f"case_{self.name}_{order.number:02}"
        verdict = "approve" if case_id is None else "review"
        decision = DecisionRow(7, verdict, 3, "R_A\nR_B", None, False, "[1,null]", None, False, _SCREENED_AT, case_id)
        return {"risk_version": 7, "risk_decision": verdict, "risk_score": 3, "decision": decision}

    async def content(self) -> str:
        return repr(await content(self.pool, self.merchants)).replace(self.name, "world")


@dataclass
class Model:
    """What orders, keys and payments do, without a database."""

    def __post_init__(self) -> None:
        self.answers: list[Any] = []
        self._orders: dict[int, Order] = {}
        self._bound: dict[tuple[int, str], int] = {}
        self._status: dict[int, Status] = {}
        self._reversals: set[int] = set()

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            again = [self._orders[number] for number in step.again if number in self._orders]
            self._orders.update((order.number, order) for order in step.orders)
            self.answers.extend(self._admit(order) for order in (*step.orders, *again))
            self.answers.extend(self._settle(*given) for given in step.outcomes)
            self._reversals.update(number for number in step.cancelled if self._cancellable(number))

    def _admit(self, order: Order) -> bool | None:
        if order.bad in NEVER_READ:
            return None
        names = [(order.merchant, f"o{order.order_no}")]
        if order.key is not None:
            names.append((order.merchant, f"k{order.key}"))
        if any(name in self._bound for name in names):
            return False
        if order.bad:
            return None
        self._bound.update(dict.fromkeys(names, order.number))
        self._status[order.number] = Status.FAILED if order.refused else Status.PROCESSING
        return True

    def _settle(self, number: int, kind: Event) -> tuple[bool, Status | None]:
        status = self._status.get(number)
        to = TRANSITIONS.get((status, kind))
        if status is None or to is None or (kind is Event.CAPTURED and number in self._reversals):
            return False, status
        self._status[number] = to
        return True, to

    def _cancellable(self, number: int) -> bool:
        return self._status.get(number) in {Status.PROCESSING, Status.SUCCEEDED}


def _answer(found: IntentResult | OutcomeResult | Exception) -> Any:
    if isinstance(found, IntentResult):
        return found.inserted
    return (found.applied, found.status) if isinstance(found, OutcomeResult) else None


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=histories())
async def test_a_batch_admits_and_writes_what_its_rows_do_one_at_a_time(pool: asyncpg.Pool, steps: list[Step]) -> None:
    example, model = next(_EXAMPLES), Model()
    together, alone = World(pool, f"{example}b", one_by_one=False), World(pool, f"{example}s", one_by_one=True)
    await together.run(steps)
    await alone.run(steps)
    model.run(steps)

    assert alone.answers == model.answers
    assert not await pool.fetch(
        "SELECT id FROM payments WHERE reversal = 'pending' AND status NOT IN ('processing', 'succeeded')"
    )
    assert together.answers == alone.answers
    assert await together.content() == await alone.content()
    event(f"refused: {min(together.answers.count(False), 3)}, bad: {min(together.answers.count(None), 2)}")


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=histories())
async def test_sending_every_batch_twice_writes_nothing_twice(pool: asyncpg.Pool, steps: list[Step]) -> None:
    example = next(_EXAMPLES)
    once, twice = World(pool, f"{example}o", one_by_one=False), World(pool, f"{example}t", one_by_one=False)
    await once.run(steps)
    for step in steps:
        await twice.run([step])
        before = await twice.content()
        await twice.run([replace(step, cancelled=())])
        assert await twice.content() == before

    assert await twice.content() == await once.content()
