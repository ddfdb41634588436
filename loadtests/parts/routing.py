"""`make bench-routing`: what the choice of a route costs in CPU, by accounts and rules; storing it; and health's part.

Every account has limits, health of its own and a fee with bounds, a third of them bands, and two of twenty are down.
Each figure is of one thread's CPU time over a thousand different sales: the best of many rounds, which is what the work
costs on this machine, and the median, which is what its neighbours left of it.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, cast

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gateway.kernel.clock import BEIJING
from routing.accounts.book import Account, AccountStatus
from routing.accounts.terms import Terms
from routing.channels.base import Channel, Wallet
from routing.eligibility import Taken
from routing.health.health import Health
from routing.health.standing import BreakerState
from routing.health.verdicts import Verdict
from routing.policy.compiled import CompiledPolicy
from routing.policy.document import parse
from routing.router import Router
from routing.sale import Cell, Method, Price, Prices, Sale

TARGET_US: Final = 20.0
TARGET_ACCOUNTS: Final = 20
TARGET_RULES: Final = 100
_SALES: Final = 1_000
_NOON: Final = datetime(2026, 11, 22, 12, tzinfo=BEIJING)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one call in µs."""

    what: str
    accounts: int
    rules: int
    best_us: float
    median_us: float


class _Book:
    """Accounts in memory."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.version = 1
        self._accounts = accounts

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts)


@dataclass(frozen=True, slots=True)
class _Policies:
    current: CompiledPolicy


class _Takings:
    """Every account has taken something."""

    version = 1

    def taken(self, account_id: str) -> Taken:  # noqa: ARG002
        """The same for each."""
        return Taken(10_000_000, 200_000_000)


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Rounds of a thousand calls for each figure.")] = 60,
    results: Annotated[Path, typer.Option(help="Folder for the JSON document.")] = Path("results"),
) -> None:
    """Measure, print a table, and write one JSON document."""
    costs = list(_measure(rounds))
    at = datetime.now(UTC)
    _show(Console(), costs)
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"routing-{at:%Y%m%dT%H%M%SZ}.json"
    target = {"what": "choose", "accounts": TARGET_ACCOUNTS, "rules": TARGET_RULES, "best_us_at_most": TARGET_US}
    document = {
        "time": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "target": target,
        "costs": [asdict(cost) for cost in costs],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    Console().print(f"Written to {path}")


def _measure(rounds: int) -> Iterator[Cost]:
    meter = _Meter(_sales(), rounds)
    for accounts in (2, 5, 20):
        for rules in (0, 10, 100):
            router, _ = _router(accounts, rules)
            yield meter.cost("choose", accounts, rules, _choosing(router))
    router, health = _router(TARGET_ACCOUNTS, TARGET_RULES)
    campaign = {f"account_{number:02d}": Price(2_000, 500) for number in range(0, TARGET_ACCOUNTS, 4)}

    def with_campaign(sale: Sale) -> object:
        return router.choose(sale, Prices(Price(sale.amount_fen), campaign))

    def without_one(sale: Sale) -> object:
        tried = frozenset({"account_00"})
        return router.choose(sale, Prices.full(sale.amount_fen), without=tried, payable_fen=sale.amount_fen)

    def with_record(sale: Sale) -> object:
        return router.choose(sale, Prices.full(sale.amount_fen)).record()

    def explained(sale: Sale) -> object:
        return router.explain(sale, Prices.full(sale.amount_fen)).to_json()

    cell = Cell("account_05", Wallet.WECHAT, Method.BARCODE)

    def call(sale: Sale) -> object:  # noqa: ARG001
        health.begin(cell).end(Verdict.OK)
        return None

    for what, work in (
        ("choose, campaign on some accounts", with_campaign),
        ("choose, failing over", without_one),
        ("choose and record", with_record),
        ("explain", explained),
        ("health: begin and end of a call", call),
    ):
        yield meter.cost(what, TARGET_ACCOUNTS, TARGET_RULES, work)


def _choosing(router: Router) -> Callable[[Sale], object]:
    return lambda sale: router.choose(sale, Prices.full(sale.amount_fen))


@dataclass(frozen=True, slots=True)
class _Meter:
    """Measures over these sales, so many rounds."""

    sales: Sequence[Sale]
    rounds: int

    def cost(self, what: str, accounts: int, rules: int, work: Callable[[Sale], object]) -> Cost:
        """The CPU time of one call."""
        costs_us: list[float] = []
        for _ in range(self.rounds):
            before_ns = time.thread_time_ns()
            for sale in self.sales:
                work(sale)
            costs_us.append((time.thread_time_ns() - before_ns) / 1_000 / len(self.sales))
        return Cost(what, accounts, rules, min(costs_us), statistics.median(costs_us))


def _sales() -> list[Sale]:
    """Sales of many shops over some minutes."""
    draw = random.Random(4)
    return [
        Sale(
            seed=f"pay_{number:026d}",
            merchant_id=f"mer_{draw.randrange(500)}",
            amount_fen=round(draw.lognormvariate(8.5, 1.2)) + 1,
            wallet=Wallet.WECHAT,
            method=Method.BARCODE,
            at=_NOON + timedelta(seconds=draw.randrange(600)),
            store_id=f"s-{draw.randrange(300)}",
            terminal_id=f"t-{draw.randrange(3_000)}",
            operator_id=None,
            card_bin="622848" if draw.random() < 0.1 else None,
            is_static_code=draw.random() < 0.2,
        )
        for number in range(_SALES)
    ]


def _router(accounts: int, rules: int) -> tuple[Router, Health]:
    book = _Book([_account(number) for number in range(accounts)])
    policy = CompiledPolicy(parse({"rules": [_rule(number, accounts) for number in range(rules)]}, None), 1)
    health = Health()
    draw = random.Random(7)
    for account in book:
        cell = Cell(account.id, Wallet.WECHAT, Method.BARCODE)
        for _ in range(50):
            health.begin(cell).end(Verdict.FAULT if draw.random() < 0.02 else Verdict.OK)
    health.tick()
    for number in range(9, accounts, 10):
        health.standing(Cell(f"account_{number:02d}", Wallet.WECHAT, Method.BARCODE)).state = BreakerState.OPEN
    return Router(book, _Policies(policy), health, _Takings()), health


def _account(number: int) -> Account:
    terms: dict[str, Any] = {
        "fee": {"rate_millionths": 3_000 + 50 * number, "min_fen": 1, "cap_fen": 50_000},
        "limits": {"payment_max_fen": 5_000_000, "day_fen": 10**9, "month_fen": 10**10, "static_code_max_fen": 50_000},
        "hours": {"timezone": "Asia/Shanghai", "open": [{"from": "00:30", "until": "23:30"}]},
    }
    if number % 3 == 2:
        terms["fee"]["bands"] = [{"up_to_fen": 100_000, "rate_millionths": 2_000 + 50 * number}]
    return Account(
        id=f"account_{number:02d}",
        wallets=frozenset({Wallet.WECHAT}),
        status=AccountStatus.ENABLED,
        priority=100,
        terms=Terms.of(terms, 3_800),
        channel=cast("Channel", None),  # nothing is called
        kind="wechat",
    )


def _rule(number: int, accounts: int) -> dict[str, Any]:
    """As operations write them: most are about one store, till, merchant or card, some about amounts and hours."""
    account, other = f"account_{number % accounts:02d}", f"account_{(number + 1) % accounts:02d}"
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        (f"payment.amount > {500_000 + 10_000 * number}", {"exclude": [account]}),
        (f"payment.store_id == 's-{number}'", {"order": [account, other]}),
        (f"payment.merchant_id in ['mer_{number}', 'mer_{number + 1}']", {"prefer": [account], "within": "0.001"}),
        (f"payment.hour < 6 && payment.wallet == 'wechat' && payment.amount < {number}", {"exclude": [account]}),
        (f"payment.card_bin.startsWith('62{number:04d}')", {"order": [account]}),
        (f"payment.terminal_id == 't-{number}' || payment.operator_id == 'o-{number}'", {"exclude": [other]}),
        (f"payment.store_id == 's-{number + 100}' && payment.weekday in [6, 7]", {"split": {account: 70, other: 30}}),
        (f"payment.date == '2026-12-{number % 28 + 1:02d}'", {"exclude": [account]}),
        (f"payment.static_code && payment.amount > {Decimal(number) * 1_000}", {"prefer": [other]}),
        (f"payment.merchant_id == 'mer_{number}' && payment.method == 'page'", {"order": [other]}),
    )
    when, action = kinds[number % len(kinds)]
    return {"name": f"rule-{number}", "when": when, **action}


def _show(console: Console, costs: Sequence[Cost]) -> None:
    table = Table(title="CPU of one call, µs", title_justify="left")
    for column in ("what", "accounts", "rules", "best", "median"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for cost in costs:
        table.add_row(cost.what, str(cost.accounts), str(cost.rules), f"{cost.best_us:.1f}", f"{cost.median_us:.1f}")
    console.print(table)
    aim = next(each for each in costs if (each.accounts, each.rules) == (TARGET_ACCOUNTS, TARGET_RULES))
    mark = "[green]✓[/green]" if aim.best_us <= TARGET_US else "[red]✗[/red]"
    console.print(
        f"{mark} choose with {aim.accounts} accounts and {aim.rules} rules: {aim.best_us:.1f} µs "
        f"(median {aim.median_us:.1f}), at most {TARGET_US:.0f} asked"
    )


if __name__ == "__main__":
    typer.run(main)
