"""I2 and I3: events form a legal path to the status, and no client was told more than what is true now."""

from __future__ import annotations

from typing import Final

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import ClientAnswer, Dossier, EventRow, PaymentRow
from gateway.payments.states import TRANSITIONS, Event, Status

_NEUTRAL: Final = frozenset(Event) - {event for _, event in TRANSITIONS}
"""Events that leave the status as it is."""
_TYPES: Final = frozenset(Event)


def _reachable() -> dict[str, frozenset[str]]:
    """For each status, itself and all that legal events lead to from it."""
    found = {str(status): {str(status)} for status in Status}
    for _ in Status:
        for (start, _event), to in TRANSITIONS.items():
            if start is not None:
                found[start] |= found[to]
    return {status: frozenset(targets) for status, targets in found.items()}


_REACHABLE: Final = _reachable()


def check_history(dossier: Dossier, findings: Findings) -> None:
    """I3 for one payment."""
    payment, events = dossier.payment, dossier.events
    findings.compare(Check.GAPLESS)
    findings.compare(Check.STATUS)
    findings.compare(Check.TRANSITION, len(events))
    numbers = [event.seq for event in events]
    if numbers != list(range(1, payment.version + 1)):
        findings.add(
            Check.GAPLESS, f"version {payment.version}, but its events are numbered {numbers}", payment_id=payment.id
        )
    status: str | None = None
    for event in events:
        if not _is_legal(status, event):
            findings.add(
                Check.TRANSITION,
                f"event {event.seq} {event.type} goes from {event.from_status} to {event.to_status}, after {status}",
                payment_id=payment.id,
            )
        status = event.to_status
    settled = sum(event.type == Event.REVIEW_SETTLED for event in events)
    findings.compare(Check.VERDICTS, max(settled, len(dossier.verdicts)))
    if settled != len(dossier.verdicts):
        findings.add(
            Check.VERDICTS,
            f"{settled} events of verdicts, and the verdicts {[given.verdict for given in dossier.verdicts]}",
            payment_id=payment.id,
        )
    if status != payment.status:
        findings.add(Check.STATUS, f"it is {payment.status}, but its events end in {status}", payment_id=payment.id)


def _is_legal(status: str | None, event: EventRow) -> bool:
    if event.from_status != status or event.type not in _TYPES:
        return False
    kind = Event(event.type)
    if kind in _NEUTRAL:
        return status is not None and event.to_status == status
    return TRANSITIONS.get((None if status is None else Status(status), kind)) == event.to_status


def check_answers(dossier: Dossier, findings: Findings) -> None:
    """I2 for one payment: every answer that told of it."""
    payment = dossier.payment
    findings.compare(Check.ACKNOWLEDGED_LOST, len(dossier.answers))
    findings.compare(Check.ACKNOWLEDGED_CHANGED, len(dossier.answers))
    findings.compare(Check.WENT_BACK, len(dossier.answers))
    for answer in dossier.answers:
        if (difference := _difference(payment, answer)) is not None:
            findings.add(
                Check.ACKNOWLEDGED_CHANGED, f"client log line {answer.line}: {difference}", payment_id=payment.id
            )
        if (step := _step_back(payment, answer)) is not None:
            findings.add(Check.WENT_BACK, f"client log line {answer.line}: {step}", payment_id=payment.id)


def report_lost(answer: ClientAnswer, findings: Findings) -> None:
    """A client was told of a payment that does not exist."""
    findings.compare(Check.ACKNOWLEDGED_LOST)
    findings.add(
        Check.ACKNOWLEDGED_LOST,
        f"client log line {answer.line}: answered {answer.status}, {answer.amount} fen, but there is no such payment",
        payment_id=answer.payment_id,
        merchant_order_no=answer.merchant_order_no,
    )


def _difference(payment: PaymentRow, answer: ClientAnswer) -> str | None:
    told = (answer.merchant_order_no, answer.amount, answer.payable)
    ours = (payment.merchant_order_no, payment.amount, payment.payable)
    if told != ours:
        return f"told order number, amount, payable {told}, ours are {ours}"
    if answer.asked_amount not in {None, payment.amount}:
        return f"asked for {answer.asked_amount} fen, ours is {payment.amount}"
    return None


def _step_back(payment: PaymentRow, answer: ClientAnswer) -> str | None:
    if payment.status not in _REACHABLE.get(answer.status, ()):
        return f"told {answer.status}, now {payment.status}"
    taken_back = answer.status == Status.SUCCEEDED and payment.status == Status.REVERSED
    if taken_back and payment.reversal != "succeeded":
        return "told succeeded, now reversed although nobody cancelled it"
    if answer.amount_refunded > payment.amount_refunded:
        return f"told that {answer.amount_refunded} fen were refunded, now {payment.amount_refunded}"
    return None
