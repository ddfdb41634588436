"""A shop uses Mashang for a whole day, through gateway.client alone, and in the evening all books agree."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.audits import audit_command
from tests.support.book import ClientBook
from tests.support.channels import Simulators, start_simulators
from tests.support.gateway import GatewayStack
from tests.support.shop_day.agreement import receipts_agree, report_agrees, statements_agree, webhooks_agree
from tests.support.shop_day.counter import Sold
from tests.support.shop_day.evening import Evening, evening
from tests.support.shop_day.opening import SETTINGS, open_shop
from tests.support.shop_day.sales import QUIET_DAY
from tests.support.shop_day.switches import switched
from tests.support.till import WALLETS
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(240)]

SEED: Final = secrets.randbelow(2**32)
AT_THE_WALL: Final = 2
ANSWER_MARGIN_S: Final = 3.0
"""Beyond the till's wait: what a machine that runs everything else besides may need."""


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """Channels of this shop's own, whose statements have the day itself."""
    folder = tmp_path_factory.mktemp("day")
    keys = switched(tmp_path_factory.getbasetemp() / "channel-keys", folder / "keys")
    with start_simulators(folder / "simulators", keys) as running:
        yield running


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateway processes, a worker, and channels that tell what happens."""
    return {"gateways": 2, "callbacks": True, "settings": SETTINGS}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ClientBook]:
    """What the tills asked and were told."""
    opened = ClientBook(tmp_path / "tills.jsonl")
    yield opened
    opened.close()


async def test_a_shop_works_with_it_for_a_whole_day_and_the_books_agree_in_the_evening(
    stack: GatewayStack, book: ClientBook
) -> None:
    sys.stderr.write(f"\nseed {SEED}\n")
    async with open_shop(stack, book, SEED) as opened:
        await opened.sell(QUIET_DAY)
        await opened.sell_at_the_wall(AT_THE_WALL)
        day = await evening(opened.office, stack.simulators, opened.began)
        await until(lambda: opened.hooks.times().keys() >= {event["id"] for event in day.events})

        assert opened.witness.late(ANSWER_MARGIN_S) == []
        assert opened.shop.overdue == []
        assert opened.witness.unanswered() == []
        assert (opened.shop.repeats, opened.shop.customers.reloads) == (0, 0)
        assert len(day.payments) == len(opened.shop.sold) + AT_THE_WALL * len(WALLETS) >= 150
        otherwise = [(sold, day.payments[sold.payment_id]) for sold in opened.shop.sold if not as_told(sold, day)]
        assert otherwise == []
        assert {refund["id"]: refund for refund in opened.shop.refunds} == day.refunds
        webhooks_agree(day, opened.hooks)
        assert set(opened.hooks.times().values()) == {1}, "each event was taken in once"
        report_agrees(day)
        statements_agree(day)
        await receipts_agree(day, opened.office)
    report = await audit_command(stack.database_url, stack.simulators, book)
    statuses = Counter(payment["status"] for payment in day.payments.values())
    assert report["payments"]["by_status"] == statuses
    assert statuses.keys() == {"succeeded", "failed", "closed", "reversed"}


def as_told(sold: Sold, day: Evening) -> bool:
    """Whether it ended as such a sale ends; what is cancelled over midnight is refunded whole instead."""
    payment = day.payments[sold.payment_id]
    refunded = payment["status"] == "succeeded" and payment["amount_refunded"] == payment["amount"]
    return payment["status"] in sold.ends or ("reversed" in sold.ends and refunded)
