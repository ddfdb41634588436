"""A code that any wallet can pay: whoever scans it takes it over; one wallet's order is open at a time (I1).

The open order of somebody else makes room only when nobody can pay it any more: the channel has confirmed that it is
shut, or its own time limit has passed and a query says unpaid.  The new attempt is durable before its channel is asked.
Where it is sure that a channel opened no order, the next account that knows the payer is asked, as in failing_over.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from gateway.kernel.clock import Deadline
from gateway.kernel.failures import FailureCode
from gateway.kernel.secrets import Vault
from gateway.payments import code_resolution
from gateway.payments.attempt_store import Attempt, AttemptStore, NewAttempt
from gateway.payments.charging import Charging
from gateway.payments.code_resolution import CodeFacts, Sight, Step
from gateway.payments.failing_over import ended_state, may_fail_over
from gateway.payments.feedback import NOBODY_LISTENS, Feedback, cell_of
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from gateway.payments.turns import sale_on_page
from gateway.settings import Settings
from routing.accounts.book import Account, AccountBook
from routing.channels.base import (
    CallLimits,
    ChannelError,
    ChannelRejected,
    ChannelUnknown,
    CodeOrder,
    PageOrder,
    Wallet,
)
from routing.channels.reports import CloseState, PageReport
from routing.choice import Choice
from routing.router import Router
from routing.sale import Method, Prices

_TRIES: Final = 3
"""Somebody else can be first so often before the page is told to come back."""
_LOOK_S: Final = 0.1
_SOON_S: Final = 2
_PAGE_LEFT_S: Final = 5.0
"""A page that can be paid for less is not handed out again."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody opened the cashier page: the browser told the wallet, the wallet the payer.

    `account` takes that wallet and has identified the payer; `description` is what was bought; `timezone` is the
    merchant's; the rest is as in channels.base.PageOrder.
    """

    account: Account
    wallet: Wallet
    payer_id: str = field(repr=False)
    description: str
    return_url: str
    client_ip: str = "127.0.0.1"
    app_identifier: str = ""
    timezone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Paid:
    """It is paid, by this visitor or by another one."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class Ready:
    """The visitor can pay: `page` is what the wallet's bridge is called with, or where to go."""

    payment: Payment
    page: PageReport


