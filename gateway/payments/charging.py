"""Talks to the channel about one attempt, and commits what the answer decides; used by the flow and by the worker."""

from __future__ import annotations

import time
from typing import Final, TypeAlias

from gateway.database.group_commit import GroupCommit
from gateway.database.outcomes import OutcomeResult, OutcomeRow
from gateway.kernel.failures import FailureCode
from gateway.kernel.metrics import PHASE_SECONDS
from gateway.kernel.secrets import Vault
from gateway.payments import settle
from gateway.payments.counting import NOBODY_COUNTS, Hears
from gateway.payments.ending import count_end
from gateway.payments.feedback import NOBODY_LISTENS, Feedback, cell_of
from gateway.payments.payment import Payment
from gateway.payments.phases import OUTCOME
from gateway.payments.states import Event, Status
from gateway.payments.store import PaymentStore
from gateway.payments.turns import Turn
from promotions.budget.reservation import DATABASE_ONLY, Pool
from promotions.hoarding import NO_SHELF, Shelf, Shown
from routing.accounts.book import Account
from routing.channels.base import (
    BarcodeCharge,
    CallLimits,
    ChannelError,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
)
from routing.channels.reports import CloseState, TradeReport, TradeState
from routing.sale import Method

_CHANNEL_PHASE: Final = PHASE_SECONDS.labels("channel")
_QUERY_TIMEOUT_S: Final = 5.0
_CLOSE_TIMEOUT_S: Final = 5.0
_UNPAID_AT_CHANNEL: Final = frozenset({Event.CLOSED, Event.REVERSED})
_GIVEN_BACK: Final = frozenset({TradeState.CLOSED, TradeState.REFUNDED})
_UNDECIDED: Final = frozenset({TradeState.PENDING, TradeState.NOT_FOUND})
_REVERSAL_TRIES: Final = 2
"""As it was read, and once more where another process booked the capture in between."""

Answer: TypeAlias = TradeReport | ChannelError
"""What a channel said of an order: a verified report, or one of the three kinds of error."""


