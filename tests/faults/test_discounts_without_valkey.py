"""Valkey killed, hung, emptied, read-only, full, set back, failed over while a budget runs out: it is spent exactly."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
import pytest_asyncio

from tests.faults.own_servers import SETTINGS, database_url, stack, stores
from tests.support.book import ClientBook, PatientTill
from tests.support.channels import Simulators
from tests.support.discounts import OFF_FEN, PoolView, got_it, money_of, refused_too_early
from tests.support.gateway import GatewayStack, kill, start_gateway
from tests.support.lengths import cases, fault_name
from tests.support.load import Load, Sale
from tests.support.manager import Manager, manager
from tests.support.street import (
    BUDGET_FEN,
    CHECKS_OF_CUSTOMERS,
    DISCOUNTS,
    OF_FAILING,
    SHARE,
    Scene,
    Stores,
    Street,
    of_wallet,
    wait_for,
)
from tests.support.till import new_order
from tests.support.valkey_cluster import valkey_cluster

__all__ = ["database_url", "manager", "stack", "stores"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

_PER_S: Final = 40
"""The channels are not the fault here: a busy machine must not look like one."""
_SLOWEST_S: Final = 5.0
"""Of any payment during a fault, on a machine that does much else."""
_AGAIN_S: Final = 1.0 + 0.4 + 2.0
"""Until the pool serves from Valkey again: the heartbeat, the processes' next look, and a busy machine."""

Until = Callable[[], Awaitable[None]]
Fault = Callable[["Stores", Until], Awaitable[None]]


@pytest_asyncio.fixture(loop_scope="module")
async def scene(stack: GatewayStack, manager: Manager, till: PatientTill, book: ClientBook) -> AsyncIterator[Scene]:
    """Each test's own campaigns on the module's stack."""
    async with PoolView.opened(stack.database_url, stack.redis_url) as pool:
        yield Scene(stack, manager, till, pool, book, await Street.open(manager))


async def kill_it_for_good(stores: Stores, runs_out: Until) -> None:
    """It comes back when the budget is gone."""
    kill(stores.servers.valkey.child)
    await runs_out()
    await stores.start_valkey()


async def kill_it_again_and_again(stores: Stores, runs_out: Until) -> None:
    """Each time it comes back with what its file has."""

    async def kill_and_start() -> None:
        kill(stores.servers.valkey.child)
        await asyncio.sleep(0.3)
        await stores.start_valkey()

    await _again_until(runs_out, kill_and_start, every_s=1.0)


async def hang_it(stores: Stores, runs_out: Until) -> None:
    """SIGSTOP, for at least as long as a heartbeat may be late."""
    process = psutil.Process(stores.servers.valkey.child.pid)
    process.suspend()
    try:
        await asyncio.gather(runs_out(), asyncio.sleep(4.5))
    finally:
        process.resume()


async def hang_it_for_moments(stores: Stores, runs_out: Until) -> None:
    """Longer than a payment waits, shorter than what the pool takes for a loss."""

    async def hang() -> None:
        stores.servers.valkey.child.send(signal.SIGSTOP)
        await asyncio.sleep(0.6)
        stores.servers.valkey.child.send(signal.SIGCONT)

    await _again_until(runs_out, hang, every_s=0.4)


async def empty_it(stores: Stores, runs_out: Until) -> None:
    with stores.client as client:
        await _again_until(runs_out, lambda: asyncio.to_thread(client.flushall), every_s=0.3)


async def make_it_forget_its_scripts(stores: Stores, runs_out: Until) -> None:
    with stores.client as client:
        await _again_until(runs_out, lambda: asyncio.to_thread(client.script_flush), every_s=0.05)


async def make_it_read_only(stores: Stores, runs_out: Until) -> None:
    with stores.client as client:
        client.replicaof("127.0.0.1", "1")
        try:
            await runs_out()
        finally:
            client.replicaof("NO", "ONE")


async def fill_its_memory(stores: Stores, runs_out: Until) -> None:
    with stores.client as client:
        client.config_set("maxmemory", 1)
        try:
            await runs_out()
        finally:
            client.config_set("maxmemory", 0)


async def set_it_back(stores: Stores, runs_out: Until) -> None:
    """What a failover that lost writes looks like: what payments took in the last second is there again."""
    older = stores.folder / "older"
    shutil.rmtree(older, ignore_errors=True)
    shutil.copytree(stores.files, older)
    await asyncio.sleep(1.0)
    kill(stores.servers.valkey.child)
    shutil.rmtree(stores.files)
    shutil.copytree(older, stores.files)
    await stores.start_valkey()
    await runs_out()


