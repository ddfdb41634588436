"""The way of one payment: claim, screen, price, route, reserve, commit the intent, charge once, commit the outcome.

Nothing leaves this machine before the intent is durable, no transaction is open while a channel is called, and nothing
is answered `succeeded` before the outcome is durable.  What is not decided in the till's wait is handed to the worker.
A code is answered as soon as it is durable; from then on it is the worker's, and the notifications'.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from gateway.admission.admission import Refusal, Ticket
from gateway.codes.tokens import payment_token
from gateway.database.batches import BROKEN
from gateway.database.group_commit import GroupCommit
from gateway.database.intents import IntentResult, IntentRow
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import ApiError, Conflict, Unavailable
from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_id
from gateway.kernel.metrics import REFUSED
from gateway.kernel.recording import Fact, Step, step_ended
from gateway.kernel.secrets import Vault
from gateway.payments.charging import Answer, Charging, is_pending
from gateway.payments.claims import Claiming, Claims
from gateway.payments.ending import count_end
from gateway.payments.failing_over import FailingOver
from gateway.payments.intent import Plan, Screened, intent_row, payment_of_intent
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.phases import CLAIM, INTENT
from gateway.payments.pricing import Basket, Priced, Pricing, Sought
from gateway.payments.replays import Replays
from gateway.payments.screening import OrderScreening, refusal_of, wallet_of_order
from gateway.payments.showing import Showing
from gateway.payments.states import Status
from gateway.payments.store import PaymentStore
from gateway.payments.turns import Budget, Route, Turn, sale_of
from gateway.settings import Settings
from promotions.offer import Offer
from risk.desk import Begun
from routing.accounts.book import Account
from routing.channels.base import ChannelUnsent, Wallet
from routing.router import Router
from routing.sale import Method

Said = TypeVar("Said")
_log = logging.getLogger("mashang.payments")
_NOT_BEGUN: Final = REFUSED.labels(Refusal.NOT_BEGUN.value)


@dataclass(slots=True)
class Taking:
    """A payment being taken in this process: its till's deadline, and the payment as far as it has come."""

    order: PaymentOrder
    deadline: Deadline
    ticket: Ticket | None = None
    payment: Payment | None = None
    replayed: bool = False
    given_up: bool = False
    """A till was told that nothing is begun: nothing may be charged any more."""
    begin_before: float = math.inf
    """On the monotonic clock: what is not bound by then is not begun, for its till waits no longer."""
    has_joined: bool = False
    elsewhere_s: float = 0.0
    """Spent with others, as far as that is over (`channel_s`)."""
    elsewhere_since: float | None = None
    """On the monotonic clock, while it is elsewhere."""
    payment_id: str = field(default_factory=lambda: new_id("pay"))
    """What the payment is called, if one is made."""

    def joined(self, begin_before: float) -> None:
        """Another request asks for the same payment, and waits for it too."""
        self.begin_before = max(self.begin_before, begin_before)
        self.has_joined = True

    @property
    def may_begin(self) -> bool:
        """Whether anybody still waits for it to be begun."""
        is_gone = self.ticket is not None and self.ticket.is_gone and not self.has_joined
        return not (self.given_up or is_gone) and time.monotonic() < self.begin_before

    @property
    def channel_s(self) -> float:
        """Spent until now with channels, asking accounts and waiting for their next turn, or with another payment."""
        since = self.elsewhere_since
        return self.elsewhere_s if since is None else self.elsewhere_s + time.monotonic() - since

    def goes_out(self) -> None:
        """From here on others are at work: a till whose wait ends meanwhile has not waited for us."""
        self.elsewhere_s, self.elsewhere_since = self.channel_s, time.monotonic()

    def is_back(self) -> None:
        """And from here on we are again."""
        self.elsewhere_s, self.elsewhere_since = self.channel_s, None

    def aside(self) -> None:
        """It waits for another payment, until `is_back`: that is no work of this process."""
        self.goes_out()
        if self.ticket is not None:
            self.ticket.aside()


