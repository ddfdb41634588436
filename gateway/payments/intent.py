"""What is decided about an order before anything leaves this machine, and the row that makes it durable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Self

import orjson

from gateway.database.intents import IntentRow
from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault
from gateway.kernel.values import value
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.pricing import Basket, Priced
from gateway.payments.states import Status
from gateway.payments.turns import Budget, Route
from promotions.budget.rows import redemption_rows
from promotions.offer import Offer
from promotions.redemption import Redemption
from risk.decision import Decision
from risk.decisions.row import decision_row
from routing.accounts.book import Account
from routing.channels.base import Wallet

CONSIDERED_MAX: Final = 50
"""So many campaigns are kept with a payment, the applied ones first; a quote tells of all."""


class Screened(NamedTuple):
    """What is decided before the price: the wallet, the risk decision, and why the order is refused at any price."""

    wallet: Wallet | None
    decision: Decision
    refusal: FailureCode | None


@value
class Plan:
    """The decision, the price, and either the route to the account to charge or why none is charged.

    `slices` has the slice of its day that each campaign with a budget gives from; `customer` and `card_bin` are keyed
    hashes.
    """

    wallet: Wallet | None
    decision: Decision
    offer: Offer
    route: Route | None
    refusal: FailureCode | None
    qr_code: str | None = None
    slices: Mapping[str, int] = field(default_factory=dict)
    customer: bytes | None = None
    card_bin: bytes | None = None
    """For a code that any wallet can pay: shown as soon as the payment is durable; no account is chosen before."""

    @classmethod
    def of(cls, screened: Screened, priced: Priced, basket: Basket, qr_code: str | None) -> Self:
        """What screening and pricing came to."""
        return cls(
            screened.wallet,
            screened.decision,
            priced.offer,
            priced.route,
            priced.refusal,
            qr_code,
            {held.campaign_id: held.slice for held in basket.held},
            basket.customer,
            basket.card_bin,
        )

    @property
    def account(self) -> Account | None:
        """The account to charge."""
        return None if self.route is None else self.route.choice.account

    @property
    def status(self) -> Status:
        """Where the payment stands once its intent is durable."""
        if self.refusal is not None:
            return Status.FAILED
        return Status.PROCESSING if self.qr_code is None else Status.REQUIRES_ACTION


def intent_row(order: PaymentOrder, payment_id: str, plan: Plan, vault: Vault, budget: Budget) -> IntentRow:
    """The row of the intent statement; the request is sealed, so that no personal data is stored in the clear."""
    request, canonical, decision, offer = order.request, order.canonical(), plan.decision, plan.offer
    account, status, expires_in_s, qr_code = plan.account, plan.status, request.expires_in_s, plan.qr_code
    return IntentRow(
        payment_id=payment_id,
        merchant_id=order.merchant_id,
        merchant_order_no=request.merchant_order_no,
        idempotency_key=order.idempotency_key,
        status=status,
        amount=request.amount,
        payable=offer.payable.amount_fen,
        currency=request.currency,
        method=request.method,
        wallet=plan.wallet,
        account_id=None if account is None else account.id,
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        operator_id=request.operator_id,
        metadata=orjson.dumps(request.metadata).decode() if request.metadata else None,
        notify_url=request.notify_url,
        replaces=request.replaces,
        request_fingerprint=vault.keyed_hash(canonical),
        request_sealed=vault.seal(canonical, payment_id.encode()),
        risk_decision=decision.verdict,
        risk_score=decision.score,
        failure_code=plan.refusal,
        expires_in_s=expires_in_s,
        send_within_s=budget.send_within_s,
        recover_after_s=budget.recover_after_s if qr_code is None else expires_in_s,
        qr_code=qr_code,
        event_id=None if status is Status.PROCESSING else new_id("evt"),
        code_id=order.code_id,
        routing=None if account is None or plan.route is None else plan.route.choice.record(),
        customer=plan.customer,
        card_bin=plan.card_bin,
        pricing=_pricing(offer) if offer.considered else None,
        risk_version=decision.version or None,
        decision=decision_row(decision, is_refused=plan.refusal is not None),
        redemptions=redemption_rows(offer.applied, plan.slices) if offer.applied else (),
    )


def payment_of_intent(order: PaymentOrder, payment_id: str, plan: Plan, at: datetime) -> Payment:
    """The payment as the intent statement has just written it, without reading it back."""
    request, account, status, offer = order.request, plan.account, plan.status, plan.offer
    return Payment(
        id=payment_id,
        merchant_id=order.merchant_id,
        merchant_order_no=request.merchant_order_no,
        status=status,
        amount=offer.amount,
        payable=offer.payable,
        method=request.method,
        wallet=plan.wallet,
        account_id=None if account is None else account.id,
        attempt_seq=0 if account is None else 1,
        metadata=request.metadata,
        created_at=at,
        expires_at=at + timedelta(seconds=request.expires_in_s),
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        operator_id=request.operator_id,
        replaces=request.replaces,
        risk_decision=plan.decision.verdict,
        risk_score=plan.decision.score,
        failure=plan.refusal,
        completed_at=at if status is Status.FAILED else None,
        qr_code=plan.qr_code,
        code_id=order.code_id,
        any_wallet=plan.qr_code is not None,
        promotions=tuple([Redemption.of(each, plan.slices.get(each.campaign.id)) for each in offer.applied]),
        customer=plan.customer,
        risk_reasons=plan.decision.reasons,
    )


def _pricing(offer: Offer) -> str:
    """Which campaigns were considered, and why each applied or not (JSON)."""
    return orjson.dumps([each.to_json() for each in offer.considered[:CONSIDERED_MAX]]).decode()
