"""A shop's day on which nothing works for long, and the same books agree in the evening.

DAY_SEED replays one: what is sold in which order, who is killed, and what the channels do.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from tests.faults.conftest import FAULT_SETTINGS
from tests.support.audits import audit_command
from tests.support.book import ClientBook
from tests.support.channels import Simulators, start_simulators
from tests.support.gateway import GatewayStack, kill
from tests.support.shop_day import sales
from tests.support.shop_day.agreement import receipts_agree, report_agrees, statements_agree, webhooks_agree
from tests.support.shop_day.evening import evening
from tests.support.shop_day.hooks import Hooks
from tests.support.shop_day.opening import SETTINGS, OpenShop, open_shop
from tests.support.shop_day.switches import switched
from tests.support.till import WALLETS
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(240)]

SEED: Final = int(os.environ.get("DAY_SEED") or secrets.randbelow(2**32))
AT_THE_WALL: Final = 1
KILLS_MAX: Final = 8
AWAY_S: Final = 3.0
"""So long the merchant's server is away: what it missed comes again after five seconds."""
ROUGH_DAY: Final[Mapping[sales.SaleKind, int]] = {
    sales.shows_a_code: 6,
    sales.types_the_pin: 1,
    sales.is_declined_and_pays_with_another_wallet: 1,
    sales.is_charged_and_the_answer_is_lost: 1,
    sales.never_types_the_pin: 1,
    sales.never_types_the_pin_and_pays_with_another_wallet: 1,
    sales.till_sends_it_twice: 1,
    sales.scans_a_code: 4,
    sales.scans_after_the_cancel: 1,
    sales.scans_a_code_for_any_wallet: 2,
    sales.two_scan_a_code_for_any_wallet: 1,
    sales.changes_his_mind_after_paying: 1,
    sales.changes_his_mind_after_scanning: 1,
    sales.brings_everything_back: 1,
    sales.brings_a_part_back: 1,
    sales.brings_one_thing_back_after_another: 1,
    sales.brings_back_more_than_was_bought: 1,
}
CHANNEL_TROUBLE: Final[tuple[Mapping[str, Any], ...]] = (
    {"kind": "timeout_after_charging", "hold_s": 2, "probability": 0.06, "calls": ["pay", "refund", "reverse"]},
    {"kind": "reset_after_charging", "probability": 0.03, "calls": ["pay", "refund", "create_code", "create_page"]},
    {"kind": "outage", "probability": 0.02},
    {"kind": "notify", "effect": "duplicate", "copies": 5, "probability": 0.2},
    {"kind": "notify", "effect": "delay", "after_s": 2, "probability": 0.15},
    {"kind": "notify", "effect": "reorder", "after_s": 2, "probability": 0.15},
    {"kind": "notify", "effect": "drop", "probability": 0.15},
    {"kind": "notify", "effect": "forged", "probability": 0.15},
)


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """Channels whose statements have the day itself."""
    folder = tmp_path_factory.mktemp("rough-day")
    keys = switched(tmp_path_factory.getbasetemp() / "channel-keys", folder / "keys")
    with start_simulators(folder / "simulators", keys) as running:
        yield running


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes and one worker; the channels tell what happens."""
    webhooks = {"MASHANG_WEBHOOK_TIMEOUT_S": "2", "MASHANG_WEBHOOK_LEASE_S": "3"}
    return {"gateways": 2, "callbacks": True, "settings": {**FAULT_SETTINGS, **SETTINGS, **webhooks}}


@pytest.mark.long
async def test_whoever_is_killed_and_whatever_is_lost_the_books_agree_in_the_evening(
    stack: GatewayStack, book: ClientBook
) -> None:
    _say(f"\nseed {SEED}: replay with DAY_SEED={SEED}")
    rng = random.Random(SEED)
    async with open_shop(stack, book, rng.getrandbits(32), gives_up_after_s=8) as opened:
        for wallet in WALLETS:
            stack.simulators.set_faults(wallet, *CHANNEL_TROUBLE, seed=rng.getrandbits(32))
        kills = await _through_the_day(stack, opened, rng)
        stack.simulators.clear_faults()
        await opened.close()
        day = await evening(opened.office, stack.simulators, opened.began)
        await until(lambda: opened.hooks.times().keys() >= {event["id"] for event in day.events}, 60)

        assert opened.hooks.turned_away > 0
        assert opened.witness.unanswered() != [], "the tills felt it"
        assert opened.shop.overdue == []
        assert len(day.payments) >= len(opened.shop.sold)
        assert {sold.payment_id for sold in opened.shop.sold} <= day.payments.keys()
        assert {refund["id"]: refund for refund in opened.shop.refunds} == day.refunds
        webhooks_agree(day, opened.hooks)
        report_agrees(day)
        statements_agree(day)
        await receipts_agree(day, opened.office)
        statuses = Counter(payment["status"] for payment in day.payments.values())
        assert statuses["succeeded"] > len(day.payments) / 2
    report = await audit_command(stack.database_url, stack.simulators, book)
    assert report["payments"]["by_status"] == statuses
    _say(f"seed {SEED}: {dict(statuses)}; killed {dict(kills)}")


async def _through_the_day(stack: GatewayStack, opened: OpenShop, rng: random.Random) -> Counter[str]:
    """Sell everything while processes die and the merchant's server goes away; who was killed how often."""
    over = asyncio.Event()
    killing = asyncio.create_task(_kill_at_random(stack, rng, over))
    try:
        await asyncio.gather(
            opened.sell(ROUGH_DAY), opened.sell_at_the_wall(AT_THE_WALL), _go_away_for_a_while(opened.hooks)
        )
    finally:
        over.set()
        kills = await killing
    return kills


async def _kill_at_random(stack: GatewayStack, rng: random.Random, over: asyncio.Event) -> Counter[str]:
    """Kill a gateway or the worker and start it again, in rounds, until the day is over or there were enough."""
    kills: Counter[str] = Counter()
    victims = [*stack.gateways, *stack.workers, *stack.workers]
    while not kills or not (over.is_set() or kills.total() > KILLS_MAX):
        rng.shuffle(victims)
        for child in victims:
            await asyncio.sleep(rng.uniform(0.1, 1.0))
            kill(child)
            kills[child.command.name] += 1
            await asyncio.sleep(rng.uniform(0, 0.5))
            await asyncio.to_thread(stack.restart, child)
    return kills


async def _go_away_for_a_while(hooks: Hooks) -> None:
    """The merchant's server fails from the fifth message on."""
    await until(lambda: len(hooks.accepted) >= 5)
    hooks.is_away = True
    await until(lambda: hooks.turned_away > 0)
    await asyncio.sleep(AWAY_S)
    hooks.is_away = False


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