class Bound(NamedTuple):
    """A payment that is durable, and its first turn at an account; None where no channel is asked now."""

    payment: Payment
    turn: Turn | None


class PaymentFlow:
    """Takes payments.  Composed once per process (gateway.app)."""

    def __init__(
        self,
        *,
        settings: Settings,
        vault: Vault,
        claims: Claims,
        store: PaymentStore,
        replays: Replays,
        router: Router,
        screening: OrderScreening,
        pricing: Pricing,
        intents: GroupCommit[IntentRow, IntentResult],
        charging: Charging,
        showing: Showing,
        failing_over: FailingOver,
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._claims = claims
        self._store = store
        self._replays = replays
        self._router = router
        self._screening = screening
        self._pricing = pricing
        self._intents = intents
        self._charging = charging
        self._showing = showing
        self._failing_over = failing_over

    async def take(self, taking: Taking) -> Payment:
        """Take one payment.  Raises ApiError for what binds nothing; every other end is a payment.  I1–I5."""
        order = taking.order
        claiming = self._claims.begin(*order.key, taking.payment_id)
        begun, sought = await self._begin(order, claiming)
        payment_id = await self._claim(taking, claiming)
        if payment_id is None:
            return await self._replay(taking)

        try:
            bound = await self._bind(taking, payment_id, begun, sought)
        except Exception:  # nothing was bound as far as we know: let the next request try at once
            await self._claims.release(*order.key, payment_id)
            raise
        if bound is None:
            await self._claims.release(*order.key, payment_id)
            return await self._replay(taking)
        taking.payment = bound.payment
        if bound.turn is None:
            if bound.payment.status.is_final:
                count_end(bound.payment)
            return bound.payment

        try:
            return await self._carry_out(taking, bound.turn)
        except Exception as error:  # bound, perhaps charged: an error would tell the till to ring the sale up again
            known = isinstance(error, (ApiError, *BROKEN))
            _log.error(
                "a payment is left to the worker",
                exc_info=None if known else error,
                extra={"error": type(error).__name__, "payment_id": payment_id},
            )
            return taking.payment

    async def _carry_out(self, taking: Taking, turn: Turn) -> Payment:
        """Charge once, commit what came of it, and ask again while it is not decided; or get the code to show.

        Where it is sure that nothing was charged, the next account is asked, under an attempt of its own.
        """
        request = taking.order.request
        description = request.description or taking.order.merchant_name
        if turn.payment.is_code and not taking.given_up:
            turn, shown = await self._ask(taking, turn, lambda now: self._showing.ask(now, description))
            return await self._showing.settle(turn.payment, turn.account, shown)
        answer: Answer = ChannelUnsent("given_up")
        if not taking.given_up:
            auth_code = request.auth_code or ""
            turn, answer = await self._ask(taking, turn, lambda now: self._charging.charge(now, auth_code, description))
        payment = await self._charging.settle(turn.payment, turn.account, answer)
        taking.payment = payment
        is_ours = payment.attempt_seq == turn.payment.attempt_seq
        if is_ours and payment.status is Status.PROCESSING and payment.review is None:
            payment = await self._poll(taking, payment, turn.account, answer)
        return payment

    async def _ask(self, taking: Taking, turn: Turn, ask: Callable[[Turn], Awaitable[Said]]) -> tuple[Turn, Said]:
        """Ask one account after the other until an answer stands; whose turn it was then, and that answer."""
        while True:
            taking.goes_out()
            answer = await ask(turn)
            taking.is_back()
            following = await self._failing_over.next_turn(turn, answer, taking.deadline)
            if following is None:
                return turn, answer
            turn, taking.payment = following, following.payment

    async def _begin(self, order: PaymentOrder, claiming: Claiming) -> tuple[Begun | None, Sought]:
        """Ask for what the risk check and campaigns look at: it comes while the claim is under way."""
        try:
            wallet = wallet_of_order(order.request)
            begun = await self._screening.begin(order, wallet, claiming.claim)
            return begun, await self._pricing.seek(order, wallet, None if begun is None else begun.facts)
        except Exception:  # where the order is made could not be read: let the next request try at once
            await self._claims.release(*order.key, claiming.payment_id)
            raise

    async def _claim(self, taking: Taking, claiming: Claiming) -> str | None:
        """The payment id that has the order number; None where another request has it and made a payment of it."""
        began = time.monotonic()
        payment_id = claiming.payment_id
        order, deadline = taking.order, taking.deadline
        is_won = await self._claims.won(claiming)
        while not is_won:
            taking.aside()
            winner = await self._replays.await_winner(order, deadline)
            if winner is not None:
                taking.payment = winner
                return None
            if deadline.passed:
                raise Unavailable(
                    "order_in_progress",
                    "An earlier request with this number is still at work. Send the same request again: it is safe.",
                    retry_after_s=1,
                )
            is_won = await self._claims.claim(*order.key, payment_id)
        taking.is_back()
        CLAIM.ended(began)
        return payment_id

    async def _replay(self, taking: Taking) -> Payment:
        taking.replayed = True
        taking.payment = taking.payment or await self._replays.replay(taking.order, taking.deadline)
        return taking.payment

    async def _bind(self, taking: Taking, payment_id: str, begun: Begun | None, sought: Sought) -> Bound | None:
        """Screen, price, route, reserve and make the payment durable; None where its number or key is another one's.

        A campaign can have no more to give when the intent is committed.  Then nothing was written, and the order is
        priced again.
        """
        order, deadline = taking.order, taking.deadline
        if order.request.replaces is not None:
            taking.aside()
        screened = await self._screen(order, deadline, begun, sought.wallet)
        taking.is_back()
        is_promoted = not screened.decision.no_discount
        basket = await self._pricing.open(payment_id, sought, is_promoted=is_promoted)
        while True:
            plan = await self._plan(order, screened, basket)
            budget = Budget.of(self._settings, order.request.method, deadline)
            send_before = time.monotonic() + budget.send_within_s
            result = await self._commit_intent(taking, basket, plan, budget)
            self._pricing.heard(result.at)
            if result.refusal is None:
                break
            await self._pricing.refused(basket, plan.offer, result.refusal, result.at)
        payment = await self._payment_of(order, payment_id, plan, result)
        self._pricing.ended(basket, plan.offer, is_bound=payment is not None)
        if payment is not None and begun is not None:
            self._screening.bound(payment, begun)
        return None if payment is None else Bound(payment, _turn(payment, plan, send_before))

    async def _screen(
        self, order: PaymentOrder, deadline: Deadline, begun: Begun | None, wallet: Wallet | None
    ) -> Screened:
        """The risk decision; or why the order is refused whatever it costs."""
        began = time.monotonic()
        decision = await self._screening.decide(begun)
        step_ended(Step.RISK, began, {Fact.VERDICT: decision.verdict})
        refusal = await self._refusal_of_replaced(order, deadline) or refusal_of(decision)
        if refusal is not None:
            pass
        elif wallet is None and order.request.auth_code is not None:
            refusal = FailureCode.WALLET_UNSUPPORTED
        elif wallet is None and not any(self._router.takes(each, Method.PAGE, order.merchant_id) for each in Wallet):
            refusal = FailureCode.NO_CHANNEL
        return Screened(wallet, decision, refusal)

    async def _plan(self, order: PaymentOrder, screened: Screened, basket: Basket) -> Plan:
        """Price, route and reserve.  A code that any wallet can pay is routed when a customer has scanned it."""
        began, wallet, refusal = time.monotonic(), screened.wallet, screened.refusal
        if refusal is not None:
            priced = Priced(Offer.full_price(order.amount), None, refusal)
        elif wallet is None:
            priced = await self._pricing.price(basket, order.request.expected_payable)
        else:
            sale = sale_of(order, basket.payment_id, wallet)
            priced = await self._pricing.price(
                basket,
                order.request.expected_payable,
                lambda prices: Route(sale, prices, self._router.choose(sale, prices)),
            )
        step_ended(Step.PRICE, began)
        shows_own = wallet is None and priced.refusal is None
        qr_code = self._own_code(basket.payment_id) if shows_own else None
        return Plan.of(screened, priced, basket, qr_code)

    def _own_code(self, payment_id: str) -> str:
        """The address of the cashier page of this payment, for any wallet."""
        return f"{self._settings.public_url}/q/{payment_token(self._vault, payment_id)}"

    async def _refusal_of_replaced(self, order: PaymentOrder, deadline: Deadline) -> FailureCode | None:
        """`replaces`: wait until the earlier payment is finally not paid; refuse this one where it was paid."""
        if order.request.replaces is None:
            return None
        earlier = await self._replays.await_end_of_replaced(order.merchant_id, order.request.replaces, deadline)
        if earlier.status is Status.SUCCEEDED and earlier.reversal != "pending":
            return FailureCode.REPLACED_PAYMENT_PAID
        if earlier.status is Status.SUCCEEDED or not earlier.status.is_final:
            raise Conflict(
                "replaced_payment_unresolved",
                "The payment that this one replaces is not decided yet; nothing was charged. Send this again.",
                param="replaces",
                retry_after_s=5,
            )
        return None

    async def _commit_intent(self, taking: Taking, basket: Basket, plan: Plan, budget: Budget) -> IntentResult:
        """Make the payment durable, unless its till was told that nothing is begun."""
        if not taking.may_begin:
            _NOT_BEGUN.inc()
            self._pricing.ended(basket, plan.offer, is_bound=False)
            raise Unavailable("busy", "Not begun in time. Send the same request again: it is safe.", retry_after_s=1)
        began = time.monotonic()
        row = intent_row(taking.order, basket.payment_id, plan, self._vault, budget)
        result = await self._intents.begin(row)
        INTENT.ended(began)
        if taking.ticket is not None:
            taking.ticket.bound()
        return result

    async def _payment_of(
        self, order: PaymentOrder, payment_id: str, plan: Plan, result: IntentResult
    ) -> Payment | None:
        """The payment of an intent; None where the order number or the key belongs to another one."""
        if result.inserted:
            return payment_of_intent(order, payment_id, plan, result.at)
        # Another payment has the number or the key, unless an earlier sending of this very row was committed unseen.
        holder = await self._store.find_by_order_no(*order.key)
        return holder if holder is not None and holder.id == payment_id else None

    async def _poll(self, taking: Taking, payment: Payment, account: Account, answer: Answer) -> Payment:
        """Ask again in the channel's rhythm while the till waits; then hand the payment to the worker."""
        rhythm = account.channel.rhythm
        was_at_work, tries = is_pending(answer), 0
        while True:
            waits = rhythm.after_pending_s if is_pending(answer) else rhythm.after_unknown_s
            wait = waits[min(tries, len(waits) - 1)]
            if wait >= taking.deadline.left_s:
                with suppress(*BROKEN):  # without it the worker comes a little later
                    await self._store.hand_over(payment.id, wait, tries)
                return payment
            taking.goes_out()
            await asyncio.sleep(wait)
            tries += 1
            answer = await self._charging.query(payment, account)
            taking.is_back()
            was_at_work = was_at_work and not self._charging.tell_of_end(payment, account, answer)
            taking.payment = payment = await self._charging.settle(payment, account, answer)
            if payment.status is not Status.PROCESSING or payment.review is not None:
                return payment


def _turn(payment: Payment, plan: Plan, send_before: float) -> Turn | None:
    """The first turn, where a channel is to be asked."""
    if plan.route is None or plan.account is None:
        return None
    return Turn(payment, plan.account, send_before, plan.route, frozenset({plan.account.id}))
