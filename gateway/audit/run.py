"""The audit itself: read the client log and the simulators' books, then walk through PostgreSQL and compare."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from gateway.audit import clientlog, database
from gateway.audit.attempts import check_attempts
from gateway.audit.booking import check_postings
from gateway.audit.budgets import CampaignTally, check_budgets
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
from gateway.audit.totals import Totals
from gateway.audit.webhooks import WebhookTally, check_webhooks
from gateway.audit.work import check_work
from gateway.payments.numbers import ATTEMPTS_MAX, attempt_order_no
from gateway.payments.states import Status

_SHOWN_MAX: Final = 20
_ULID: Final = 26


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """`bound_s`: for so long a payment may be unresolved (I6); `shown_max`: mismatches listed of each check.

    `redis_url`: where the budget pool is; without it, it is not looked at.
    """

    client_logs: tuple[Path, ...] = ()
    wait_s: float = 0.0
    bound_s: float = BOUND_S
    redis_url: str | None = None
    shown_max: int = _SHOWN_MAX


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was compared and what came of it."""

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
        self._trades = self._refunds = 0
        self._walked_trades = self._walked_refunds = 0

    async def run(self) -> AuditReport:
        """Read, join, compare."""
        await self._require_every_channel()
        quiet = await wait_until_quiet(self._connection, self._simulators, self._options.wait_s)
        books_read_from = await database.clock(self._connection)
        client_log = self._read_client_logs()
        for simulator in self._simulators:
            await self._read_books(simulator)
        self._scratch.sort()
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            return await self._compare(books_read_from, client_log, quiet=quiet)

    async def _require_every_channel(self) -> None:
        known = {simulator.channel for simulator in self._simulators}
        wanted = {account.channel for account in (await database.accounts(self._connection)).values()}
        if missing := sorted(wanted - known):
            raise CannotAudit(
                f"there are accounts at {', '.join(missing)}, but no simulator was named for "
                f"{'it' if len(missing) == 1 else 'them'}: add --simulator {missing[0]}=URL"
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

    async def _compare(
        self, books_read_from: datetime, client_log: ClientLogSummary | None, *, quiet: bool
    ) -> AuditReport:
        connection, findings = self._connection, self._findings
        findings.retired = await database.retired(connection)
        count = await database.counts(connection)
        bound = timedelta(seconds=self._options.bound_s)
        scene = Scene(count["now"], books_read_from, bound, await database.accounts(connection))
        done = self._steps.step("payments", count["payments"])
        walked = 0
        async for page in database.pages(connection, findings):
            self._add_books(page)
            for dossier in page.dossiers.values():
                self._check(dossier, scene)
            self._sum_up(page)
            for callback in page.strange_callbacks:
                check_callback(callback, None, scene, findings)
                self._callbacks.add(callback)
            walked += len(page.dossiers)
            done(len(page.dossiers))
        self._require_all_walked(walked, count["payments"])
        await database.check_numbers(connection, count, findings)
        webhooks = await check_webhooks(connection, scene, findings)
        await check_decisions(connection, findings)
        clientlog.check_orders(self._scratch, findings)
        campaigns = await check_budgets(connection, self._scratch, scene.now, findings)
        pool = None if self._options.redis_url is None else await survey_pool(connection, self._options.redis_url)
        self._totals.compare(await database.receivables(connection), findings)
        return AuditReport(
            findings=findings,
            totals=self._totals,
            client_log=client_log,
            payments=walked,
            trades=self._trades,
            refunds=self._refunds,
            callbacks=self._callbacks,
            webhooks=webhooks,
            campaigns=campaigns,
            pool=pool,
            quiet=quiet,
            at=scene.now,
            bound_s=self._options.bound_s,
        )

    def _check(self, dossier: Dossier, scene: Scene) -> None:
        findings, standing = self._findings, scene.standing(dossier)
        check_money(dossier, standing, scene, findings)
        check_history(dossier, findings)
        check_answers(dossier, findings)
        check_work(dossier, scene, findings)
        check_attempts(dossier, scene, findings)
        for callback in dossier.callbacks:
            check_callback(callback, dossier, scene, findings)
            self._callbacks.add(callback)
        check_postings(dossier, scene, findings)
        check_refunds(dossier, standing, findings)
        check_redemptions(dossier, findings)
        database.check_order_number(dossier, findings)
        self._totals.add(dossier, standing, scene)

    def _sum_up(self, page: Page) -> None:
        """Put aside what the payments count for in budgets, limits and their customers' history."""
        promoted = [dossier for dossier in page.dossiers.values() if dossier.redemptions]
        self._scratch.add_took([row for dossier in promoted for row in took(dossier)])
        self._scratch.add_used([row for dossier in promoted for row in used(dossier)])
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
