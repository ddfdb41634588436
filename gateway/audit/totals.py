"""The sums: per account what the channel has, per account and day what was booked, and what is counted apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import asyncpg

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.money import loose
from gateway.audit.rows import Dossier, LateRow, Trade
from gateway.audit.scene import Scene, Standing, was_booked, was_taken_back
from gateway.kernel.clock import BEIJING
from gateway.ledger.postings import channel_receivable
from gateway.payments.states import Status

APART_OF_CHANNELS: Final = frozenset(
    {Standing.BY_HAND, Standing.CHANGING, "late_capture_sought", "late_capture_review", "retired"}
)
"""The piles that only the channels' books can fill."""
_FEES: Final = frozenset({"fee", "fee_reversed", "refund_fee"})


@dataclass(slots=True)
class Pile:
    """Some payments and the money that the channels keep of them, in fen."""

    count: int = 0
    kept_fen: int = 0

    def add(self, kept_fen: int) -> None:
        """One more."""
        self.count += 1
        self.kept_fen += kept_fen


@dataclass(slots=True)
class AccountSums:
    """One channel account: the simulator's side, ours, and what explains the difference.  Amounts in fen."""

    trades: int = 0
    captures: int = 0
    captured_fen: int = 0
    returned_fen: int = 0
    succeeded: int = 0
    succeeded_fen: int = 0
    booked_fen: int = 0
    """The receivable before fees."""
    fees_fen: int = 0
    apart_fen: int = 0
    """Kept by the channel and not booked (or booked and not kept), for a reason that is counted apart."""

    @property
    def kept_fen(self) -> int:
        """What the channel has of the customers' money."""
        return self.captured_fen - self.returned_fen

    @property
    def difference_fen(self) -> int:
        """Zero where both sides agree."""
        return self.kept_fen - self.apart_fen - self.booked_fen


