"""What the guards of campaigns cost the intent statement in CPU, ours and PostgreSQL's: `python -m …parts.guards`.

Batches of payments that take of nothing, of one hot campaign, and of that campaign with counters of their customers, go
in turn to an embedded PostgreSQL over one connection.  Each figure is CPU per payment: of the connection's back-end
(statement and commit, without the writers behind it) and of this process from the offer to the result; the best of many
rounds, which is what the work costs on this machine, and the median, which is what its neighbours left of it.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from gateway.database.batches import Batch
from gateway.database.intents import IntentResult, IntentRow, intent_batch
from gateway.database.migrate import migrate
from gateway.database.pool import open_pool
from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.postgres import Postgres
from gateway.kernel.ids import new_id
from gateway.settings import Settings
from promotions.budget.rows import redemption_rows
from promotions.campaigns.campaign import AmountOff, Campaign, Limits, Scope, Share, Stacking, Status, Tier
from promotions.facts import EVER
from promotions.offer import Applied, Funding, Use

_ZONE: Final = ZoneInfo("Asia/Shanghai")
_HOT: Final = Campaign(
    id="cam_hot", version=1, status=Status.ACTIVE, name="Three off thirty", benefit=AmountOff((Tier(3_000, 300),)),
    condition=None, limits=Limits(budget_fen=10**15), funding=(Share("platform", Decimal(1)),), stacking=Stacking(),
    timezone=_ZONE, starts_at=None, ends_at=None,
)  # fmt: skip
_PLAIN, _CAMPAIGN, _COUNTERS = "no campaign", "one hot campaign", "with two counters of the customer"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in µs per payment, round by round."""

    postgres_us: list[float] = field(default_factory=list)
    gateway_us: list[float] = field(default_factory=list)


def main(
    batch: Annotated[int, typer.Option(help="payments in a batch")] = 64,
    batches: Annotated[int, typer.Option(help="batches of each kind in a round")] = 10,
    rounds: Annotated[int, typer.Option(help="rounds")] = 20,
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="mashang-guards-") as name:
        folder = Path(name)
        sockets = socket_folder(private_folder(folder))
        postgres = Postgres(folder / "postgres", sockets, folder / "postgres.log", durable=True)
        postgres.start()
        try:
            postgres.wait_ready()
            costs = asyncio.run(_measure(postgres.url("postgres"), batch, batches, rounds))
        finally:
            postgres.stop()
    _show(costs, batch)


async def _measure(url: str, size: int, batches: int, rounds: int) -> dict[str, Cost]:
    await migrate(url)
    settings = Settings(
        database_url=url, redis_url="redis://127.0.0.1:1/0", master_key="A" * 43 + "=", admin_token="x" * 24
    )
    pool = await open_pool(settings, size=1)
    day = await _open_campaign(pool)
    offers: dict[str, Callable[[int], Sequence[Applied]]] = {
        _PLAIN: lambda _: (),
        _CAMPAIGN: lambda _: (_applied(day),),
        _COUNTERS: lambda number: (_applied(day, f"{number:064x}"),),
    }
    pid, flushing = await pool.fetchval("SELECT pg_backend_pid()"), intent_batch(pool)
    costs = {kind: Cost() for kind in offers}
    for number in range(-1, rounds):  # the first one warms up
        for kind, offer in offers.items():
            postgres_us, gateway_us = await _round(flushing, pid, offer, size, batches)
            if number >= 0:
                costs[kind].postgres_us.append(postgres_us)
                costs[kind].gateway_us.append(gateway_us)
    await pool.close()
    return costs


async def _open_campaign(pool: asyncpg.Pool) -> date:
    await pool.execute(
        "INSERT INTO campaigns (id, status, document, budget, timezone) VALUES ($1, 'active', '{}', $2, $3)",
        _HOT.id, _HOT.limits.budget_fen, _ZONE.key,
    )  # fmt: skip
    day: date = await pool.fetchval("SELECT grant_day($1, NULL, NULL)", _HOT.id)
    return day


async def _round(
    flushing: Batch[IntentRow, IntentResult],
    pid: int,
    offer: Callable[[int], Sequence[Applied]],
    size: int,
    batches: int,
) -> tuple[float, float]:
    """CPU in µs per payment: PostgreSQL's, ours."""
    prepared = [[(_intent(), offer(number)) for number in range(size)] for _ in range(batches)]
    postgres_ns, gateway_ns = _cpu_ns(pid), time.process_time_ns()
    for batch in prepared:
        rows = [row._replace(redemptions=redemption_rows(applied, {_HOT.id: 0})) for row, applied in batch]
        for result in await flushing.flush(rows):
            assert isinstance(result, IntentResult)
            assert result.inserted
    payments = size * batches
    return (_cpu_ns(pid) - postgres_ns) / payments / 1e3, (time.process_time_ns() - gateway_ns) / payments / 1e3


def _applied(day: date, customer: str | None = None) -> Applied:
    uses = () if customer is None else (
        Use(Scope.CUSTOMER, customer, EVER, 100_000, None), Use(Scope.CUSTOMER, customer, day, 100_000, None),
    )  # fmt: skip
    return Applied(_HOT, 300, (Funding("platform", 300),), day, uses)


def _intent() -> IntentRow:
    payment_id = new_id("pay")
    return IntentRow(
        payment_id=payment_id, merchant_id="mer_bench", merchant_order_no=payment_id[4:], idempotency_key=None,
        status="processing", amount=3_300, payable=3_000, currency="CNY", method="barcode", wallet="wechat",
        account_id="wechat_direct", store_id=None, terminal_id=None, operator_id=None, metadata=None, notify_url=None,
        replaces=None, request_fingerprint=b"f" * 32, request_sealed=b"s" * 400, risk_decision="approve", risk_score=0,
        failure_code=None, expires_in_s=60, send_within_s=5.0, recover_after_s=15.0, qr_code=None, event_id=None,
    )  # fmt: skip


def _cpu_ns(pid: int) -> int:
    """What a process has had of the CPUs, by the scheduler's own count."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def _show(costs: dict[str, Cost], size: int) -> None:
    table = Table(
        "payments that take",
        "PostgreSQL best",
        "median",
        "gateway best",
        "median",
        title=f"µs per payment, batches of {size}",
    )
    for kind, cost in costs.items():
        figures = [figure for of in (cost.postgres_us, cost.gateway_us) for figure in (min(of), statistics.median(of))]
        table.add_row(kind, *(f"{figure:.1f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
