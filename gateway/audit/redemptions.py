"""What one payment took of campaigns: its discount, who funds it in the ledger and gets it back, what it counts for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.audit.checks import Check
from gateway.audit.findings import Findings
from gateway.audit.rows import Dossier, RedemptionRow, RefundRow, Took, TransferRow, Used
from gateway.kernel.money import Currency, Money
from gateway.ledger.postings import Kind, Transfer, fee_funding_of, funding_of
from gateway.payments.states import Status

STANDS: Final = frozenset({Status.PROCESSING, Status.REQUIRES_ACTION, Status.SUCCEEDED})
"""A payment in another state gave back all that it had taken, whatever its campaigns say of refunds."""


def check_redemptions(dossier: Dossier, findings: Findings) -> None:
    """I4 and I9 for the redemptions of one payment."""
    payment, rows = dossier.payment, dossier.redemptions
    if not rows and payment.amount == payment.payable and not payment.promoted:
        return
    findings.compare(Check.DISCOUNT)
    discount = sum(row.discount for row in rows)
    if discount != payment.amount - payment.payable or payment.promoted is not bool(rows):
        findings.add(
            Check.DISCOUNT,
            f"a discount of {payment.amount - payment.payable} fen, promoted {payment.promoted}; its {len(rows)} "
            f"redemptions come to {discount}",
            payment_id=payment.id,
        )
    for row in rows:
        _check_parts(row, findings)
    _check_funding(dossier, findings)


def took(dossier: Dossier) -> Iterator[Took]:
    """What its redemptions count for in their slices."""
    stands = dossier.payment.status in STANDS
    for row in dossier.redemptions:
        if row.slice is not None:
            fen = row.taken - _returned(dossier, row) if stands else 0
            yield Took(row.campaign_id, row.day.isoformat(), row.slice, fen, int(stands and not _is_back(dossier, row)))


def used(dossier: Dossier) -> Iterator[Used]:
    """What they count for in their counters: all of it, or nothing once all went back (by the campaign's rule)."""
    stands = dossier.payment.status in STANDS
    for row in dossier.redemptions:
        counts = stands and not _is_back(dossier, row)
        for scope, key, day in row.counters:
            yield Used(key, row.campaign_id, scope, day, row.taken if counts else 0, int(counts))


def _is_back(dossier: Dossier, row: RedemptionRow) -> bool:
    """Whether all goods were refunded, of a campaign that then gives its limits back."""
    payment = dossier.payment
    return row.returns_limits and payment.amount_refunded == payment.amount


def _returned(dossier: Dossier, row: RedemptionRow) -> int:
    """What refunds gave back to the campaign's budget, in fen."""
    if not row.returns_budget:
        return 0
    done = [refund for refund in dossier.refund_rows.values() if refund.is_done]
    return sum(share.amount for refund in done for share in refund.shares if share.campaign_id == row.campaign_id)


def _check_parts(row: RedemptionRow, findings: Findings) -> None:
    if sum(amount for _, amount in row.parts) != row.taken or any(amount < 0 for _, amount in row.parts):
        findings.add(
            Check.DISCOUNT,
            f"{row.campaign_id} gave {row.taken} fen, funded by {_shown(row.parts)}",
            payment_id=row.payment_id,
        )


def _check_funding(dossier: Dossier, findings: Findings) -> None:
    booked = [_transfer(row) for row in dossier.transfers if row.seq < Kind.DISCOUNT_REVERSED]
    if not any(row.seq == Kind.CAPTURE or row.seq >= Kind.DISCOUNT for row in booked):
        return
    findings.compare(Check.FUNDING)
    for of_fee, funders in ((False, funding_of(booked)), (True, fee_funding_of(booked))):
        posted = [(funder.sponsor, funder.amount.amount_fen) for funder in funders]
        wanted = [(sponsor, amount) for sponsor, amount, _ in _funders(dossier, of_fee=of_fee)]
        if posted != wanted:
            findings.add(
                Check.FUNDING,
                f"{'the fee' if of_fee else 'the discount'} is booked to {_shown(posted)}; its redemptions say "
                f"{_shown(wanted)}",
                payment_id=dossier.payment.id,
            )
    for refund in dossier.refund_rows.values():
        _check_refund(dossier, refund, findings)


def _check_refund(dossier: Dossier, refund: RefundRow, findings: Findings) -> None:
    """Each funder stands in a refund under the campaign whose budget it was."""
    findings.compare(Check.FUNDING)
    funders = [*_funders(dossier, of_fee=False), *_funders(dossier, of_fee=True)]
    wanted = [(sponsor, campaign_id) for sponsor, _, campaign_id in funders]
    found = [(share.sponsor, share.campaign_id) for share in refund.shares]
    if found != wanted:
        findings.add(
            Check.FUNDING,
            f"it gives back to {found}; the redemptions say {wanted}",
            payment_id=refund.payment_id,
            refund_id=refund.id,
        )


def _funders(dossier: Dossier, *, of_fee: bool) -> list[tuple[str, int, str]]:
    """Sponsor, fen and campaign, in the order of the redemptions; who pays nothing is not booked."""
    return [
        (sponsor, amount, row.campaign_id)
        for row in dossier.redemptions
        if (row.fee_off > 0) is of_fee
        for sponsor, amount in row.parts
        if amount
    ]


def _transfer(row: TransferRow) -> Transfer:
    return Transfer(row.seq, row.kind, row.debit, row.credit, Money(row.amount, Currency(row.currency)))


def _shown(parts: list[tuple[str, int]]) -> str:
    return ", ".join(f"{sponsor} {amount}" for sponsor, amount in parts) or "nobody"
