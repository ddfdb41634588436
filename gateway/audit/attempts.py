"""I1 and I6 for the attempts of one payment: one is open at a time, and none can be paid any more once it is over."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import AttemptRow, Dossier, Trade
from gateway.audit.scene import Scene
from gateway.payments.states import Status

_LEFT: Final = frozenset({"unsent", "refused"})
"""How the attempts end that a payment leaves for another account (gateway.payments.failing_over)."""
_BARCODE: Final = "barcode"
_PAYABLE: Final = frozenset({"open", "pending"})
"""The states in which a simulator still takes the customer's money."""


def check_attempts(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """What our own books show, and what the channels' show of orders that ought to be over."""
    _check_one_open(dossier, findings)
    _check_left(dossier, findings)
    if dossier.payment.review is None:
        _check_open(dossier, scene, findings)
    if scene.has_channels and not any(event.at >= scene.books_read_from for event in dossier.events):
        _check_payable(dossier, scene, findings)


def _check_one_open(dossier: Dossier, findings: Findings) -> None:
    open_ = [attempt.seq for attempt in dossier.attempts.values() if attempt.is_open]
    findings.compare(Check.ONE_OPEN_ATTEMPT)
    if open_ not in ([], [dossier.payment.attempt_seq]):
        findings.add(
            Check.ONE_OPEN_ATTEMPT,
            f"attempts {open_} are open, the current one is {dossier.payment.attempt_seq}",
            payment_id=dossier.payment.id,
        )


def _check_left(dossier: Dossier, findings: Findings) -> None:
    """What a payment left behind was not sent at all, or was refused, and never held the customer's money.

    A code that any wallet can pay leaves attempts for other reasons as well: those end otherwise.
    """
    payment = dossier.payment
    for attempt in dossier.attempts.values():
        is_left = attempt.state in _LEFT
        if attempt.seq >= payment.attempt_seq or not (is_left or payment.method == _BARCODE):
            continue
        findings.compare(Check.LEFT_ATTEMPT)
        if not is_left:
            findings.add(Check.LEFT_ATTEMPT, f"left for another account while {attempt.state}", **_ids(attempt))
        for trade in dossier.trades_of(attempt.seq):
            if attempt.state == "unsent" or trade.captured or trade.status in _PAYABLE:
                findings.add(
                    Check.LEFT_ATTEMPT,
                    f"left as {attempt.state}, but {trade.channel} has its order as {trade.status}",
                    **_ids(attempt),
                )


def _check_open(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """An open attempt is of a payment that has no end, and within its own time."""
    payment = dossier.payment
    findings.compare(Check.OPEN_ATTEMPT, len(dossier.attempts))
    for attempt in dossier.attempts.values():
        if not attempt.is_open:
            continue
        if Status(payment.status).is_final:
            findings.add(Check.OPEN_ATTEMPT, f"open, but the payment is {payment.status}", **_ids(attempt))
        elif _is_past(attempt, scene):
            findings.add(Check.OPEN_ATTEMPT, f"open, and payable only until {attempt.payable_until}", **_ids(attempt))


def _check_payable(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """An order whose attempt is over takes no money past its time; until then a worker watches it."""
    for seq, trade in dossier.trades:
        attempt = dossier.attempts[seq]
        if not _is_over(dossier, attempt):
            continue
        findings.compare(Check.STILL_PAYABLE)
        if not _takes_money(trade, scene.now):
            continue
        if _is_past(attempt, scene):
            findings.add(
                Check.STILL_PAYABLE,
                f"{trade.status} at {trade.channel} until {trade.pay_until}, and we expected {attempt.payable_until}",
                **_ids(attempt),
            )
        elif "watch" not in dossier.tasks:
            findings.add(
                Check.STILL_PAYABLE,
                f"{trade.status} at {trade.channel} until {trade.pay_until}, and nobody watches it",
                **_ids(attempt),
            )


def _is_over(dossier: Dossier, attempt: AttemptRow) -> bool:
    return attempt.seq != dossier.payment.attempt_seq or Status(dossier.payment.status).is_final


def _is_past(attempt: AttemptRow, scene: Scene) -> bool:
    """Whether the time of a code's order, and the bound, are over; a bar code's order has no time of its own."""
    until = attempt.payable_until
    return until is not None and scene.now > until + scene.bound


def _takes_money(trade: Trade, now: datetime) -> bool:
    until = None if trade.pay_until is None else datetime.fromisoformat(trade.pay_until)
    return trade.status in _PAYABLE and (until is None or now <= until)


def _ids(attempt: AttemptRow) -> dict[str, str | int]:
    return {"payment_id": attempt.payment_id, "attempt": attempt.seq}
