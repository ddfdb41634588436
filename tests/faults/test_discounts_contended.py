"""Many payments at once, at two gateways, for a discount that is nearly gone, one customer's, or changed meanwhile."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.kernel.ids import new_ulid
from tests.faults.conftest import FAULT_SETTINGS
from tests.support.book import ClientBook, PatientTill
from tests.support.campaign_lives import CAMPAIGNS
from tests.support.discounts import OFF_FEN, PoolView, all_books_agree, got_it, money_of, refused_too_early
from tests.support.gateway import GatewayStack
from tests.support.load import Load, Sale
from tests.support.manager import Manager, manager
from tests.support.till import new_order

__all__ = ["manager"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_SETTINGS: Final = {**FAULT_SETTINGS, "MASHANG_CHANNEL_TIMEOUT_S": "3", "MASHANG_SEND_WITHIN_S": "5"}
"""The channels are not what is tested here: a busy machine must not look like one that fails."""


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateways and a worker."""
    return {"gateways": 2, "settings": _SETTINGS}


@dataclass(frozen=True, slots=True)
class Scene:
    """A running stack, and what looks at it."""

    stack: GatewayStack
    manager: Manager
    till: PatientTill
    pool: PoolView

    async def sell(self, orders: Sequence[dict[str, Any]]) -> list[Sale]:
        """All at once, over both gateways."""

        async def sell(number: int, order: dict[str, Any]) -> Sale:
            began_s = time.monotonic()
            payment = await self.till.ring_up(order, gateway=number, wait_s=5)
            return Sale(began_s, time.monotonic(), payment)

        return list(await asyncio.gather(*[sell(number, order) for number, order in enumerate(orders)]))

    async def start(self, **fields: Any) -> str:
        """A campaign that is in Valkey too."""
        campaign_id = await self.manager.start(**fields)
        await self.pool.until_right(campaign_id)
        return campaign_id


@pytest_asyncio.fixture(loop_scope="module")
async def scene(stack: GatewayStack, manager: Manager, till: PatientTill, book: ClientBook) -> AsyncIterator[Scene]:
    """All books agree after each test."""
    async with PoolView.opened(stack.database_url, stack.redis_url) as pool:
        yield Scene(stack, manager, till, pool)
    await all_books_agree(stack.database_url, stack.simulators, book)


def ends(sales: Sequence[Sale]) -> Counter[tuple[str, int]]:
    """How many payments ended how, with which discount."""
    return Counter((sale.payment["status"], sale.payment["discount"]) for sale in sales)


@pytest.mark.parametrize("slices", [1, 4])
async def test_of_a_batch_that_exceeds_what_is_left_the_neighbours_go_through(scene: Scene, slices: int) -> None:
    """Valkey says yes to everybody, and the worker that would put it right is stopped: the commits decide.

    Of four slices, none has enough for a discount by itself.
    """
    limits = {"budget": 3 * OFF_FEN + 123}
    scarce = await scene.start(condition="payment.wallet == 'wechat'", limits=limits, slices=slices)
    plenty = await scene.start(condition="payment.wallet == 'alipay'", limits={"budget": 100 * OFF_FEN})
    orders = [order for _ in range(20) for order in (new_order("wechat"), new_order("alipay"), new_order("unionpay"))]
    [worker] = scene.stack.workers
    worker.send(signal.SIGSTOP)
    try:
        await scene.pool.lie(scarce, 1_000_000)
        sales = await scene.sell(orders)
    finally:
        worker.send(signal.SIGCONT)
    by_wallet = {
        wallet: ends([sale for sale in sales if sale.payment["wallet"] == wallet])
        for wallet in ("wechat", "alipay", "unionpay")
    }
    assert by_wallet == {
        "wechat": {("succeeded", OFF_FEN): 3, ("succeeded", 0): 17},
        "alipay": {("succeeded", OFF_FEN): 20},
        "unionpay": {("succeeded", 0): 20},
    }
    assert (await money_of(scene.manager, scarce))[1:] == (3 * OFF_FEN, 0, 123, 0)
    assert (await money_of(scene.manager, plenty))[1:] == (20 * OFF_FEN, 0, 80 * OFF_FEN, 0)
    await scene.pool.until_right(scarce)
    await scene.pool.until_right(plenty)


async def test_one_order_sent_fifty_times_to_two_gateways_is_reserved_and_redeemed_once(scene: Scene) -> None:
    campaign_id = await scene.start(limits={"budget": 10 * OFF_FEN, "per_customer": {"lifetime": 1}})
    order = new_order(customer={"id": new_ulid()})
    sales = await scene.sell([order] * 50)
    assert {sale.payment["id"] for sale in sales} == {sales[0].payment["id"]}
    assert ends(sales) == {("succeeded", OFF_FEN): 50}
    assert len(await scene.pool.redemptions(campaign_id)) == 1
    assert (await money_of(scene.manager, campaign_id))[1:] == (OFF_FEN, 0, 9 * OFF_FEN, 0)
    await scene.pool.until_right(campaign_id, timeout_s=8)  # no reservation is left to expire


