"""The audit itself: read the client log and the simulators' books, then walk through PostgreSQL and compare."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import asyncpg
from asyncpg.transaction import Transaction

from gateway.audit import clientlog, database
from gateway.audit.attempts import check_attempts
from gateway.audit.booking import check_postings
from gateway.audit.budgets import CampaignTally, check_budgets, check_walked
from gateway.audit.callbacks import CallbackTally, check_callback
from gateway.audit.clientlog import ClientLogSummary
from gateway.audit.database import Page
from gateway.audit.findings import CannotAudit, Findings
from gateway.audit.history import check_answers, check_history, report_lost
from gateway.audit.money import check_money, report_astray, report_unknown
from gateway.audit.pool import PoolTally, survey_pool
from gateway.audit.progress import Steps
from gateway.audit.quiet import wait_until_quiet
from gateway.audit.redemptions import check_redemptions, took, used
from gateway.audit.refunds import check_refunds, report_refund_lost
from gateway.audit.rows import Dossier, Trade
from gateway.audit.scene import BOUND_S, Scene
from gateway.audit.scratch import Scratch
from gateway.audit.screening import check_decisions
from gateway.audit.simulators import SimulatorBooks
from gateway.audit.span import Bounds, Days, bounds
from gateway.audit.totals import Totals
from gateway.audit.webhooks import WebhookTally, check_webhooks
from gateway.audit.work import check_work
from gateway.payments.numbers import ATTEMPTS_MAX, attempt_order_no
from gateway.payments.states import Status

_SHOWN_MAX: Final = 20
_ULID: Final = 26


class AuditKind(StrEnum):
    """Which books were joined (audit_runs.kind)."""

    THREE_BOOKS = "three_books"
    OWN_BOOKS = "own_books"
    """PostgreSQL, the pool and the clients' log: what the channels have is not asked."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """`bound_s`: for so long a payment may be unresolved (I6); `shown_max`: mismatches listed of each check.

    `redis_url`: where the budget pool is; without it, it is not looked at.  `days`: only payments made in these, of our
    own books alone (the channels' have no days); None for all.
    """

    client_logs: tuple[Path, ...] = ()
    wait_s: float = 0.0
    bound_s: float = BOUND_S
    redis_url: str | None = None
    shown_max: int = _SHOWN_MAX
    own_books: bool = False
    days: Days | None = None

    @property
    def kind(self) -> AuditKind:
        """Which books it joins."""
        return AuditKind.OWN_BOOKS if self.own_books else AuditKind.THREE_BOOKS


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was compared and what came of it."""

    kind: AuditKind
    days: Days | None
    findings: Findings
    totals: Totals
    client_log: ClientLogSummary | None
    payments: int
    trades: int
    refunds: int
    callbacks: CallbackTally
    webhooks: WebhookTally
    campaigns: CampaignTally
    pool: PoolTally | None
    quiet: bool
    at: datetime
    bound_s: float

    @property
    def agrees(self) -> bool:
        """Whether no book contradicts another."""
        return not self.findings.total


async def audit(
    database_url: str, simulators: Sequence[SimulatorBooks], options: AuditOptions, steps: Steps | None = None
) -> AuditReport:
    """Audit the stack.  Raises CannotAudit where a book cannot be read.

    The simulators' books and the log are read before PostgreSQL's snapshot is taken: what they know, PostgreSQL must
    know, for an intent is durable before its charge leaves and an outcome before its answer.
    """
    steps = steps or Steps()
    with tempfile.TemporaryDirectory(prefix="mashang-audit-") as folder, steps.shown():
        scratch = Scratch(Path(folder) / "books.sqlite")
        try:
            async with database.connected(database_url) as connection:
                return await _Audit(connection, simulators, options, steps, scratch).run()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise CannotAudit(f"PostgreSQL cannot be read: {type(error).__name__}: {error}") from error
        finally:
            scratch.close()


class _Audit:
    """One run."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        simulators: Sequence[SimulatorBooks],
        options: AuditOptions,
        steps: Steps,
        scratch: Scratch,
    ) -> None:
        self._connection = connection
        self._simulators = simulators
        self._options = options
        self._steps = steps
        self._scratch = scratch
        self._findings = Findings(options.shown_max)
        self._totals = Totals()
        self._callbacks = CallbackTally()
        self._webhooks = WebhookTally()
        self._campaigns = CampaignTally()
        self._pool: PoolTally | None = None
        self._payments = self._trades = self._refunds = 0
        self._walked_trades = self._walked_refunds = 0

    async def run(self) -> AuditReport:
        """Read, join, compare."""
        if not self._options.own_books:
            await self._require_every_channel()
        quiet = await wait_until_quiet(self._connection, self._simulators, self._options.wait_s)
        self._books_read_from = await database.clock(self._connection)
        client_log = self._read_client_logs()
        for simulator in self._simulators:
            await self._read_books(simulator)
        self._scratch.sort()
        return self._report(client_log, await self._compare(), quiet=quiet)

    async def _require_every_channel(self) -> None:
        known = {simulator.channel for simulator in self._simulators}
        wanted = {account.channel for account in (await database.accounts(self._connection)).values()}
        if missing := sorted(wanted - known):
            raise CannotAudit(
                f"there are accounts at {', '.join(missing)}, but no simulator was named for "
                f"{'it' if len(missing) == 1 else 'them'}: add --simulator {missing[0]}=URL, or leave the channels' "
                f"books out with --own-books"
            )

    def _read_client_logs(self) -> ClientLogSummary | None:
        if not self._options.client_logs:
            return None
        summary = ClientLogSummary()
        for path in self._options.client_logs:
            clientlog.read_client_log(path, self._scratch, self._findings, summary)
        return summary

    async def _read_books(self, simulator: SimulatorBooks) -> None:
        health = await simulator.health()
        done = self._steps.step(f"{simulator.channel} books", sum(health.trades.values()))
        async for trades in simulator.trades():
            self._scratch.add_trades(trades)
            self._trades += len(trades)
            done(len(trades))
        async for refunds in simulator.refunds():
            self._scratch.add_refunds(refunds)
            self._refunds += len(refunds)

    async def _compare(self) -> datetime:
        """All there is in one snapshot; days one by one, each in its own, so that none is held for long."""
        days = self._options.days
        if days is None:
            async with self._snapshot():
                await self._compare_walked(None)
                return await self._compare_rest(None)
        for day in days.each():
            await self._compare_walked(day)
        return await self._compare_rest(days)

    def _snapshot(self) -> Transaction:
        """Within another one it is the same."""
        return self._connection.transaction(isolation="repeatable_read", readonly=True)

    async def _compare_walked(self, day: Days | None) -> None:
        """The payments of a day, or all; and what has to be compared with their sums, in the same snapshot."""
        connection, findings = self._connection, self._findings
        async with self._snapshot():
            findings.retired = await database.retired(connection)
            self._scratch.forget_sums()
            scene = await self._walk(day)
            if day is not None:
                await self._add_neighbours(day)
            await check_walked(connection, self._scratch, None if day is None else day.first, scene.now, findings)

    async def _walk(self, day: Days | None) -> Scene:
        within, walked = bounds(day), 0
        count = await database.paid(self._connection, within)
        scene = await self._scene(count["now"])
        done = self._steps.step("payments" if day is None else f"payments of {day.first}", count["payments"])
        async for page in database.pages(self._connection, within, self._findings):
            self._add_books(page)
            for dossier in page.dossiers.values():
                self._check(dossier, scene)
            self._sum_up(page, day)
            for callback in page.strange_callbacks:
                check_callback(callback, None, scene, self._findings)
                self._callbacks.add(callback)
            walked += len(page.dossiers)
            done(len(page.dossiers))
        self._payments += walked
        self._require_all_walked(walked, count["payments"])
        return scene

    async def _scene(self, now: datetime) -> Scene:
        own, bound = self._options.own_books, timedelta(seconds=self._options.bound_s)
        read_from = now if own else self._books_read_from
        return Scene(now, read_from, bound, await database.accounts(self._connection), has_channels=not own)

    async def _add_neighbours(self, day: Days) -> None:
        """What payments of the days beside it took of this day's budgets: campaigns have time zones of their own."""
        around, own = bounds(day.widened()), bounds(day)
        for within in (Bounds(around.after, own.after), Bounds(own.to, around.to)):
            async for page in database.promoted(self._connection, within):
                self._sum_up(page, day)

    async def _compare_rest(self, days: Days | None) -> datetime:
        """What is compared by PostgreSQL itself, each in a snapshot of its own where no other is open."""
        connection, findings, within = self._connection, self._findings, bounds(days)
        async with self._snapshot():
            await database.check_numbers(connection, within, bounds(days, "ref_"), findings)
        async with self._snapshot():
            scene = await self._scene(await connection.fetchval("SELECT now()"))
            self._webhooks = await check_webhooks(connection, scene, days, findings)
        async with self._snapshot():
            await check_decisions(connection, within, findings)
        clientlog.check_orders(self._scratch, findings)
        async with self._snapshot():
            self._campaigns = await check_budgets(connection, within, findings)
        if self._options.redis_url is not None:
            self._pool = await survey_pool(connection, self._options.redis_url)
        if not self._options.own_books:
            self._totals.compare(await database.receivables(connection), findings)
        return scene.now

    def _report(self, client_log: ClientLogSummary | None, at: datetime, *, quiet: bool) -> AuditReport:
        return AuditReport(
            kind=self._options.kind,
            days=self._options.days,
            findings=self._findings,
            totals=self._totals,
            client_log=client_log,
            payments=self._payments,
            trades=self._trades,
            refunds=self._refunds,
            callbacks=self._callbacks,
            webhooks=self._webhooks,
            campaigns=self._campaigns,
            pool=self._pool,
            quiet=quiet,
            at=at,
            bound_s=self._options.bound_s,
        )

    def _check(self, dossier: Dossier, scene: Scene) -> None:
        findings, standing = self._findings, scene.standing(dossier)
        if scene.has_channels:
            check_money(dossier, standing, scene, findings)
        check_history(dossier, findings)
        check_answers(dossier, findings)
        check_work(dossier, scene, findings)
        check_attempts(dossier, scene, findings)
        for callback in dossier.callbacks:
            check_callback(callback, dossier, scene, findings)
            self._callbacks.add(callback)
        check_postings(dossier, scene, findings)
        check_refunds(dossier, standing, scene, findings)
        check_redemptions(dossier, findings)
        database.check_order_number(dossier, findings)
        self._totals.add(dossier, standing, scene)

    def _sum_up(self, page: Page, of: Days | None) -> None:
        """Put aside what the payments count for in budgets, limits and their customers' history; of a day, or all."""
        promoted = [dossier for dossier in page.dossiers.values() if dossier.redemptions]
        day = None if of is None else of.first.isoformat()
        self._scratch.add_took([row for dossier in promoted for row in took(dossier) if day in {None, row.day}])
        self._scratch.add_used([row for dossier in promoted for row in used(dossier) if day in {None, row.day}])
        if of is not None:
            return
        payments = [dossier.payment for dossier in page.dossiers.values()]
        self._scratch.add_paid(
            [(row.customer, row.payable) for row in payments if row.customer and row.status == Status.SUCCEEDED]
        )

    def _add_books(self, page: Page) -> None:
        """Join the page with the other books by ranges of the same order."""
        for trade in self._scratch.trades(page.after, page.to):
            self._walked_trades += 1
            dossier, seq = _attempt_of(page, trade.order_no)
            if dossier is None:
                self._add_unknown(trade)
            else:
                dossier.trades.append((seq, trade))
        for refund in self._scratch.refunds(page.after, page.to):
            self._walked_refunds += 1
            dossier, seq = _attempt_of(page, refund.order_no)
            if dossier is None:
                report_astray(refund, self._findings)
            else:
                dossier.refunds.append((seq, refund))
        for answer in self._scratch.answers(page.after, page.to):
            dossier = page.dossiers.get(answer.payment_id)
            if dossier is None:
                report_lost(answer, self._findings)
            else:
                dossier.answers.append(answer)
        for told in self._scratch.refund_answers(page.after, page.to):
            dossier = page.dossiers.get(told.payment_id)
            if dossier is None:
                report_refund_lost(told, self._findings)
            else:
                dossier.refund_answers.append(told)

    def _add_unknown(self, trade: Trade) -> None:
        """A simulator's order without a payment here: an error, or of a month that was taken out."""
        if self._findings.retired.holds({"order_no": trade.order_no}):
            self._totals.apart["retired"].add(trade.kept)
        else:
            report_unknown(trade, self._findings)
            self._totals.unknown[trade.channel].add(trade.kept)

    def _require_all_walked(self, payments: int, payments_counted: int) -> None:
        """An audit that left something out would agree for the wrong reason."""
        walked = (payments, self._walked_trades, self._walked_refunds)
        read = (payments_counted, self._trades, self._refunds)
        if walked != read:
            raise CannotAudit(f"of (payments, orders, refunds) {read} were read, but {walked} compared")


def _attempt_of(page: Page, order_no: str) -> tuple[Dossier | None, int]:
    """The payment of a channel's order number and which attempt it is; None where no attempt of ours has it."""
    dossier = page.dossiers.get(f"pay_{order_no[:_ULID]}")
    if dossier is None:
        return None, 0
    for seq in dossier.attempts:
        if 0 < seq <= ATTEMPTS_MAX and attempt_order_no(dossier.payment.id, seq) == order_no:
            return dossier, seq
    return None, 0