@dataclass(slots=True)
class Totals:
    """Grows with accounts and days, not with payments."""

    accounts: defaultdict[str, AccountSums] = field(default_factory=lambda: defaultdict(AccountSums))
    statuses: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    refund_statuses: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    apart: dict[str, Pile] = field(
        default_factory=lambda: {
            **{standing.value: Pile() for standing in Standing if standing is not Standing.DECIDED},
            "late_capture_sought": Pile(),
            "late_capture_review": Pile(),
            "retired": Pile(),
        }
    )
    """Payments that are no mismatch and yet not settled, by reason; a late capture may lie in a pile of its own."""
    unknown: defaultdict[str, Pile] = field(default_factory=lambda: defaultdict(Pile))
    """By channel, orders that are not ours."""
    _days: defaultdict[tuple[str, date], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, dossier: Dossier, standing: Standing, scene: Scene) -> None:
        """Count one payment."""
        payment = dossier.payment
        self.statuses[payment.status] += 1
        for refund in dossier.refund_rows.values():
            self.refund_statuses[refund.status] += 1
        for seq, trade in dossier.trades:
            self._add_trade(self.accounts[dossier.attempts[seq].account_id], trade)
        if payment.status == Status.SUCCEEDED and payment.attempt_seq in dossier.attempts:
            sums = self.accounts[dossier.attempts[payment.attempt_seq].account_id]
            sums.succeeded += 1
            sums.succeeded_fen += payment.payable
        if not scene.has_channels:
            if standing is not Standing.DECIDED:
                self.apart[standing].count += 1
        elif standing is Standing.DECIDED:
            self._expect(dossier)
            self._set_late_captures_apart(dossier, scene)
        else:
            self._set_apart(dossier, standing)

    def _add_trade(self, sums: AccountSums, trade: Trade) -> None:
        sums.trades += 1
        sums.returned_fen += trade.refunded
        if trade.captured:
            sums.captures += 1
            sums.captured_fen += trade.captured

    def _set_apart(self, dossier: Dossier, standing: Standing) -> None:
        """What is in motion is taken as both sides have it, and the gap between them stands apart."""
        self.apart[standing].add(sum(trade.kept for _, trade in dossier.trades))
        for seq, trade in dossier.trades:
            self.accounts[dossier.attempts[seq].account_id].apart_fen += trade.kept
        for row in dossier.transfers:
            if row.kind in _FEES:
                continue
            for account, amount in ((row.debit, row.amount), (row.credit, -row.amount)):
                account_id = account.removeprefix(channel_receivable(""))
                if account_id != account:
                    self.accounts[account_id].apart_fen -= amount
                    self._days[account_id, _day(row.booked_at)] += amount

    def _set_late_captures_apart(self, dossier: Dossier, scene: Scene) -> None:
        own = dossier.payment.attempt_seq if dossier.payment.status == Status.SUCCEEDED else None
        for seq, trade in loose(dossier):
            if seq != own and scene.is_sought(dossier, trade):
                self.apart["late_capture_sought"].add(trade.kept)
                self.accounts[dossier.attempts[seq].account_id].apart_fen += trade.kept
        for late in dossier.lates.values():
            if late.status == "review":
                self.apart["late_capture_review"].add(sum(trade.kept for trade in dossier.trades_of(late.attempt_seq)))

    def _expect(self, dossier: Dossier) -> None:
        """What the channel's books say should be booked, on the days of our events."""
        seq = dossier.payment.attempt_seq
        if seq in dossier.attempts:
            account_id, trades = dossier.attempts[seq].account_id, dossier.trades_of(seq)
            self._expect_on(account_id, was_booked(dossier), sum(trade.captured for trade in trades))
            self._expect_on(account_id, was_taken_back(dossier), -sum(trade.refunded for trade in trades))
        for row in dossier.refund_rows.values():
            given_back = sum(refund.amount for refund in dossier.given_back(row))
            self._expect_on(row.account_id, row.completed_at if row.is_done else None, -given_back)
        for late in dossier.lates.values():
            self._expect_late(late, dossier.trades_of(late.attempt_seq))

    def _expect_late(self, late: LateRow, trades: list[Trade]) -> None:
        self._expect_on(late.account_id, late.found_at, sum(trade.captured for trade in trades))
        self._expect_on(late.account_id, late.refunded_at, -sum(trade.refunded for trade in trades))

    def _expect_on(self, account_id: str, at: datetime | None, amount_fen: int) -> None:
        if at is not None:
            self._days[account_id, _day(at)] += amount_fen

    def compare(self, receivables: list[asyncpg.Record], findings: Findings) -> None:
        """I9: hold the ledger's own sums, per account and day and in all, against the channels' books."""
        booked: defaultdict[tuple[str, date], int] = defaultdict(int)
        for row in receivables:
            booked[row["account_id"], row["day"]] += row["gross"]
            self.accounts[row["account_id"]].booked_fen += row["gross"]
            self.accounts[row["account_id"]].fees_fen -= row["fees"]
        for key in sorted(booked.keys() | self._days.keys()):
            self._compare_day(*key, booked[key], findings)
        for account_id, sums in sorted(self.accounts.items()):
            findings.compare(Check.TOTALS)
            if sums.difference_fen:
                findings.add(
                    Check.TOTALS,
                    f"the channel keeps {sums.kept_fen} fen, of which {sums.apart_fen} are counted apart; "
                    f"{sums.booked_fen} are booked",
                    account_id=account_id,
                )

    def _compare_day(self, account_id: str, day: date, booked_fen: int, findings: Findings) -> None:
        findings.compare(Check.DAYS)
        expected_fen = self._days[account_id, day]
        if booked_fen != expected_fen:
            findings.add(
                Check.DAYS,
                f"{booked_fen} fen are booked, the channel's books make it {expected_fen}",
                account_id=account_id,
                day=day.isoformat(),
            )


def _day(at: datetime) -> date:
    return at.astimezone(BEIJING).date()
