"""The day of a campaign changes under load, at gateways whose clocks are ten minutes off: each day has its budget.

The campaigns' time zone is one whose midnight is seconds away.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.book import ClientBook, PatientTill
from tests.support.clocks import near_midnights, tz_path, with_clock, zone_of_midnight
from tests.support.discounts import OFF_FEN, PoolView, all_books_agree, got_it, money_of, refused_too_early
from tests.support.gateway import GatewayStack
from tests.support.load import Load, Sale
from tests.support.manager import Manager, manager
from tests.support.till import new_code, new_order
from tests.support.waiting import eventually

__all__ = ["manager"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "3", "MASHANG_SEND_WITHIN_S": "5"}
_SHIFTS_S: Final = (600, -600)
_PER_S: Final = 24
_A_DAY: Final = 45
"""Discounts of the first campaign."""
_CUSTOMERS: Final = 4
_BEFORE_S: Final = 5.0
_AFTER_S: Final = 5.0


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Time zones whose midnights are near."""
    folder = tmp_path_factory.mktemp("zones")
    with near_midnights(folder):
        yield folder


@pytest.fixture(scope="module")
def stack_options(zones: Path) -> dict[str, Any]:
    """Two gateways and two workers that know those zones."""
    return {"gateways": 2, "workers": 2, "settings": {**_SETTINGS, "PYTHONTZPATH": tz_path()}}


@dataclass(frozen=True, slots=True)
class Scene:
    """A running stack whose processes are ten minutes fast and ten minutes slow, and what looks at it."""

    stack: GatewayStack
    manager: Manager
    till: PatientTill
    pool: PoolView


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wrong_clocks(stack: GatewayStack) -> GatewayStack:
    """One gateway and one worker are ten minutes fast, the others as slow."""
    for number, shift_s in enumerate(_SHIFTS_S):
        for child in (stack.gateways[number], stack.workers[number]):
            child.stop(timeout_s=10)
            child.command = with_clock(child, shift_s)
            child.start()
    for gateway in stack.gateways:
        stack.wait_ready(gateway)
    return stack


@pytest_asyncio.fixture(loop_scope="module")
async def scene(
    wrong_clocks: GatewayStack, manager: Manager, till: PatientTill, book: ClientBook
) -> AsyncIterator[Scene]:
    """All books agree after each test.  UnionPay takes requests of wrong clocks; all payments are its."""
    async with PoolView.opened(wrong_clocks.database_url, wrong_clocks.redis_url) as pool:
        yield Scene(wrong_clocks, manager, till, pool)
    checks = ("I4.uses", "I4.limits")
    await all_books_agree(wrong_clocks.database_url, wrong_clocks.simulators, book, *checks)


@dataclass(slots=True)
class Midnight:
    """A time zone whose midnight comes soon."""

    zone: ZoneInfo
    at_s: float
    customers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def coming(cls, in_s: float) -> Midnight:
        """The first one that is at least so far away."""
        name, at_s = zone_of_midnight(time.time() + in_s)
        return cls(ZoneInfo(name), at_s)

    async def come(self, after_s: float = 0.0) -> None:
        """Wait until it has struck, and so many seconds more."""
        await asyncio.sleep(max(0.0, self.at_s + after_s - time.time()))

    def day_of(self, moment: datetime) -> date:
        """There."""
        return moment.astimezone(self.zone).date()

    @property
    def days(self) -> tuple[date, date]:
        """Before and after."""
        after = self.day_of(datetime.fromtimestamp(self.at_s, UTC))
        return after - timedelta(days=1), after

    def by_day(self, sales: Sequence[Sale]) -> list[list[Sale]]:
        """Those of the day before, and those after, by the database's time."""
        found: dict[date, list[Sale]] = {day: [] for day in self.days}
        for sale in sales:
            found[self.day_of(datetime.fromisoformat(sale.payment["created_at"]))].append(sale)
        return list(found.values())


async def test_each_day_has_its_budget_and_each_customer_his_share_of_it(scene: Scene) -> None:
    """The first day's budget is gone before midnight; from midnight on there is the second one's."""
    midnight = Midnight.coming(9 + _BEFORE_S)
    budget, shared = await _start_both(scene, midnight)
    await midnight.come(-_BEFORE_S)
    load = Load(scene.till, _PER_S, lambda number: _order(number, midnight))
    async with load.running():
        await midnight.come(_AFTER_S)
    assert {sale.payment["status"] for sale in load.sales} == {"succeeded"}
    assert set(scene.till.told) == {"201"}

    from_budget = [sale for sale in load.sales if sale.payment["amount"] >= 2_500]
    for sales in midnight.by_day(from_budget):
        assert len(sales) > _A_DAY, "more came than there is on that day"
        assert sum(map(got_it, sales)) == _A_DAY
        assert refused_too_early(sales) == []
    assert (await money_of(scene.manager, budget)).spent == 2 * _A_DAY * OFF_FEN

    for sales in midnight.by_day([sale for sale in load.sales if sale.payment["amount"] < 2_500]):
        who = Counter(midnight.customers[sale.payment["merchant_order_no"]] for sale in sales if got_it(sale))
        assert who == dict.fromkeys(midnight.customers.values(), 1)

    for campaign_id in (budget, shared):
        await _every_redemption_has_its_day(scene, campaign_id, midnight)


