"""I9 for one payment: its postings are those that its history makes (gateway.ledger.postings)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import Dossier, RefundRow, TransferRow
from gateway.audit.scene import Scene, was_booked, was_taken_back
from gateway.kernel.money import Currency, Money
from gateway.ledger import postings
from gateway.ledger.postings import Funder, Kind, Transfer
from gateway.payments.states import Status
from routing.channels.base import Wallet

_TERMS_SPREAD: Final = timedelta(seconds=5)
"""New terms have surely reached every process after so long."""


def check_postings(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """Compare every posting; a missing one, one too many, or one that differs is a mismatch."""
    payment = dossier.payment
    booked = {row.seq: _essence_of_row(row) for row in dossier.transfers}
    wanted = {row.seq: _essence(row) for row in _wanted(dossier)}
    findings.compare(Check.POSTINGS, len(booked.keys() | wanted.keys()))
    for seq in sorted(booked.keys() | wanted.keys()):
        if booked.get(seq) != wanted.get(seq):
            findings.add(
                Check.POSTINGS,
                f"posting {seq} is {_shown(booked.get(seq))}; its state makes it {_shown(wanted.get(seq))}",
                payment_id=payment.id,
            )
    _check_fee(dossier, scene, findings)
    _check_discount(dossier, findings)


def _wanted(dossier: Dossier) -> list[Transfer]:
    """The postings that the payment's history makes; fee and funding are taken as posted, and judged by themselves."""
    payment = dossier.payment
    currency = Currency(payment.currency)
    rows: list[Transfer] = []
    in_one_commit = _was_booked_both_ways(dossier)
    if was_booked(dossier) is not None or in_one_commit:
        rows += _capture(dossier, Money(payment.payable, currency))
    if was_taken_back(dossier) is not None or in_one_commit:
        rows += postings.capture_reversed(rows)
    for refund in dossier.refund_rows.values():
        rows += _refund(refund, currency) if refund.is_done else ()
    for late in dossier.lates.values():
        amount = Money(late.amount, currency)
        rows.append(postings.late_capture(late.account_id, late.attempt_seq, amount))
        if late.status == "refunded":
            rows.append(postings.late_capture_returned(late.account_id, late.attempt_seq, amount))
    return rows


def _was_booked_both_ways(dossier: Dossier) -> bool:
    """A code was paid while its cancellation was pending: it never succeeded, and the reversal books both ways."""
    booked = any(row.seq == Kind.CAPTURE for row in dossier.transfers)
    return booked and was_booked(dossier) is None and dossier.payment.status == Status.REVERSED


def _capture(dossier: Dossier, payable: Money) -> list[Transfer]:
    payment, fee = dossier.payment, _posted_fee(dossier)
    attempt = dossier.attempts.get(payment.attempt_seq)
    account_id = "" if attempt is None else attempt.account_id
    nothing = Money(0, payable.currency)
    rows = list(postings.capture(payment.merchant_id, account_id, payable, nothing, _posted_funding(dossier)))
    if fee is not None:
        merchant, channel = postings.merchant_payable(payment.merchant_id), postings.channel_receivable(account_id)
        rows.append(Transfer(Kind.FEE, Kind.FEE.name.lower(), merchant, channel, Money(fee.amount, payable.currency)))
    return rows


def _refund(row: RefundRow, currency: Currency) -> tuple[Transfer, ...]:
    return postings.refund(
        row.merchant_id,
        row.account_id,
        row.seq,
        customer=Money(row.customer, currency),
        fee=Money(row.fee, currency),
        funding=[Funder(share.sponsor, Money(share.amount, currency), share.of_fee) for share in row.shares],
    )


def _transfer(row: TransferRow) -> Transfer:
    return Transfer(row.seq, row.kind, row.debit, row.credit, Money(row.amount, Currency(row.currency)))


def _check_fee(dossier: Dossier, scene: Scene, findings: Findings) -> None:
    """Within the payable; exactly what the account's terms make it, where those have not changed since."""
    payment = dossier.payment
    attempt = dossier.attempts.get(payment.attempt_seq)
    if was_booked(dossier) is None or attempt is None:
        return
    findings.compare(Check.FEE)
    posted = _posted_fee(dossier)
    fee = 0 if posted is None else posted.amount
    account = scene.accounts.get(attempt.account_id)
    if not 0 <= fee <= payment.payable:
        findings.add(Check.FEE, f"a fee of {fee} fen on {payment.payable}", payment_id=payment.id)
    elif account is not None and payment.wallet and account.updated_at + _TERMS_SPREAD < payment.created_at:
        due = account.fee.fee_fen(payment.payable, Wallet(payment.wallet), payment.created_at)
        if fee != due:
            findings.add(
                Check.FEE,
                f"a fee of {fee} fen; {account.id}'s terms, unchanged since, make it {due}",
                payment_id=payment.id,
            )


def _check_discount(dossier: Dossier, findings: Findings) -> None:
    """Every fen of a discount that was booked has its funder."""
    payment = dossier.payment
    if was_booked(dossier) is None:
        return
    posted = sum([funder.amount.amount_fen for funder in _posted_funding(dossier) if not funder.of_fee])
    if posted != payment.amount - payment.payable:
        findings.add(
            Check.POSTINGS,
            f"its funders' postings come to {posted} fen, the discount is {payment.amount - payment.payable}",
            payment_id=payment.id,
        )


def _posted_funding(dossier: Dossier) -> tuple[Funder, ...]:
    return postings.funders_of([_transfer(row) for row in dossier.transfers])


def _posted_fee(dossier: Dossier) -> TransferRow | None:
    return next((row for row in dossier.transfers if row.seq == Kind.FEE), None)


_Essence = tuple[str, str, str, int, str]


def _essence(row: Transfer) -> _Essence:
    return row.kind, row.debit, row.credit, row.amount.amount_fen, str(row.amount.currency)


def _essence_of_row(row: TransferRow) -> _Essence:
    return row.kind, row.debit, row.credit, row.amount, row.currency


def _shown(essence: _Essence | None) -> str:
    if essence is None:
        return "missing"
    kind, debit, credit, amount, currency = essence
    return f"{kind} {amount} {currency} {debit} ← {credit}"
