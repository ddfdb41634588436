"""I6: nothing is unresolved past the bound, and the worker's tasks are those of the unresolved payments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import Dossier, RefundRow
from gateway.audit.scene import Scene, is_unresolved
from gateway.payments.states import Status

_GRACE: Final = timedelta(seconds=10)
"""A task this young may be one that a worker is about to put away."""


def check_work(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """I6 for one payment."""
    unresolved, returning = is_unresolved(dossier.payment), _oldest_return(dossier)
    refunding = [refund for refund in dossier.refund_rows.values() if refund.is_pending]
    findings.compare(Check.STALE_TASK, len(dossier.tasks))
    _check_stale("resolve", dossier, scene, findings, wanted=unresolved)
    _check_stale("give_back", dossier, scene, findings, wanted=returning is not None)
    _check_stale("refund", dossier, scene, findings, wanted=bool(refunding))
    if refunding:
        _check_due("refund", _refund_began(refunding), dossier, scene, findings)
    if unresolved:
        _check_due("resolve", _resolution_began(dossier), dossier, scene, findings)
    if returning is not None:
        _check_due("give_back", returning, dossier, scene, findings)


def _check_due(purpose: str, since: datetime | None, dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """Something is to be done: it has its task, and is not older than the bound; a verdict gives it that time again."""
    payment = dossier.payment
    if since is not None and dossier.settled_at is not None:
        since = max(since, dossier.settled_at)
    findings.compare(Check.TASK)
    findings.compare(Check.OVERDUE)
    if purpose not in dossier.tasks:
        findings.add(
            Check.TASK,
            f"{payment.status}, reversal {payment.reversal}, without a task of purpose {purpose}",
            payment_id=payment.id,
        )
    if since is not None and scene.now > since + scene.bound:
        findings.add(
            Check.OVERDUE,
            f"{payment.status}, reversal {payment.reversal}: {purpose} has been open for "
            f"{(scene.now - since).total_seconds():.0f} s",
            payment_id=payment.id,
        )


def _check_stale(purpose: str, dossier: Dossier, scene: Scene, findings: Findings, *, wanted: bool) -> None:
    task = dossier.tasks.get(purpose)
    if task is None or wanted or task.leased or scene.now < task.created_at + _GRACE:
        return
    if any(event.at > scene.now - _GRACE for event in dossier.events):
        return
    findings.add(
        Check.STALE_TASK,
        f"a task of purpose {purpose} is left, but the payment is {dossier.payment.status}",
        payment_id=dossier.payment.id,
    )


def _resolution_began(dossier: Dossier) -> datetime | None:
    """From when the bound counts; a code on display has its own time to expire first."""
    payment, task = dossier.payment, dossier.tasks.get("resolve")
    if payment.status == Status.REQUIRES_ACTION:
        return payment.expires_at
    if payment.status == Status.PROCESSING:
        return payment.created_at
    return None if task is None else task.created_at


def _refund_began(pending: Sequence[RefundRow]) -> datetime | None:
    """From when the bound counts: a refund that has not had its turn yet is not late.  A person's have none."""
    return min([refund.asked_at or refund.next_at for refund in pending if refund.review is None], default=None)


def _oldest_return(dossier: Dossier) -> datetime | None:
    return min((late.found_at for late in dossier.lates.values() if late.status == "pending"), default=None)
