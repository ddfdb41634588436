"""Counts payments that came to their end, what was turned over, and what campaigns gave for it."""

from __future__ import annotations

from gateway.kernel.business_metrics import DISCOUNTS, PAYMENTS_ENDED, TURNOVER, TURNOVER_REVERSED
from gateway.payments.payment import Payment
from gateway.payments.states import Status


def count_end(payment: Payment, *, was_captured: bool = False) -> None:
    """Count one, by the process whose commit it was; `was_captured`: it was booked before, and is taken back."""
    wallet, account = payment.wallet or "none", payment.account_id or "none"
    PAYMENTS_ENDED.labels(payment.status, wallet, account, payment.failure or "").inc()
    if was_captured:
        TURNOVER_REVERSED.labels(wallet, account).inc(payment.amount.amount_fen)
    elif payment.status is Status.SUCCEEDED:
        TURNOVER.labels(wallet, account).inc(payment.amount.amount_fen)
        for taken in payment.promotions:
            for part in taken.funding:
                DISCOUNTS.count((taken.campaign_id, part.sponsor), part.amount_fen)
