"""Everything at once against the invariants: tills, customers, channels that fail, callbacks that go astray, deaths.

One example is a sequence of moves for a few sales; then everything that was broken is mended, and each sale must come
to its end, with the books of all three sides in agreement.  `make fuzz` goes on for FUZZ_MINUTES; FUZZ_SEED replays.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.conftest import FAULT_SETTINGS
from tests.fuzz import screening
from tests.fuzz.sales import Sale, Street
from tests.fuzz.town import Town
from tests.fuzz.troubles import ASTRAY, CALLS, FAULTS, POSSIBLE_CALLS, REFUSED_REFUND
from tests.fuzz.truth import dossier, wrong, wrong_in_the_end
from tests.fuzz.values import MINUTES
from tests.fuzz.world import World
from tests.support.audits import audit_command
from tests.support.book import ClientBook
from tests.support.channels import Simulators, start_simulators
from tests.support.gateway import GatewayStack, kill
from tests.support.manager import Manager
from tests.support.receivers import start_receiver
from tests.support.shop_day.hooks import Hooks
from tests.support.shop_day.switches import switched
from tests.support.till import WALLETS, new_code, new_order

SEED: Final = int(os.environ.get("FUZZ_SEED") or (secrets.randbelow(2**32) if MINUTES else 3))
EXAMPLES: Final = 5
STEPS: Final = 14
MAGIC: Final = (None, None, None, None, "9001", "9003", "9004", "9006", "9008", "9009", "9012", "9013")
QUICK_TELLERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "wechat": {"refund_interval_s": 0, "notify_retry_s": [0.5] * 60},
    "alipay": {"refund_interval_s": 0, "notify_retry_s": [0.5] * 60},
    "unionpay": {"notify_retry_s": [0.5] * 60},
}
SETTINGS: Final = {
    **FAULT_SETTINGS,
    "MASHANG_PAGE_PROTECTED_S": "0.2",
    "MASHANG_PAGE_PAY_WITHIN_S": "30",
    "MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "MASHANG_WEBHOOK_INTERVAL_S": "0.05",
    "MASHANG_WEBHOOK_TIMEOUT_S": "1.5",
    "MASHANG_WEBHOOK_LEASE_S": "3",
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 2 * 60 * MINUTES)]


class Wanted(NamedTuple):
    """What somebody wants to buy, and how it is to be paid."""

    kind: str
    wallet: str
    magic: str | None
    amount: int
    wait_s: int
    pays: bool


WANTED: Final = st.builds(
    Wanted,
    kind=st.sampled_from(["barcode", "code", "any", "static"]),
    wallet=st.sampled_from(WALLETS),
    magic=st.sampled_from(MAGIC),
    amount=st.integers(1, 99_999),
    wait_s=st.sampled_from([0, 1, 3]),
    pays=st.booleans(),
)
Move = Callable[[Street, Sale], Coroutine[Any, Any, None]]
MOVES: Final[Mapping[str, Move]] = {
    "scan": Street.scan,
    "scan and hesitate": lambda street, sale: street.scan(sale, after_s=0.5),
    "look at it in the wallet": lambda street, sale: street.scan(sale, "scan"),
    "decline": lambda street, sale: street.scan(sale, "decline"),
    "open the page with WeChat": lambda street, sale: street.open_page(sale, "wechat"),
    "open the page with Alipay": lambda street, sale: street.open_page(sale, "alipay"),
    "open the page with UnionPay": lambda street, sale: street.open_page(sale, "unionpay"),
    "pay in the page": Street.pay_pages,
    "give the sale up": Street.give_up,
    "cancel": Street.cancel,
    "refund all": lambda street, sale: street.refund(sale, 1.0),
    "refund half": lambda street, sale: street.refund(sale, 0.5),
    "refund a third": lambda street, sale: street.refund(sale, 0.33),
    "refund too much": lambda street, sale: street.refund(sale, 1.5),
    "repeat the refunds": Street.repeat_a_refund,
    "repeat": Street.repeat,
    "contradict": Street.contradict,
    "ask the channel": Street.look,
    "expire": Street.expire,
    "tell again": Street.tell_again,
    "decide to query again": lambda street, sale: street.decide(sale, "query_again"),
    "decide to accept it": lambda street, sale: street.decide(sale, "accept_capture"),
    "decide to give it back": lambda street, sale: street.decide(sale, "give_back"),
    "let refunds rest": lambda street, sale: street.clock.let_refunds_rest(sale.id),
    **screening.MOVES,
}


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """Channels of this module's own, for an audit wants to know every order; they tell again soon."""
    folder = tmp_path_factory.mktemp("street")
    keys = switched(tmp_path_factory.getbasetemp() / "channel-keys", folder / "keys", QUICK_TELLERS)
    with start_simulators(folder / "simulators", keys) as running:
        yield running


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """Two gateways and two workers, so that one of each can die."""
    return {"gateways": 2, "workers": 2, "callbacks": True, "settings": SETTINGS}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientBook]:
    """What the tills asked and were told."""
    opened = ClientBook(tmp_path_factory.mktemp("book") / "clients.jsonl")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def town(world: World, stack: GatewayStack, book: ClientBook, redis_url: str) -> Iterator[Town]:
    """The street is open, and the shop's server is told of everything."""
    hooks = Hooks()

    async def open_street() -> tuple[Street, str]:
        pool = await asyncpg.create_pool(stack.database_url, min_size=1, max_size=8)
        street = Street(stack, book, pool)
        made = await street.client.post(f"{stack.url}/v1/webhook_endpoints", json={"url": receiver.url})
        hooks.secret = made.json()["secret"]
        wall = await street.client.post(f"{stack.url}/v1/codes", json={"name": "wall"})
        async with stack.admin() as admin:
            await Manager(stack, admin).start()
        return street, wall.json()["url"]

    with start_receiver() as receiver:
        receiver.behaviour = hooks
        street, wall = world.run(open_street())
        opened = Town(world, street, hooks, redis_url, wall)
        yield opened
        world.run(opened.street.aclose())
        world.run(opened.street.pool.close())


