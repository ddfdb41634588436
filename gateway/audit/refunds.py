"""I2 to I5 for the refunds of one payment: sums, parts, events, what the channel gave back, what clients were told."""

from __future__ import annotations

from typing import Final

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import Dossier, RefundAnswer, RefundRow
from gateway.audit.scene import Scene, Standing
from gateway.kernel.money import Currency, Money
from gateway.ledger import postings
from gateway.ledger.postings import Transfer
from gateway.payments.numbers import give_back_no
from gateway.payments.states import Event, Status
from gateway.refunds.split import Paid, Parts, split, together
from gateway.reviews.review import Verdict

_ENDS: Final = {"succeeded": Event.REFUND_SUCCEEDED, "failed": Event.REFUND_FAILED}
_OF_REFUNDS: Final = frozenset({Event.REFUND_CREATED, *_ENDS.values()})


def check_refunds(dossier: Dossier, standing: Standing, scene: Scene, findings: Findings) -> None:
    """All that our own books show at any moment, and for payments that stand still also what the channel's show."""
    _check_sums(dossier, findings)
    _check_numbers(dossier, findings)
    _check_events(dossier, findings)
    _check_parts(dossier, findings)
    _check_told(dossier, findings)
    if standing is Standing.DECIDED and scene.has_channels:
        _check_given_back(dossier, findings)
        _check_known(dossier, findings)


def report_refund_lost(answer: RefundAnswer, findings: Findings) -> None:
    """A client was told of a refund of a payment that does not exist."""
    findings.compare(Check.REFUND_TOLD)
    findings.add(
        Check.REFUND_TOLD,
        f"client log line {answer.line}: told of a refund of {answer.amount} fen, but there is no such payment",
        payment_id=answer.payment_id,
        refund_id=answer.refund_id,
    )


def _check_sums(dossier: Dossier, findings: Findings) -> None:
    payment, rows = dossier.payment, dossier.refund_rows.values()
    findings.compare(Check.AMOUNT_REFUNDED)
    done = sum(row.amount for row in rows if row.is_done)
    held = done + sum(row.amount for row in rows if row.is_pending)
    if (payment.amount_refunded, payment.refund_held) != (done, held) or held > payment.amount:
        findings.add(
            Check.AMOUNT_REFUNDED,
            f"of {payment.amount} fen {payment.amount_refunded} are refunded and {payment.refund_held} held; "
            f"its refunds come to {done} and {held}",
            payment_id=payment.id,
        )


def _check_numbers(dossier: Dossier, findings: Findings) -> None:
    findings.compare(Check.REFUND_NUMBER, len(dossier.refund_rows))
    for row in dossier.refund_rows.values():
        if row.number_owner != row.id:
            findings.add(
                Check.REFUND_NUMBER,
                f"the number of this refund leads to {row.number_owner or 'nothing'}",
                refund_id=row.id,
                merchant_refund_no=row.merchant_refund_no,
            )


def _check_events(dossier: Dossier, findings: Findings) -> None:
    told: dict[str, list[str]] = {row.id: [] for row in dossier.refund_rows.values()}
    for event in dossier.events:
        if event.type in _OF_REFUNDS:
            told.setdefault(event.refund_id or "no refund", []).append(event.type)
    statuses = {row.id: row.status for row in dossier.refund_rows.values()}
    findings.compare(Check.REFUND_EVENTS, len(told))
    for refund_id, types in told.items():
        status = statuses.get(refund_id)
        wanted = [] if status is None else [Event.REFUND_CREATED, *([_ENDS[status]] if status in _ENDS else [])]
        if types != wanted:
            findings.add(
                Check.REFUND_EVENTS,
                f"it is {status or 'not there'}, its events are {', '.join(types) or 'none'}",
                payment_id=dossier.payment.id,
                refund_id=refund_id,
            )


def _check_parts(dossier: Dossier, findings: Findings) -> None:
    """Go through the events in their order, and split each refund anew over what stood then."""
    rows = {row.id: row for row in dossier.refund_rows.values()}
    if not rows:
        return
    capture = _capture_of(dossier)
    funders = (*postings.funding_of(capture), *postings.fee_funding_of(capture))
    findings.compare(Check.REFUND_PARTS, len(rows))
    live: dict[str, Parts] = {}
    for event in dossier.events:
        row = rows.get(event.refund_id or "")
        if row is None:
            continue
        if event.type == Event.REFUND_FAILED:
            live.pop(row.id, None)
        elif event.type == Event.REFUND_CREATED:
            wanted = _wanted(dossier, capture, live, row)
            live[row.id] = parts = Parts(row.customer, row.discount, row.fee, *_fundings(row))
            if parts != wanted or [share.sponsor for share in row.shares] != [funder.sponsor for funder in funders]:
                findings.add(
                    Check.REFUND_PARTS,
                    f"{row.amount} fen of goods are split as {_shown(parts)}; the formula makes it {_shown(wanted)}",
                    payment_id=dossier.payment.id,
                    refund_id=row.id,
                )