async def _again_until(runs_out: Until, what: Callable[[], Awaitable[Any]], every_s: float) -> None:
    running_out = asyncio.ensure_future(runs_out())
    while not running_out.done():
        await what()
        await asyncio.wait([running_out], timeout=every_s)
    await running_out


FAULTS: Final[dict[Fault, bool | None]] = {
    kill_it_for_good: True,
    kill_it_again_and_again: True,
    hang_it: True,
    hang_it_for_moments: None,
    empty_it: True,
    make_it_forget_its_scripts: False,
    make_it_read_only: None,
    fill_its_memory: None,
    set_it_back: True,
}
"""Each with whether the pool begins anew; None where that depends on how long it takes."""
SHORT: Final = (hang_it, empty_it)
"""Those that `make test` has; the others come with `make test-long`, and all of them at the pool itself in
test_pool_faults.py."""


@pytest.mark.parametrize("fault", cases(FAULTS, SHORT, fault_name))
async def test_a_budget_that_runs_out_during_a_fault_is_spent_to_its_last_discount(
    scene: Scene, stores: Stores, fault: Fault
) -> None:
    await scene.pool.until_right(scene.street.declining)
    epoch = await scene.pool.epoch()
    sales = await under_load(scene, lambda runs_out: fault(stores, runs_out))
    expected = FAULTS[fault]
    assert expected is None or (await scene.pool.epoch() > epoch) is expected
    await is_exact(scene, sales)
    await scene.audit(*CHECKS_OF_CUSTOMERS)


async def lose_its_file(stores: Stores) -> None:
    kill(stores.servers.valkey.child)
    shutil.rmtree(stores.files)
    await stores.start_valkey()


async def begin_anew(stores: Stores) -> None:
    kill(stores.servers.valkey.child)
    await stores.start_valkey()


async def flush(stores: Stores) -> None:
    with stores.client as client:
        await asyncio.to_thread(client.flushall)


@pytest.mark.parametrize("loss", [flush, begin_anew, lose_its_file], ids=lambda loss: loss.__name__)
async def test_the_pool_serves_from_valkey_again_soon_after_a_loss(
    scene: Scene, stores: Stores, loss: Callable[[Stores], Awaitable[None]]
) -> None:
    """A second until the heartbeat, 0.4 until every process knows the epoch, and what building takes."""
    await scene.manager.take(scene.street.failing, "pause")
    campaign_id = await scene.manager.start(
        condition="payment.wallet == 'unionpay'", limits={"budget": 1_000 * OFF_FEN}
    )
    await scene.pool.until_right(campaign_id)
    assert await _is_from_valkey(scene, campaign_id), "it does before"
    epoch = await scene.pool.epoch()
    await loss(stores)
    began = time.monotonic()
    while not await _is_from_valkey(scene, campaign_id) or await scene.pool.epoch() == epoch:
        assert time.monotonic() < began + 10
    took_s = time.monotonic() - began
    sys.stderr.write(f"\n{loss.__name__}: from Valkey again after {took_s:.2f} s\n")
    assert took_s < _AGAIN_S
    await scene.audit()


async def _is_from_valkey(scene: Scene, campaign_id: str) -> bool:
    """Whether a payment at each gateway is taken from what Valkey has, and that not by a round of the worker."""
    for gateway in range(2):
        [before] = await scene.pool.in_valkey(campaign_id)
        assert (await scene.till.ring_up(new_order("unionpay"), gateway=gateway))["discount"] == OFF_FEN
        [after] = await scene.pool.in_valkey(campaign_id)
        if before.left_fen is None or after.left_fen != before.left_fen - OFF_FEN:
            return False
    return True


@pytest.mark.parametrize("fault", cases([kill_it_for_good, hang_it, fill_its_memory], [hang_it], fault_name))
async def test_one_order_sent_fifty_times_to_two_gateways_during_a_fault_is_redeemed_once(
    scene: Scene, stores: Stores, fault: Fault
) -> None:
    """Of a customer who may have one discount; other payments of his come at the same time."""
    campaign_id = await scene.manager.start(limits={"budget": 10 * OFF_FEN, "per_customer": {"lifetime": 1}}, slices=2)
    await scene.manager.take(scene.street.failing, "pause")
    orders = [new_order("unionpay", customer={"id": campaign_id}) for _ in range(3)]
    payments: list[dict[str, Any]] = []

    async def send() -> None:
        asked = [scene.till.ring_up(order, gateway=number, wait_s=5) for order in orders for number in range(50)]
        payments.extend(await asyncio.gather(*asked))

    await fault(stores, send)
    assert {payment["status"] for payment in payments} == {"succeeded"}
    by_id = {payment["id"]: payment for payment in payments}
    assert sorted(payment["discount"] for payment in by_id.values()) == [0, 0, OFF_FEN]
    assert len(await scene.pool.redemptions(campaign_id)) == 1
    assert (await money_of(scene.manager, campaign_id))[1:] == (OFF_FEN, 0, 9 * OFF_FEN, 0)
    await scene.pool.until_right(campaign_id, timeout_s=45)
    await scene.audit(*CHECKS_OF_CUSTOMERS)