class WholeMachine(RuleBasedStateMachine):
    """A few sales, and all that can happen to them."""

    sales = Bundle("sales")

    def __init__(self, town: Town) -> None:
        super().__init__()
        self.town = town
        self.street = town.street
        self.known: list[Sale] = []
        self.dead = 0
        self.is_spoilt = False

    @initialize(
        target=sales,
        wanted=st.lists(WANTED, min_size=2, max_size=4),
        rules=st.sampled_from(sorted(screening.RULE_BOOKS)),
    )
    def open_the_shop(self, wanted: list[Wanted], rules: str) -> Any:
        """The first customers come at the same time, under the rules of the day."""

        async def sell_all() -> list[Sale | None]:
            await screening.publish(self.street, rules)
            await asyncio.sleep(screening.KNOWN_S)
            return await asyncio.gather(*[self._sell(one) for one in wanted])

        sold = [sale for sale in self.town.run(sell_all()) if sale is not None]
        self.known += sold
        return multiple(*sold)

    @rule(target=sales, wanted=WANTED)
    def sell(self, wanted: Wanted) -> Any:
        """The customer shows a code, scans one of a wallet's or of any wallet's, or comes to the one on the wall."""
        sale = self.town.run(self._sell(wanted))
        if sale is None:
            return multiple()
        self.known.append(sale)
        return sale

    @rule(sale=sales, move=st.sampled_from(sorted(MOVES)))
    def make_a_move(self, sale: Sale, move: str) -> None:
        """One thing happens."""
        self.town.run(MOVES[move](self.street, sale))

    @rule(
        sale=sales,
        moves=st.lists(st.sampled_from(sorted(MOVES)), min_size=2, max_size=5),
        other=sales,
        others=st.lists(st.sampled_from(sorted(MOVES)), max_size=3),
    )
    def make_moves_at_once(self, sale: Sale, moves: list[str], other: Sale, others: list[str]) -> None:
        """Several things happen at the same time."""

        async def at_once() -> None:
            await asyncio.gather(
                *[MOVES[move](self.street, sale) for move in moves],
                *[MOVES[move](self.street, other) for move in others],
            )

        self.town.run(at_once())

    @rule(sale=sales)
    def read(self, sale: Sale) -> None:
        """I2: nothing goes back."""
        self.town.run(self.street.read(sale))

    @rule(
        wallet=st.sampled_from(WALLETS),
        rule=st.sampled_from(ASTRAY)
        | st.builds(
            lambda fault, calls, times: {**fault, "calls": calls, "times": times},
            st.sampled_from(FAULTS),
            st.lists(st.sampled_from(CALLS), min_size=1, max_size=4, unique=True),
            st.integers(1, 3),
        ),
    )
    def break_a_channel(self, wallet: str, rule: Mapping[str, Any]) -> None:
        """Some of its calls fail, or what it tells by itself is lost, late, doubled, forged, too early."""
        if rule["kind"] == "error_code":
            rule = {**rule, "code": REFUSED_REFUND[wallet]}
        if rule["kind"] in POSSIBLE_CALLS:
            rule = {**rule, "calls": POSSIBLE_CALLS[rule["kind"]]}
        self.is_spoilt |= rule["kind"] == "wrong_amount"
        self.street.stack.simulators.set_faults(wallet, rule)

    @rule(what=st.sampled_from(["valkey", "merchant", "accounts", 0, 1]), wallet=st.sampled_from(WALLETS))
    def break_something_else(self, what: str | int, wallet: str) -> None:
        """Valkey forgets everything, the merchant's server answers 500, an account is replaced, a worker oversleeps."""
        if what == "valkey":
            self.town.flush_valkey()
        elif what == "merchant":
            self.town.hooks.is_away = True
        elif what == "accounts":
            self.town.change_account(wallet, status="draining")
        elif isinstance(what, int):
            self.street.stack.workers[what].send(signal.SIGSTOP)

    @rule(rules=st.sampled_from(sorted(screening.RULE_BOOKS)))
    def change_the_rules(self, rules: str) -> None:
        """Other rules are published; each process goes by them as soon as it knows."""
        self.town.run(screening.publish(self.street, rules))

    @rule(wallet=st.sampled_from(WALLETS), to_next=st.booleans())
    def rotate_credentials(self, wallet: str, *, to_next: bool) -> None:
        """An account gets other keys, which its channel knows already; those before them are still good."""
        self.town.rotate(wallet, to_next=to_next)

    @precondition(lambda self: self.dead < 2)
    @rule(
        what=st.sampled_from(["gateway", "worker"]),
        number=st.integers(0, 1),
        after_ms=st.sampled_from([0, 3, 10, 30, 100]),
        sale=sales,
        moves=st.lists(st.sampled_from(sorted(MOVES)), min_size=1, max_size=4),
    )
    def kill_in_the_middle(self, what: str, number: int, after_ms: int, sale: Sale, moves: list[str]) -> None:
        """A process is killed while several things happen, and started again."""
        stack = self.street.stack
        child = (stack.gateways if what == "gateway" else stack.workers)[number]

        async def at_once() -> None:
            moving = asyncio.gather(*[MOVES[move](self.street, sale) for move in moves])
            await asyncio.sleep(after_ms / 1_000)
            await asyncio.to_thread(kill, child)
            await asyncio.to_thread(stack.restart, child)
            await moving

        self.dead += 1
        self.town.run(at_once())

    @invariant()
    def nothing_contradicts_the_invariants(self) -> None:
        """Events, refunds, webhooks: whatever is under way."""
        for sale in self.known:
            seen = self.town.run(dossier(self.street, sale, self.town.hooks))
            assert wrong(seen) == []
            assert self.town.run(screening.screening_of(self.street, sale)) == []

    def teardown(self) -> None:
        """Mend everything; every sale comes to its end, and the books agree."""
        self.town.examples += 1
        self.town.mend()
        for sale in self.known:
            sale.spoilt = self.is_spoilt
        self.town.run(self.town.bring_to_an_end(self.known))
        for sale in self.known:
            seen = self.town.run(dossier(self.street, sale, self.town.hooks))
            assert wrong_in_the_end(seen) == [], seen
            self.town.run(self.street.read(sale))
            self.town.run(self.street.turn_back(sale))
        count, otherwise = self.town.run(screening.replayed(self.town.stack, [sale.id for sale in self.known]))
        self.town.screened += count
        assert otherwise == []

    async def _sell(self, wanted: Wanted) -> Sale | None:
        sale = await self._shown(wanted)
        if sale is not None and wanted.pays:
            await self.street.scan(sale)
            await self.street.open_page(sale, wanted.wallet)
            await self.street.pay_pages(sale)
        return sale

    async def _shown(self, wanted: Wanted) -> Sale | None:
        kind, wallet, amount = wanted.kind, wanted.wallet, wanted.amount
        match kind:
            case "barcode":
                order = new_order(wallet, wanted.magic, amount=amount, expires_in=30)
                return await self.street.ring_up(kind, order, wallet, wanted.wait_s)
            case "code":
                return await self.street.ring_up(kind, new_code(wallet, amount=amount), wallet, 5)
            case "any":
                return await self.street.ring_up(kind, new_code(None, amount=amount), None, 5)
        return await self.street.come_to_the_wall(self.town.wall, wallet, amount)


def _search(town: Town, number: int, examples: int) -> None:
    """So many examples from one seed."""
    factory = seed(number)(partial(WholeMachine, town))
    bounded = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=tuple(HealthCheck),
    )
    run_state_machine_as_test(factory, settings=bounded)  # type: ignore[arg-type]


def test_whatever_happens_to_a_sale_all_books_agree_in_the_end(
    town: Town, stack: GatewayStack, book: ClientBook
) -> None:
    sys.stderr.write(f"\nseed {SEED}: replay with FUZZ_SEED={SEED}\n")
    until = time.monotonic() + 60 * MINUTES
    _search(town, SEED, EXAMPLES)
    number = SEED
    while time.monotonic() < until:
        number += 1
        sys.stderr.write(f"seed {number}, {town.examples} examples so far\n")
        _search(town, number, EXAMPLES)
    assert town.screened > EXAMPLES
    report = town.run(audit_command(stack.database_url, stack.simulators, book))
    counts = {name: report[name] for name in ("payments", "refunds", "simulators", "client_log")}
    told = f"seeds {SEED} to {number}: {town.examples} examples, {town.screened} screened"
    sys.stderr.write(f"{told}\n{orjson.dumps(counts).decode()}\n")