def _capture_of(dossier: Dossier) -> list[Transfer]:
    return [
        Transfer(row.seq, row.kind, row.debit, row.credit, Money(row.amount, Currency(row.currency)))
        for row in dossier.transfers
        if row.seq < postings.Kind.LATE_CAPTURE
    ]


def _wanted(dossier: Dossier, capture: list[Transfer], live: dict[str, Parts], row: RefundRow) -> Parts | None:
    """What the formula makes of a refund; None where the books do not even allow it."""
    payment = dossier.payment
    funding = tuple([funder.amount.amount_fen for funder in postings.funding_of(capture)])
    fee_funding = tuple([funder.amount.amount_fen for funder in postings.fee_funding_of(capture)])
    try:
        paid = Paid(payment.amount, payment.payable, postings.fee_of(capture), funding, fee_funding)
        return split(paid, together(live.values(), len(funding), len(fee_funding)), row.amount)
    except (ValueError, IndexError):  # more than is left, funders that do not add up, parts of other funders
        return None


def _shown(parts: Parts | None) -> str:
    if parts is None:
        return "impossible"
    return (
        f"{parts.customer} customer, {parts.discount} discount {list(parts.funding)}, {parts.fee} fee "
        f"{list(parts.fee_funding)}"
    )


def _fundings(row: RefundRow) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The parts of the funders of the discount, and of those of the fee."""
    return (
        tuple([share.amount for share in row.shares if not share.of_fee]),
        tuple([share.amount for share in row.shares if share.of_fee]),
    )


def _check_given_back(dossier: Dossier, findings: Findings) -> None:
    """The channel gave back the customer's part of what succeeded, once, and nothing of any other refund."""
    for row in dossier.refund_rows.values():
        findings.compare(Check.REFUND_GIVEN_BACK)
        wanted = row.wanted_back
        found = [refund.amount for refund in dossier.given_back(row)]
        if found != wanted:
            findings.add(
                Check.REFUND_GIVEN_BACK,
                f"it is {row.status} over {row.customer} fen; under {row.refund_no} the channel gave back "
                f"{', '.join(map(str, found)) or 'nothing'}",
                payment_id=row.payment_id,
                refund_id=row.id,
            )


def _check_known(dossier: Dossier, findings: Findings) -> None:
    """What went back of a success is what our refunds gave back; whatever a channel gave back has a number of ours."""
    payment = dossier.payment
    if payment.status == Status.SUCCEEDED:
        findings.compare(Check.REFUNDS_KNOWN)
        known = sum(row.customer for row in dossier.refund_rows.values() if row.is_done)
        gone = sum(trade.refunded for trade in dossier.trades_of(payment.attempt_seq))
        if gone != known:
            findings.add(
                Check.REFUNDS_KNOWN,
                f"the channel gave back {gone} fen, we know of {known}",
                payment_id=payment.id,
            )
    if any(given.verdict == Verdict.MARK_REVERSED for given in dossier.verdicts):
        return  # it was refunded at the channel itself, under whatever number: a person has looked
    ours = {row.refund_no for row in dossier.refund_rows.values()}
    for seq, refund in dossier.refunds:
        findings.compare(Check.REFUNDS_KNOWN)
        if refund.kind != "reversal" and refund.refund_no not in {give_back_no(payment.id, seq), *ours}:
            findings.add(
                Check.REFUNDS_KNOWN,
                f"{refund.channel} gave back {refund.amount} fen under {refund.refund_no}, a number that is not ours",
                payment_id=payment.id,
                order_no=refund.order_no,
            )


def _check_told(dossier: Dossier, findings: Findings) -> None:
    rows = {row.id: row for row in dossier.refund_rows.values()}
    findings.compare(Check.REFUND_TOLD, len(dossier.refund_answers))
    for answer in dossier.refund_answers:
        if (difference := _difference(rows.get(answer.refund_id), answer)) is not None:
            findings.add(
                Check.REFUND_TOLD,
                f"client log line {answer.line}: {difference}",
                payment_id=answer.payment_id,
                refund_id=answer.refund_id,
            )


def _difference(row: RefundRow | None, answer: RefundAnswer) -> str | None:
    if row is None:
        return f"told {answer.status}, {answer.amount} fen, but there is no such refund"
    if (row.amount, row.customer) != (answer.amount, answer.returned):
        return f"told {answer.amount} fen, of which {answer.returned} go back, ours are {row.amount}, {row.customer}"
    if answer.status not in {"pending", row.status}:
        return f"told {answer.status}, now {row.status}"
    return None