@dataclass(frozen=True, slots=True)
class OtherWalletOpen:
    """Somebody else is about to pay, or may still: ask again after so many seconds."""

    retry_after_s: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel opens no order for this visitor; `failure` says whether trying again can help."""

    failure: FailureCode
    channel_code: str | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """Nobody can pay this payment any more."""

    payment: Payment


TakeOver: TypeAlias = Paid | Ready | OtherWalletOpen | Refused | Over
Page: TypeAlias = PageReport | ChannelError


class Attempts:
    """One per process."""

    def __init__(
        self,
        *,
        settings: Settings,
        vault: Vault,
        store: PaymentStore,
        attempts: AttemptStore,
        accounts: AccountBook,
        router: Router,
        charging: Charging,
        feedback: Feedback = NOBODY_LISTENS,
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._store = store
        self._attempts = attempts
        self._accounts = accounts
        self._router = router
        self._charging = charging
        self._feedback = feedback

    async def take_over(self, payment: Payment, visit: Visit, deadline: Deadline) -> TakeOver:
        """Open the visitor's order, or have the one that the same payer has open already.

        The answer comes at the deadline or little after; what a lost answer leaves at a channel is shut by the worker.
        """
        refused_seq: int | None = None
        for _ in range(_TRIES):
            payment = await self._store.find(payment.merchant_id, payment.id) or payment
            if (end := _end_of(payment)) is not None:
                return end
            attempt = await self._attempts.current(payment) if payment.has_open_attempt else None
            if attempt is not None:
                result = await self._beside(payment, attempt, visit, deadline)
                if result is not None:
                    return result
            elif payment.attempt_seq == refused_seq:
                return Over(payment)  # nobody was first: no time is left, or no number
            elif (opened := await self._attempts.open(payment, self._new(visit, deadline))) is not None:
                return await self._first_page(opened, visit, deadline)
            else:
                refused_seq = payment.attempt_seq
        return OtherWalletOpen(_SOON_S)

    async def _beside(self, payment: Payment, attempt: Attempt, visit: Visit, deadline: Deadline) -> TakeOver | None:
        """What the visitor gets while an order is open; None where it has just made room."""
        if attempt.now >= payment.expires_at:
            return Over(payment)
        own = (payment.wallet, attempt.account_id, attempt.payer_hash) == (
            visit.wallet,
            visit.account.id,
            self._payer_hash(visit),
        )
        if not own and attempt.age_s < self._settings.page_protected_s:
            return OtherWalletOpen(math.ceil(self._settings.page_protected_s - attempt.age_s))
        if own and attempt.left_s > _PAGE_LEFT_S:
            result = await self._own_page(payment, attempt, visit, deadline)
            if result is not None:
                return result
        return await self._make_room(payment, attempt)

    async def _own_page(self, payment: Payment, attempt: Attempt, visit: Visit, deadline: Deadline) -> TakeOver | None:
        """The page of the same payer's order; where none came to be, one more try under the same number.

        None where the channel refuses that: the order may be there all the same, and has to be shut first.
        """
        if attempt.page is not None:
            return Ready(payment, attempt.page)
        if not await self._attempts.renew(payment, self._budget(deadline).left_s):
            return await self._await_page(payment, deadline)
        page = await self._ask(payment, visit, deadline)
        if isinstance(page, PageReport):
            return await self._hand_out(payment, page)
        return None if isinstance(page, ChannelRejected) else Refused(FailureCode.CHANNEL_UNAVAILABLE, page.code)

    async def _await_page(self, payment: Payment, deadline: Deadline) -> TakeOver:
        """Another request of the same payer is opening the order: have its page."""
        while not deadline.passed:
            await asyncio.sleep(min(_LOOK_S, deadline.left_s))
            attempt = await self._attempts.current(payment)
            if attempt is None or attempt.state != "open":
                break
            if attempt.page is not None:
                return Ready(payment, attempt.page)
        return OtherWalletOpen(_SOON_S)

    async def _make_room(self, payment: Payment, attempt: Attempt) -> TakeOver | None:
        """Shut the open order; None where that is confirmed.  Money that is found there is booked."""
        account = self._accounts.get(attempt.account_id)
        if account is None:
            return OtherWalletOpen(_SOON_S)
        seen, payment = await self._look(payment, account)
        if (end := _end_of(payment)) is not None:
            return end
        facts = self._facts(payment, attempt, account)
        step, answer = code_resolution.next_step(facts, seen), None
        if step is Step.WAIT and seen is not Sight.CAPTURED:
            answer = await self._charging.close(payment, account)
            step = code_resolution.step_after_close(facts, seen, answer)
        if step is Step.END_ATTEMPT:
            await self._attempts.close(payment)
            return None
        if answer is CloseState.PAID:
            _, payment = await self._look(payment, account)
        return _end_of(payment) or OtherWalletOpen(_retry_after_s(facts, answer))

    async def _look(self, payment: Payment, account: Account) -> tuple[Sight, Payment]:
        answer = await self._charging.query(payment, account)
        return code_resolution.sight_of(answer), await self._charging.settle(payment, account, answer)

    async def _first_page(self, payment: Payment, visit: Visit, deadline: Deadline) -> TakeOver:
        """The page of an attempt that was just opened, or of one at the next account that can have the same payer."""
        tried = frozenset({visit.account.id})
        while True:
            page = await self._ask(payment, visit, deadline)
            if isinstance(page, PageReport):
                return await self._hand_out(payment, page)
            refused = Refused(page.failure if isinstance(page, ChannelRejected) else _UNAVAILABLE, page.code)
            if isinstance(page, ChannelUnknown):
                return refused  # it may be there: it stays open until the same payer comes back or somebody shuts it
            closed = await self._attempts.close(payment, ended_state(page), page.code)
            choice = self._choice(payment, visit, tried) if closed and may_fail_over(page) else None
            if choice is None or choice.account is None or deadline.passed or len(tried) >= self._router.tries_max:
                return refused
            visit, tried = replace(visit, account=choice.account), tried | {choice.account.id}
            new = self._new(visit, deadline)._replace(routing=choice.record())
            opened = await self._attempts.open(payment, new)
            if opened is None:
                return OtherWalletOpen(_SOON_S)  # somebody was first
            payment = opened

    def _choice(self, payment: Payment, visit: Visit, tried: frozenset[str]) -> Choice:
        """The next account, among those whose own page would have identified the payer in the same way.

        A payer's id is good only in the app that identified him, and the address of that page names the app.
        """
        others = [each for each in self._accounts if visit.wallet in each.wallets and each.id not in tried]
        strangers = {account.id for account in others if not _has_same_payers(account, visit.account)}
        sale = sale_on_page(payment, visit.wallet, visit.timezone)
        payable_fen = payment.payable.amount_fen
        return self._router.choose(sale, Prices.full(payable_fen), without=tried | strangers, payable_fen=payable_fen)

    async def _ask(self, payment: Payment, visit: Visit, deadline: Deadline) -> Page:
        """Ask for the page, and where the answer is lost ask the same once more; then only a page is believed."""
        order = _page_order(payment, visit)
        budget = self._budget(deadline)
        answer = await self._once(visit, order, CallLimits(budget.left_s / 2, budget.at_monotonic_s))
        if not isinstance(answer, ChannelUnknown):
            return answer
        again = await self._once(visit, order, CallLimits(budget.left_s, budget.at_monotonic_s))
        return again if isinstance(again, PageReport) else answer

    async def _once(self, visit: Visit, order: PageOrder, limits: CallLimits) -> Page:
        call = visit.account.channel.create_page_order(order, limits)
        return await self._feedback.of(cell_of(visit.account, visit.wallet, Method.PAGE), call)

    async def _hand_out(self, payment: Payment, page: PageReport) -> TakeOver:
        if await self._attempts.save_page(payment, page):
            return Ready(payment, page)
        return OtherWalletOpen(_SOON_S)  # this process was slow, and the order had to make room meanwhile

    def _new(self, visit: Visit, deadline: Deadline) -> NewAttempt:
        return NewAttempt(
            wallet=visit.wallet,
            account_id=visit.account.id,
            payer_hash=self._payer_hash(visit),
            pay_within_s=self._settings.page_pay_within_s if visit.wallet in _NO_CLOSING else None,
            send_within_s=self._budget(deadline).left_s,
            look_after_s=visit.account.channel.rhythm.after_shown_s[0],
        )

    def _facts(self, payment: Payment, attempt: Attempt, account: Account) -> CodeFacts:
        return CodeFacts(
            now=attempt.now,
            expires_at=payment.expires_at,
            pay_until=attempt.pay_until or payment.expires_at,
            absent_from=attempt.absent_from(self._settings.not_created_after_s),
            reversal_pending=False,
            is_aggregated=True,
            was_shown=True,
            was_paid=False,
            tries=0,
            rhythm=account.channel.rhythm,
            margin_s=self._settings.pay_until_margin_s,
        )

    def _budget(self, deadline: Deadline) -> Deadline:
        return Deadline.after(min(deadline.left_s, self._settings.channel_timeout_s))

    def _payer_hash(self, visit: Visit) -> bytes:
        return self._vault.keyed_hash(visit.payer_id.encode())


_UNAVAILABLE: Final = FailureCode.CHANNEL_UNAVAILABLE
_ANYWHERE: Final = "https://x/"
_NO_CLOSING: Final = frozenset({Wallet.UNIONPAY})
"""Wallets whose channel has no call that shuts an order: theirs are open for a short time only."""


def _end_of(payment: Payment) -> Paid | Over | None:
    """None while the code can be paid."""
    if payment.status is Status.SUCCEEDED and payment.reversal != "pending":
        return Paid(payment)
    open_ = payment.status is Status.REQUIRES_ACTION and payment.reversal is None and payment.review is None
    return None if open_ else Over(payment)


def _retry_after_s(facts: CodeFacts, answer: CloseState | None) -> int:
    if answer in {CloseState.NOT_FOUND, CloseState.UNSUPPORTED}:
        return math.ceil(code_resolution.wait_for_end_s(facts, answer))
    return _SOON_S


def _page_order(payment: Payment, visit: Visit) -> PageOrder:
    return PageOrder(
        code=CodeOrder(
            order=payment.channel_order,
            description=visit.description,
            pay_until=payment.pay_until or payment.expires_at,
            store_id=payment.store_id,
            terminal_id=payment.terminal_id,
            operator_id=payment.operator_id,
        ),
        payer_id=visit.payer_id,
        return_url=visit.return_url,
        client_ip=visit.client_ip,
        app_identifier=visit.app_identifier,
    )


def _has_same_payers(account: Account, other: Account) -> bool:
    if account.kind != other.kind:
        return False
    try:
        return account.channel.authorize_url(_ANYWHERE, "") == other.channel.authorize_url(_ANYWHERE, "")
    except ChannelError:
        return False