async def _start_both(scene: Scene, midnight: Midnight) -> tuple[str, str]:
    """One with a budget for each day, one with a share for each customer and day."""
    zone = midnight.zone.key
    budget = await scene.manager.start(
        condition="payment.amount >= 2500",
        limits={"budget": 1_000 * OFF_FEN, "budget_per_day": _A_DAY * OFF_FEN + 77},
        slices=2,
        timezone=zone,
    )
    shared = await scene.manager.start(
        condition="payment.amount < 2500", limits={"per_customer": {"day": 1}}, timezone=zone
    )
    await scene.pool.until_right(budget)
    return budget, shared


def _order(number: int, midnight: Midnight) -> dict[str, Any]:
    if number % 4:
        return new_order("unionpay", amount=2_599)
    order = new_order("unionpay", amount=2_100, customer={"id": f"c-{number // 4 % _CUSTOMERS}"})
    midnight.customers[order["merchant_order_no"]] = order["customer"]["id"]
    return order


async def _every_redemption_has_its_day(scene: Scene, campaign_id: str, midnight: Midnight) -> None:
    rows = await scene.pool.redemptions(campaign_id)
    assert {row["day"] for row in rows} == set(midnight.days)
    assert [row for row in rows if row["day"] != midnight.day_of(row["created_at"])] == []


@pytest.mark.long
async def test_what_is_undecided_at_midnight_stays_with_its_day(scene: Scene) -> None:
    """Who pays after midnight has yesterday's discount; what comes back then is of yesterday, and to be had again."""
    midnight = Midnight.coming(8)
    campaign_id = await scene.manager.start(
        limits={"budget": 10 * OFF_FEN, "budget_per_day": 6 * OFF_FEN, "per_customer": {"day": 1}},
        timezone=midnight.zone.key,
    )
    await scene.pool.until_right(campaign_id)
    await midnight.come(-2.0)
    customers = [{"id": f"{campaign_id}-{number}"} for number in range(6)]
    orders = [new_order("unionpay", magic, customer=customer)
              for magic, customer in zip(("9003", "9014") * 2, customers, strict=False)]  # fmt: skip
    undecided = [asyncio.create_task(scene.till.ring_up(order, gateway=n, wait_s=5)) for n, order in enumerate(orders)]
    codes = [await _shown(scene.till, customer) for customer in customers[4:]]
    assert (await money_of(scene.manager, campaign_id))[1:4] == (0, 6 * OFF_FEN, 4 * OFF_FEN)
    assert time.time() < midnight.at_s, "the machine is too slow for this"
    await midnight.come()
    for code in codes:
        scene.stack.simulators.scan("unionpay", code["qr_code"])
    ended = [payment["status"] for payment in await asyncio.gather(*undecided)]
    assert (ended[0::2], set(ended[1::2]) & {"succeeded", "processing"}) == (["succeeded"] * 2, set())
    await eventually(lambda: _is(scene, campaign_id, spent=4, left=6))
    await eventually(lambda: _grants_today(scene, campaign_id, midnight, 6))
    await _every_customer_has_todays_share(scene, campaign_id, midnight, customers)


async def _shown(till: PatientTill, customer: dict[str, str]) -> dict[str, Any]:
    """A code on display, with its discount."""
    answer = await till.ask(new_code("unionpay", customer=customer, expires_in=120))
    assert answer is not None
    payment: dict[str, Any] = answer.json()
    assert (payment["status"], payment["discount"]) == ("requires_action", OFF_FEN), payment
    return payment


async def _is(scene: Scene, campaign_id: str, *, spent: int, left: int) -> bool:
    """Whether so many discounts are spent and left, and none is held."""
    return (await money_of(scene.manager, campaign_id))[1:4] == (spent * OFF_FEN, 0, left * OFF_FEN)


async def _grants_today(scene: Scene, campaign_id: str, midnight: Midnight, number: int) -> bool:
    """Whether the worker has granted the new day what came back of the old one, and the pool has it."""
    query = "SELECT sum(granted) = $3 FROM campaign_slices WHERE campaign_id = $1 AND day = $2"
    granted = await scene.pool.database.fetchval(query, campaign_id, midnight.days[1], number * OFF_FEN)
    return bool(granted) and await scene.pool.is_right(campaign_id)


async def _every_customer_has_todays_share(
    scene: Scene, campaign_id: str, midnight: Midnight, customers: Sequence[dict[str, str]]
) -> None:
    """Yesterday's redemptions count for yesterday: today each of the six has another one, and the seventh none."""
    asked = [scene.till.ring_up(new_order("unionpay", customer=each)) for each in customers]
    assert [payment["discount"] for payment in await asyncio.gather(*asked)] == [OFF_FEN] * 6
    late = await scene.till.ring_up(new_order("unionpay", customer={"id": f"{campaign_id}-late"}))
    assert late["discount"] == 0, "the day's six are gone"
    taken = Counter(row["day"] for row in await scene.pool.redemptions(campaign_id))
    assert taken == dict(zip(midnight.days, (6, 6), strict=True))
    rows = await scene.pool.database.fetch(
        "SELECT granted, used FROM campaign_slices WHERE campaign_id = $1 ORDER BY day", campaign_id
    )
    assert [tuple(row) for row in rows] == [(4 * OFF_FEN, 4 * OFF_FEN), (6 * OFF_FEN, 6 * OFF_FEN)]
