"""I1 and I4 for one payment: what the channels captured, keep and gave back is what we say they did."""

from __future__ import annotations

from collections import defaultdict

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import Dossier, LateRow, Refund, Trade
from gateway.audit.scene import Scene, Standing
from gateway.payments.numbers import attempt_order_no
from gateway.payments.states import Status


def check_money(dossier: Dossier, standing: Standing, scene: Scene, findings: Findings) -> None:
    """I1 and I4; payments that are in motion are held only against what must hold at any moment."""
    for seq, trade in dossier.trades:
        _check_trade(dossier, seq, trade, scene, findings)
    if standing in {Standing.DECIDED, Standing.REVIEW, Standing.BY_HAND}:
        _check_one_capture(dossier, findings)
        _check_refunds_add_up(dossier, findings)
    if standing is Standing.DECIDED:
        _check_success(dossier, findings)
        _check_returns(dossier, scene, findings)
        _check_late_captures(dossier, scene, findings)


def report_unknown(trade: Trade, findings: Findings) -> None:
    """A simulator has an order that none of our attempts made."""
    findings.compare(Check.UNKNOWN_TRADE)
    findings.add(
        Check.UNKNOWN_TRADE,
        f"{trade.status}, {trade.amount} fen, of which {trade.kept} are kept",
        channel=trade.channel,
        order_no=trade.order_no,
    )


def loose(dossier: Dossier) -> list[tuple[int, Trade]]:
    """Kept captures that no late capture speaks for."""
    spoken_for = {seq for seq, late in dossier.lates.items() if late.status != "refunded"} | dossier.returned_by_hand
    return [(seq, trade) for seq, trade in dossier.trades if trade.kept > 0 and seq not in spoken_for]


def _check_trade(dossier: Dossier, seq: int, trade: Trade, scene: Scene, findings: Findings) -> None:
    findings.compare(Check.UNKNOWN_TRADE)
    findings.compare(Check.CHANNEL)
    findings.compare(Check.REFUNDS_WITHIN_CAPTURE)
    account = scene.accounts.get(dossier.attempts[seq].account_id)
    if account is None or account.channel != trade.channel:
        findings.add(
            Check.CHANNEL,
            f"at {trade.channel}, but the attempt was for account {dossier.attempts[seq].account_id}",
            payment_id=dossier.payment.id,
            order_no=trade.order_no,
        )
    if trade.refunded > trade.captured:
        findings.add(
            Check.REFUNDS_WITHIN_CAPTURE,
            f"{trade.channel} gave back {trade.refunded} fen of {trade.captured} captured",
            payment_id=dossier.payment.id,
            order_no=trade.order_no,
        )


def _check_one_capture(dossier: Dossier, findings: Findings) -> None:
    findings.compare(Check.ONE_CAPTURE)
    kept = loose(dossier)
    if len(kept) > 1:
        where = ", ".join(f"{trade.channel} {trade.order_no} {trade.kept} fen" for _, trade in kept)
        findings.add(Check.ONE_CAPTURE, f"{len(kept)} captures are kept: {where}", payment_id=dossier.payment.id)


def _check_success(dossier: Dossier, findings: Findings) -> None:
    """A success has its capture, over the whole payable."""
    payment = dossier.payment
    if payment.status != Status.SUCCEEDED or not payment.payable:
        return
    order_no = attempt_order_no(payment.id, payment.attempt_seq) if payment.attempt_seq else ""
    captured = [trade for trade in dossier.trades_of(payment.attempt_seq) if trade.captured]
    findings.compare(Check.SUCCEEDED_WITHOUT_CAPTURE)
    findings.compare(Check.AMOUNT, len(captured))
    if not captured:
        found = ", ".join(trade.status for trade in dossier.trades_of(payment.attempt_seq)) or "no such order"
        findings.add(
            Check.SUCCEEDED_WITHOUT_CAPTURE,
            f"{payment.payable} fen succeeded; the simulators have: {found}",
            payment_id=payment.id,
            order_no=order_no,
        )
    for trade in captured:
        if trade.captured != payment.payable:
            findings.add(
                Check.AMOUNT,
                f"{trade.channel} captured {trade.captured} fen, payable were {payment.payable}",
                payment_id=payment.id,
                order_no=order_no,
            )


def _check_returns(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """A capture that is not the success's own was given back, or a worker will come upon it."""
    payment = dossier.payment
    own = payment.attempt_seq if payment.status == Status.SUCCEEDED else None
    findings.compare(Check.UNRETURNED_CAPTURE, sum(1 for seq, trade in dossier.trades if trade.captured and seq != own))
    for seq, trade in loose(dossier):
        if seq != own and not scene.is_sought(dossier, trade):
            findings.add(
                Check.UNRETURNED_CAPTURE,
                f"the payment is {payment.status}, but {trade.channel} keeps {trade.kept} fen",
                payment_id=payment.id,
                order_no=trade.order_no,
            )


def _check_late_captures(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    payment = dossier.payment
    findings.compare(Check.LATE_CAPTURE, len(dossier.lates))
    if payment.late_captures != len(dossier.lates):
        findings.add(
            Check.LATE_CAPTURE,
            f"the payment counts {payment.late_captures} late captures, there are {len(dossier.lates)}",
            payment_id=payment.id,
        )
    for late in dossier.lates.values():
        if (difference := _difference(late, dossier.trades_of(late.attempt_seq))) is not None:
            findings.add(Check.LATE_CAPTURE, difference, payment_id=payment.id, attempt=late.attempt_seq)
    for seq, trade in dossier.trades:
        if trade.captured and seq != payment.attempt_seq and seq not in dossier.lates:
            findings.compare(Check.LATE_CAPTURE)
            if not scene.is_sought(dossier, trade):
                findings.add(
                    Check.LATE_CAPTURE,
                    f"{trade.channel} captured {trade.captured} fen for an attempt that is not the payment's any more",
                    payment_id=payment.id,
                    order_no=trade.order_no,
                )


def _difference(late: LateRow, trades: list[Trade]) -> str | None:
    captured = sum(trade.captured for trade in trades)
    kept = sum(trade.kept for trade in trades)
    if captured != late.amount:
        return f"{late.amount} fen came late, the channel captured {captured}"
    if late.status == "refunded" and kept:
        return f"said to be returned, but the channel keeps {kept} fen"
    return None


def _check_refunds_add_up(dossier: Dossier, findings: Findings) -> None:
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for _, trade in dossier.trades:
        sums[trade.channel, trade.order_no] -= trade.refunded
    for _, refund in dossier.refunds:
        sums[refund.channel, refund.order_no] += refund.amount
    findings.compare(Check.REFUNDS_ADD_UP, len(sums))
    for (channel, order_no), surplus in sums.items():
        if surplus:
            findings.add(
                Check.REFUNDS_ADD_UP,
                f"its refunds at {channel} come to {surplus} fen more than the order says was given back",
                payment_id=dossier.payment.id,
                order_no=order_no,
            )


def report_astray(refund: Refund, findings: Findings) -> None:
    """A refund of an order that none of our attempts made."""
    findings.compare(Check.REFUNDS_KNOWN)
    findings.add(
        Check.REFUNDS_KNOWN,
        f"{refund.channel} gave back {refund.amount} fen of an order that is not ours",
        order_no=refund.order_no,
        refund_no=refund.refund_no,
    )
