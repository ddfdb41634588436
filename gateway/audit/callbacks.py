"""Notifications that were taken in: each was applied in time, and what became of it is what the books show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import CallbackRow, Dossier
from gateway.audit.scene import Scene
from gateway.callbacks.applying import ORPHAN_AFTER_S
from gateway.callbacks.callback import Result
from gateway.payments.numbers import attempt_of, refund_of
from gateway.payments.states import Status

_ODD: Final = frozenset({Result.REVIEW, Result.ORPHAN})
WAITING: Final = "waiting"
"""Stands for the result of a notification that is not applied yet."""


@dataclass(slots=True)
class CallbackTally:
    """How many notifications came to what; `for_review` counts those at which a person has not looked."""

    results: Counter[str] = field(default_factory=Counter)
    for_review: int = 0

    def add(self, row: CallbackRow) -> None:
        """One more."""
        self.results[row.result or WAITING] += 1
        self.for_review += row.result in _ODD and row.settled_at is None


def check_callback(row: CallbackRow, dossier: Dossier | None, scene: Scene, findings: Findings) -> None:
    """One notification; `dossier` is the payment that it names, None where we have none of that number."""
    findings.compare(Check.CALLBACK_APPLIED)
    findings.compare(Check.CALLBACK_RESULT)
    is_ours = _is_ours(row, dossier)
    age = scene.now - row.received_at
    retried_for = timedelta(0) if is_ours else timedelta(seconds=ORPHAN_AFTER_S)
    if row.applied_at is None and age > retried_for + scene.bound:
        findings.add(
            Check.CALLBACK_APPLIED,
            f"taken in {age.total_seconds():.0f} s ago and not applied, {'' if is_ours else 'of an unknown order, '}"
            f"account {row.account_id}",
            payment_id=row.payment_id,
            notification_id=row.notification_id,
        )
    if (contradiction := _contradiction(row, dossier, is_ours=is_ours)) is not None:
        findings.add(
            Check.CALLBACK_RESULT,
            contradiction,
            payment_id=row.payment_id,
            notification_id=row.notification_id,
        )


def _is_ours(row: CallbackRow, dossier: Dossier | None) -> bool:
    """Whether it names an order that we gave to that account."""
    named = attempt_of(row.order_no)
    if dossier is None or named is None:
        return False
    attempt = dossier.attempts.get(named.attempt_seq)
    return attempt is not None and attempt.account_id == row.account_id


def _contradiction(row: CallbackRow, dossier: Dossier | None, *, is_ours: bool) -> str | None:
    """Why its result cannot be true."""
    named = attempt_of(row.order_no)
    if named is None or named.payment_id != row.payment_id:
        return f"kept under this payment, but it names order {row.order_no}"
    if (row.result is None) != (row.applied_at is None):
        return f"result {row.result}, applied at {row.applied_at}"
    if row.result == Result.ORPHAN and is_ours and row.settled_at is None:
        return f"an orphan, but order {row.order_no} is ours, at that account"
    if row.result in {None, Result.ORPHAN}:
        return None
    if dossier is None or not is_ours:
        return f"{row.result}, but we never gave order {row.order_no} to that account"
    return _contradiction_of_payment(row, dossier, named.attempt_seq)


def _contradiction_of_payment(row: CallbackRow, dossier: Dossier, attempt_seq: int) -> str | None:
    payment = dossier.payment
    if row.result == Result.APPLIED and row.refund_no is not None:
        number = refund_of(row.refund_no)
        refund = None if number is None else dossier.refund_rows.get(number.refund_seq or 0)
        return None if refund is not None and not refund.is_pending else "applied, but that refund has no end"
    if row.result == Result.APPLIED and not Status(payment.status).is_final:
        return f"applied, but the payment is {payment.status}"
    if row.result == Result.LATE and payment.status == Status.SUCCEEDED and payment.attempt_seq == attempt_seq:
        return "late, but the payment succeeded by that very order"
    return None
