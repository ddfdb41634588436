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
    """The row of the intent statement; the request is sealed, so that no personal data is stored in the clear.

    (Named tuples of many fields are made by position here and below: by name it takes two to three times as long.)
    """
    request, canonical, decision, offer = order.request, order.canonical(), plan.decision, plan.offer
    account, status, expires_in_s, qr_code = plan.account, plan.status, request.expires_in_s, plan.qr_code
    return IntentRow(
        payment_id,
        order.merchant_id,
        request.merchant_order_no,
        order.idempotency_key,
        status,
        request.amount,
        offer.payable.amount_fen,
        request.currency,
        request.method,
        plan.wallet,
        None if account is None else account.id,
        request.store_id,
        request.terminal_id,
        request.operator_id,
        orjson.dumps(request.metadata).decode() if request.metadata else None,
        request.notify_url,
        request.replaces,
        vault.keyed_hash(canonical),  # request_fingerprint
        vault.seal(canonical, payment_id.encode()),  # request_sealed
        decision.verdict,
        decision.score,
        plan.refusal,  # failure_code
        expires_in_s,
        budget.send_within_s,
        budget.recover_after_s if qr_code is None else expires_in_s,
        qr_code,
        None if status is Status.PROCESSING else new_id("evt"),  # event_id
        order.code_id,
        None if account is None or plan.route is None else plan.route.choice.record(),  # routing
        plan.customer,
        plan.card_bin,
        _pricing(offer) if offer.considered else None,
        decision.version or None,  # risk_version
        decision_row(decision, is_refused=plan.refusal is not None),
        redemption_rows(offer.applied, plan.slices) if offer.applied else (),
    )


def payment_of_intent(order: PaymentOrder, payment_id: str, plan: Plan, at: datetime) -> Payment:
    """The payment as the intent statement has just written it, without reading it back."""
    request, account, status, offer = order.request, plan.account, plan.status, plan.offer
    return Payment(
        payment_id,
        order.merchant_id,
        request.merchant_order_no,
        status,
        offer.amount,
        offer.payable,
        request.method,
        plan.wallet,
        None if account is None else account.id,
        0 if account is None else 1,  # attempt_seq
        request.metadata,
        at,  # created_at
        at + timedelta(seconds=request.expires_in_s),
        request.store_id,
        request.terminal_id,
        request.operator_id,
        request.replaces,
        plan.decision.verdict,
        plan.decision.score,
        None,  # channel_trade_no
        plan.refusal,  # failure
        None,  # failure_channel_code
        None,  # reversal
        None,  # review
        0,  # amount_refunded
        at if status is Status.FAILED else None,  # completed_at
        (),  # late_captures
        plan.qr_code,
        order.code_id,
        None,  # attempt_at
        None,  # pay_until
        0,  # refund_held
        plan.qr_code is not None,  # any_wallet
        tuple([Redemption.of(each, plan.slices.get(each.campaign.id)) for each in offer.applied]),
        plan.customer,
        plan.decision.reasons,
    )


def _pricing(offer: Offer) -> str:
    """Which campaigns were considered, and why each applied or not (JSON)."""
    return orjson.dumps([each.to_json() for each in offer.considered[:CONSIDERED_MAX]]).decode()