class Charging:
    """One per process."""

    def __init__(
        self,
        store: PaymentStore,
        outcomes: GroupCommit[OutcomeRow, OutcomeResult],
        vault: Vault,
        timeout_s: float,
        feedback: Feedback = NOBODY_LISTENS,
        *,
        budgets: Pool = DATABASE_ONLY,
        shelf: Shelf = NO_SHELF,
        counting: Hears = NOBODY_COUNTS,
    ) -> None:
        self._store = store
        self._outcomes = outcomes
        self._vault = vault
        self._timeout_s = timeout_s
        self._feedback = feedback
        self._budgets = budgets
        self._shelf = shelf
        self._counting = counting

    async def charge(self, turn: Turn, auth_code: str, description: str) -> Answer:
        """Charge once, not after the moment that was taken before the attempt was committed."""
        payment = turn.payment
        charge = BarcodeCharge(
            order=payment.channel_order,
            auth_code=auth_code,
            description=description,
            store_id=payment.store_id,
            terminal_id=payment.terminal_id,
            operator_id=payment.operator_id,
        )
        began = time.monotonic()
        call = turn.account.channel.charge_barcode(charge, CallLimits(self._timeout_s, turn.send_before))
        try:
            return await self._feedback.of(cell_of(turn.account, payment.wallet, Method.BARCODE), call)
        finally:
            _CHANNEL_PHASE.observe(time.monotonic() - began)

    async def query(self, payment: Payment, account: Account) -> Answer:
        """Ask where the order stands; a query that could not be made decides nothing."""
        try:
            return await account.channel.query(payment.channel_order, CallLimits(_QUERY_TIMEOUT_S))
        except (ChannelUnsent, ChannelRejected, ChannelUnknown) as error:
            return ChannelUnknown(error.code)

    def tell_of_end(self, payment: Payment, account: Account, answer: Answer) -> bool:
        """Tell routing what became of a charge that had ended undecided; False where the answer decides nothing."""
        if not isinstance(answer, TradeReport) or answer.state in _UNDECIDED:
            return False
        self._feedback.decided(cell_of(account, payment.wallet, Method.BARCODE), answer)
        return True

    async def close(self, payment: Payment, account: Account) -> CloseState:
        """Ask the channel to shut the order of a code; where that could not be asked, it has to be asked again."""
        try:
            report = await account.channel.close(payment.channel_order, CallLimits(_CLOSE_TIMEOUT_S))
        except ChannelError:
            return CloseState.REPEAT
        return report.state

    async def settle(self, payment: Payment, account: Account, answer: Answer) -> Payment:
        """Commit what the answer decides, if it decides anything; returns the payment as it stands then.

        `payment` says of which attempt the answer is.  What is found out about one that is not the current one any more
        changes nothing; money that arrived there is looked for by the worker, and goes back.
        """
        if isinstance(answer, TradeReport) and answer.state in _GIVEN_BACK and payment.reversal is None:
            payment = await self._unless_decided(payment)  # a cancel may be what closed it
        if isinstance(answer, TradeReport) and (reason := settle.review_reason(payment, answer)) is not None:
            await self._store.mark_for_review(payment, reason)
            return await self._found(payment, is_capture=answer.state is TradeState.CAPTURED)
        row = self._outcome(payment, account, answer)
        if row is None:
            return payment
        found = await self.commit(payment, row)
        is_current = found.attempt_seq == payment.attempt_seq
        if row.event in _UNPAID_AT_CHANNEL and found.status is Status.SUCCEEDED and is_current:
            return await self.commit_reversal(found)
        return found

    async def _unless_decided(self, payment: Payment) -> Payment:
        """The payment as it stands now while this attempt is undecided; else as read, for the guards to judge."""
        found = await self._store.find(payment.merchant_id, payment.id)
        if found is None or found.status.is_final or found.attempt_seq != payment.attempt_seq:
            return payment
        return found

    async def commit_reversal(self, payment: Payment) -> Payment:
        """Commit a reversal that the channel confirmed; a capture that was booked, even just now, is booked back."""
        found = payment
        for _ in range(_REVERSAL_TRIES):
            found = await self.commit(found, settle.reversed_(found, await self._store.booked(found)))
            if found.status is not Status.SUCCEEDED:
                break
        return found

    async def commit(self, payment: Payment, row: OutcomeRow) -> Payment:
        """Commit an outcome; where another process was first, returns the payment as that one left it."""
        began = time.monotonic()
        result = await self._outcomes.begin(row)
        OUTCOME.ended(began)
        if result.applied and row.event == Event.CAPTURED:
            self._feedback.captured(payment, result.at)
        if result.applied:
            ended = _apply(payment, row, result)
            if ended.status.is_final:
                count_end(ended, was_captured=payment.status is Status.SUCCEEDED)
            self._counting.ended(ended)
            if ended.promotions:
                self._tell_campaigns(ended)
            return ended
        return await self._found(payment, is_capture=row.event == Event.CAPTURED)

    def _tell_campaigns(self, payment: Payment) -> None:
        """Its code, if it had one, holds nothing any more; one that came to nothing has given back what it took."""
        if payment.is_code:
            self._shelf.take_down(Shown(payment.id, payment.merchant_id, payment.customer))
        if payment.status is Status.SUCCEEDED:
            return
        for taken in payment.promotions:
            if taken.slice is not None:
                self._budgets.give_back(taken.campaign_id, taken.day, taken.slice, taken.taken_fen, 1)

    async def _found(self, payment: Payment, *, is_capture: bool) -> Payment:
        """The payment as another process left it; a capture that came when it was over is looked into.

        So is one of an attempt that is not the current one.  One that was booked before, and given back, is no news:
        UnionPay goes on calling a voided order paid.
        """
        found = await self._store.find(payment.merchant_id, payment.id) or payment
        if is_capture:
            is_older = payment.attempt_seq < found.attempt_seq
            is_over = found.status.is_final and found.status is not Status.SUCCEEDED
            if is_older or (is_over and not await self._store.has_booked_capture(found)):
                await self._store.watch(found)
        return found

    def _outcome(self, payment: Payment, account: Account, answer: Answer) -> OutcomeRow | None:
        match answer:
            case TradeReport():
                return settle.outcome_of_report(payment, account.terms.fee, answer, self._vault)
            case ChannelRejected():
                return settle.outcome_of_refusal(payment, answer)
            case ChannelUnsent():
                return settle.outcome_of_unsent(payment, answer)
            case _:
                return None


def is_pending(answer: Answer) -> bool:
    """Whether the channel knows the order and is still at work (or waits for the customer)."""
    return isinstance(answer, TradeReport) and answer.state is TradeState.PENDING


def _apply(payment: Payment, row: OutcomeRow, result: OutcomeResult) -> Payment:
    """The payment as the outcome statement has just left it."""
    failure = None if row.failure_code is None else FailureCode(row.failure_code)
    return payment.with_(
        status=Status(row.to_status),
        channel_trade_no=row.channel_trade_no or payment.channel_trade_no,
        failure=failure,
        failure_channel_code=row.channel_code if failure else None,
        reversal="succeeded" if payment.reversal == "pending" else row.reversal or payment.reversal,
        review=None,
        completed_at=result.at,
    )
