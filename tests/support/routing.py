"""A router over accounts in memory: one policy, sums as a test sets them, health that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gateway.kernel.clock import BEIJING
from routing.accounts.book import EVERY_METHOD, Account, AccountStatus
from routing.accounts.terms import Terms
from routing.channels.base import Wallet
from routing.eligibility import Book, Taken
from routing.health.health import Health
from routing.health.standing import BreakerState, Standing
from routing.policy.compiled import NO_POLICY, CompiledPolicy
from routing.policy.document import parse
from routing.router import Router
from routing.sale import Cell, Method, Sale
from tests.support.fake_channel import FakeChannel

NOON = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
"""A Friday."""
SHOP = "mer_shop"


def account(
    account_id: str,
    terms: Mapping[str, Any] | None = None,
    *,
    rate: int = 3_800,
    wallets: frozenset[Wallet] = frozenset({Wallet.WECHAT}),
    methods: Mapping[Wallet, frozenset[Method]] = EVERY_METHOD,
    merchant_id: str | None = None,
    status: AccountStatus = AccountStatus.ENABLED,
    priority: int = 100,
) -> Account:
    """An account that charges `rate` millionths; the platform's unless it is a merchant's."""
    channel: Any = FakeChannel()
    return Account(
        id=account_id,
        wallets=wallets,
        status=status,
        priority=priority,
        terms=Terms.of(terms, rate),
        channel=channel,
        kind="wechat",
        merchant_id=merchant_id,
        methods=methods,
    )


def sale(seed: str = "pay_1", amount_fen: int = 10_000, **changes: Any) -> Sale:
    """A bar code of WeChat in the shop at noon."""
    usual = {"merchant_id": SHOP, "wallet": Wallet.WECHAT, "method": Method.BARCODE, "at": NOON}
    return Sale(**{"seed": seed, "amount_fen": amount_fen, **usual, **changes})


def policy(*rules: Mapping[str, Any], version: int = 1, **bounds: Any) -> CompiledPolicy:
    """A policy of these rules, numbered where they have no names."""
    named = [{"name": f"rule-{number}", **rule} for number, rule in enumerate(rules)]
    return CompiledPolicy(parse({"rules": named, **bounds}, None), version)


class MemoryBook:
    """Accounts in memory."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = accounts
        self.version = 0

    def __iter__(self) -> Iterator[Account]:
        return iter(self.accounts)

    def now(self, *accounts: Account) -> None:
        """From now on these."""
        self.accounts = accounts
        self.version += 1


class FixedPolicies:
    """One policy for ever."""

    def __init__(self, compiled: CompiledPolicy = NO_POLICY) -> None:
        self.current = compiled


class FixedTakings:
    """Sums as a test sets them."""

    def __init__(self) -> None:
        self._taken: dict[str, Taken] = {}
        self.version = 0

    def taken(self, account_id: str) -> Taken:
        """What the account took in."""
        return self._taken.get(account_id, Taken())

    def now(self, **taken: Taken) -> None:
        """From now on these."""
        self._taken = taken
        self.version += 1


class FixedHealth:
    """Standings that stay as they are set; probes are counted off `probes_free`."""

    def __init__(self) -> None:
        self._standings: dict[Cell, Standing] = {}
        self.reserved: list[Cell] = []

    def standing(self, cell: Cell) -> Standing:
        """All are well until something else is set."""
        if cell not in self._standings:
            self._standings[cell] = Standing(success=0.99, spread=0.01, in_flight_max=64)
        return self._standings[cell]

    def of(self, account_id: str, wallet: Wallet = Wallet.WECHAT, method: Method = Method.BARCODE) -> Standing:
        """The standing of an account."""
        return self.standing(Cell(account_id, wallet, method))

    def half_open(self, account_id: str, probes: int) -> None:
        """That account's breaker lets so many payments through."""
        standing = self.of(account_id)
        standing.state, standing.probes_free = BreakerState.HALF_OPEN, probes

    def reserve_probe(self, cell: Cell) -> bool:
        """While there are any."""
        standing = self.standing(cell)
        if standing.probes_free == 0:
            return False
        standing.probes_free -= 1
        self.reserved.append(cell)
        return True


class Bench:
    """A router with everything that it goes by at hand."""

    def __init__(self, *accounts: Account, compiled: CompiledPolicy = NO_POLICY) -> None:
        self.book = MemoryBook(*accounts)
        self.policies = FixedPolicies(compiled)
        self.health = FixedHealth()
        self.takings = FixedTakings()
        self.router = Router(self.book, self.policies, self.health, self.takings)


def plain_router(book: Book) -> Router:
    """Over accounts that nothing is known of: it goes by fee, then by priority, and never explores."""
    return Router(book, FixedPolicies(policy(exploration="0")), Health(), FixedTakings())