@pytest.mark.long
async def test_a_budget_that_runs_out_while_a_master_of_a_cluster_dies_is_spent_to_its_last_discount(
    tmp_path: Path, stores: Stores, simulators: Simulators
) -> None:
    """Simulators are shared with the other tests' payments: what there is to audit stands in the tests' own books."""
    url = stores.servers.clone_database()
    with valkey_cluster(tmp_path / "cluster") as cluster:
        options = {"gateways": 2, "settings": SETTINGS}
        with start_gateway(tmp_path / "stack", url, cluster.url, simulators, **options) as stack:
            async with scene_on(stack, tmp_path) as scene:
                await scene.pool.until_right(scene.street.declining)

                async def kill_one_master(runs_out: Until) -> None:
                    victim = (await asyncio.to_thread(cluster.masters))[0]
                    await asyncio.to_thread(victim.child.stop, signal.SIGKILL, timeout_s=5)
                    await runs_out()

                sales = await under_load(scene, kill_one_master)
                await is_exact(scene, sales)


@asynccontextmanager
async def scene_on(stack: GatewayStack, folder: Path) -> AsyncIterator[Scene]:
    """Campaigns on a stack of the test's own."""
    book = ClientBook(folder / "clients.jsonl")
    async with (
        PatientTill(stack.urls, stack.shop.key.secret, book) as till,
        stack.admin() as client,
        PoolView.opened(stack.database_url, stack.redis_url) as pool,
    ):
        manager = Manager(stack, client)
        yield Scene(stack, manager, till, pool, book, await Street.open(manager))
    book.close()


async def under_load(scene: Scene, fault: Callable[[Until], Awaitable[None]]) -> list[Sale]:
    """A fifth of the first budget is given when the fault comes, and all of it before that is over."""
    load = Load(scene.till, _PER_S, scene.street.order)
    scene.till.told.clear()

    async def runs_out() -> None:
        """Somebody was refused, and a second's payments more have come to their end."""
        await wait_for(lambda: any(sale.payment["status"] == "failed" for sale in of_wallet(load.sales, "wechat")))
        await load.wait_for(_PER_S)

    async with load.running():
        await wait_for(lambda: sum(map(got_it, of_wallet(load.sales, "wechat"))) >= DISCOUNTS // 5)
        left_fen = (await money_of(scene.manager, scene.street.declining)).left
        assert left_fen > BUDGET_FEN // 3, "the fault comes too late"
        await fault(runs_out)
        await load.wait_for(_PER_S)
    assert set(scene.till.told) == {"201"}, "no till noticed"
    assert max(sale.ended_s - sale.began_s for sale in load.sales) < _SLOWEST_S
    return load.sales


async def is_exact(scene: Scene, sales: list[Sale]) -> None:
    """Every fen of the budgets is where it belongs, and so is every customer's share; Valkey agrees in the end."""
    street, manager = scene.street, scene.manager
    declining, shared, failing = (of_wallet(sales, wallet) for wallet in ("wechat", "alipay", "unionpay"))
    assert sum(map(got_it, declining)) == DISCOUNTS
    assert {_end(sale) for sale in declining} == {("succeeded", None), ("failed", "discount_exhausted")}
    assert refused_too_early(declining) == []
    assert (await money_of(manager, street.declining))[1:] == (DISCOUNTS * OFF_FEN, 0, 123, 0)

    assert {_end(sale) for sale in shared} == {("succeeded", None)}
    by_customer = Counter(street.whose[sale.payment["merchant_order_no"]] for sale in shared if got_it(sale))
    assert by_customer == dict.fromkeys(street.whose.values(), SHARE)

    assert {_end(sale)[0] for sale in failing} == {"succeeded", "failed"}
    given = sum(map(got_it, failing))
    while (await scene.till.ring_up(new_order("unionpay")))["discount"]:
        given += 1
    assert given == OF_FAILING
    assert (await money_of(manager, street.failing))[1:] == (OF_FAILING * OFF_FEN, 0, 123, 0)
    for campaign_id in (street.declining, street.failing):
        await scene.pool.until_right(campaign_id)


def _end(sale: Sale) -> tuple[str, str | None]:
    failure = sale.payment["failure"]
    return sale.payment["status"], failure and failure["code"]