@pytest.mark.parametrize("limit", ["per_customer", "per_device"])
@pytest.mark.parametrize("window", ["lifetime", "day"])
async def test_thirty_payments_at_once_of_one_customer_get_one_discount(scene: Scene, limit: str, window: str) -> None:
    campaign_id = await scene.start(limits={"budget": 40 * OFF_FEN, limit: {window: 1}}, slices=2)
    one = new_ulid()
    device = limit == "per_device"
    customers = [{"id": new_ulid() if device else one, "device_id": one} for _ in range(30)]
    sales = await scene.sell([new_order(customer=customer) for customer in customers])
    assert ends(sales) == {("succeeded", OFF_FEN): 1, ("succeeded", 0): 29}
    assert (await money_of(scene.manager, campaign_id))[1:] == (OFF_FEN, 0, 39 * OFF_FEN, 0)
    await scene.pool.until_right(campaign_id, timeout_s=8)


async def test_a_customer_whose_payments_fail_has_his_share_still_whatever_comes_at_once(scene: Scene) -> None:
    """Of payments at once, some fail and give the share back; then another one may have it, and only one keeps it."""
    campaign_id = await scene.start(limits={"budget": 40 * OFF_FEN, "per_customer": {"lifetime": 1}})
    customer = {"id": new_ulid()}
    orders = [new_order("unionpay", "9001" if number % 2 else None, customer=customer) for number in range(20)]
    sales = await scene.sell(orders)
    kept = sum(map(got_it, sales))
    assert kept <= 1
    last = await scene.till.ring_up(new_order("unionpay", customer=customer))
    assert kept + bool(last["discount"]) == 1
    assert (await money_of(scene.manager, campaign_id))[1:] == (OFF_FEN, 0, 39 * OFF_FEN, 0)


@pytest.mark.parametrize(
    ("discounts", "slices", "more_fen"), [(41, 4, 123), (10, 4, 0), (7, 8, 499)], ids=["rest", "gathered", "few"]
)
async def test_nobody_is_declined_before_the_budget_is_gone(
    scene: Scene, discounts: int, slices: int, more_fen: int
) -> None:
    """Slices of fen that are no discount by themselves are put together while everybody wants one."""
    campaign_id = await scene.start(
        limits={"budget": discounts * OFF_FEN + more_fen}, slices=slices, when_exhausted="decline"
    )
    sales = []
    for _ in range(discounts // 15 + 2):  # more than enough come, in crowds
        sales += await scene.sell([new_order("unionpay") for _ in range(15)])
    assert ends(sales) == {("succeeded", OFF_FEN): discounts, ("failed", 0): len(sales) - discounts}
    failures = {sale.payment["failure"]["code"] for sale in sales if not got_it(sale)}
    assert failures == {"discount_exhausted"}
    assert refused_too_early(sales) == []
    assert (await money_of(scene.manager, campaign_id))[1:] == (discounts * OFF_FEN, 0, more_fen, 0)


async def test_a_campaign_is_edited_paused_topped_up_lowered_and_ended_under_load(scene: Scene) -> None:
    """Some of its payments fail meanwhile; the sums are right after each change, and nothing is given after the end."""
    campaign_id = await scene.start(limits={"budget": 200 * OFF_FEN}, slices=4)
    path = f"{CAMPAIGNS}/{campaign_id}"
    load = Load(scene.till, 30, lambda number: new_order("unionpay", None if number % 4 else "9001"))
    async with load.running():
        for fen in (300, OFF_FEN):
            await load.wait_for(10)
            benefit = {"type": "amount_off", "tiers": [{"spend": 2000, "off": fen}]}
            await scene.manager.edit(campaign_id, benefit=benefit)
            await money_of(scene.manager, campaign_id)
        await scene.manager.take(campaign_id, "pause")
        paused = await load.new_sales(10)
        await scene.manager.take(campaign_id, "resume")
        await load.wait_for(10)
        await _top_up_often(scene, path, 7 * OFF_FEN)
        await _lower_to_what_is_taken(scene, campaign_id)
        lowered = await money_of(scene.manager, campaign_id)
        await load.wait_for(10)
        await scene.manager.top_up(campaign_id, 20 * OFF_FEN)
        await load.wait_for(10)
        await scene.manager.take(campaign_id, "end")
        after = await load.new_sales(10)
    assert {sale.payment["discount"] for sale in (*paused, *after)} == {0}
    assert {sale.payment["discount"] for sale in load.sales} == {0, 300, OFF_FEN}
    found = await money_of(scene.manager, campaign_id)
    given = sum(sale.payment["discount"] for sale in load.sales if sale.payment["status"] == "succeeded")
    assert found == (lowered.total + 20 * OFF_FEN, given, 0, 0, found.total - given)


async def _top_up_often(scene: Scene, path: str, fen: int) -> None:
    """Ten times with one key: it counts once."""
    before = (await scene.manager.client.get(path)).json()["budget"]["total"]
    headers = {"Idempotency-Key": new_ulid()}
    asked = [scene.manager.client.post(f"{path}/top_up", json={"amount": fen}, headers=headers) for _ in range(10)]
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
    assert (await scene.manager.client.get(path)).json()["budget"]["total"] == before + fen


async def _lower_to_what_is_taken(scene: Scene, campaign_id: str) -> None:
    """As low as it can be while payments take more; below what is taken is refused."""
    path = f"{CAMPAIGNS}/{campaign_id}"

    async def lower(budget_fen: int) -> int:
        return (await scene.manager.client.patch(path, json={"limits": {"budget": budget_fen}})).status_code

    taken = await money_of(scene.manager, campaign_id)
    assert await lower(taken.spent // 2) == 409
    status = 409
    while status == 409:
        taken = await money_of(scene.manager, campaign_id)
        status = await lower(taken.spent + taken.held)
    assert status == 200
    assert (await money_of(scene.manager, campaign_id)).total == taken.spent + taken.held
