"""Turns what a channel says of an attempt into the outcome to be committed; pure."""

from __future__ import annotations

from typing import Final

from gateway.database.outcomes import OutcomeRow, TransferRow
from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money
from gateway.kernel.secrets import Vault
from gateway.ledger import postings
from gateway.payments.payment import Payment
from gateway.payments.states import Event, sources, target
from routing.accounts.fees import Fee
from routing.channels.base import ChannelError, ChannelRejected, Wallet
from routing.channels.reports import TradeReport, TradeState

AMOUNT_MISMATCH: Final = "amount_mismatch"
"""Review reason: the channel captured another amount than we asked for."""
NOT_REVERSIBLE: Final = "not_reversible"
"""Review reason: the channel neither reverses the order nor says that it was paid."""
REFUNDED_ELSEWHERE: Final = "refunded_elsewhere"
"""Review reason: the channel says that a payment was refunded, wholly or in part, and it was not by us."""


def review_reason(payment: Payment, report: TradeReport) -> str | None:
    """Why a person has to look at what the channel says; the wallet's own coupons are no reason."""
    if report.state is TradeState.CAPTURED and report.amount_fen not in {None, payment.payable.amount_fen}:
        return AMOUNT_MISMATCH
    if report.state is TradeState.REFUNDED and payment.reversal is None:
        return REFUNDED_ELSEWHERE
    return None


def outcome_of_report(payment: Payment, fee: Fee, report: TradeReport, vault: Vault) -> OutcomeRow | None:
    """The outcome that a verified report leads to; None where it decides nothing, or the amount is not ours.

    `fee` is what the account charges (`account.terms.fee`).
    """
    match report.state:
        case TradeState.CAPTURED if report.amount_fen == payment.payable.amount_fen:
            return _captured(payment, fee, report, vault)
        case _ if payment.is_code:
            return _outcome_of_code(payment, report)
        case TradeState.REFUSED:
            failure = report.failure or FailureCode.CHANNEL_REFUSED
            return _over(payment, Event.DECLINED, "refused", failure=failure, channel_code=report.channel_code)
        case TradeState.CLOSED if payment.reversal is None:
            return _over(payment, Event.CLOSED, "reversed", channel_code=report.channel_code)
        case TradeState.CLOSED | TradeState.REFUNDED if payment.reversal is not None:
            return reversed_(payment)
        case _:
            return None


def _outcome_of_code(payment: Payment, report: TradeReport) -> OutcomeRow | None:
    """What shuts an order shuts the code, unless any wallet can pay it: then another one may still.

    While a cancellation is pending, only the worker tells money that it gave back from money that never came.
    """
    shut = report.state in {TradeState.REFUSED, TradeState.CLOSED}
    if shut and payment.reversal is None and not payment.is_aggregated:
        return closed(payment, report.channel_code)
    if payment.reversal == "failed" and report.state in {TradeState.CLOSED, TradeState.REFUNDED}:
        return reversed_(payment)
    return None


def closed(payment: Payment, channel_code: str | None = None) -> OutcomeRow:
    """The outcome of a code that nobody paid and nobody can pay any more; its orders stay watched (outcome.sql)."""
    return _over(payment, Event.CLOSED, "closed", channel_code=channel_code)


def no_code(payment: Payment, channel_code: str | None = None) -> OutcomeRow:
    """The outcome of a code that was never shown, and whose order may be at the channel all the same; it is watched."""
    failure = FailureCode.CHANNEL_UNAVAILABLE
    return _over(payment, Event.NOT_CREATED, "not_created", failure=failure, channel_code=channel_code)


def abandoned(payment: Payment, channel_trade_no: str | None) -> OutcomeRow:
    """The outcome that a person decides where the channel took what it should not have: it goes back as a late capture.

    The order has to be watched (PaymentStore.watch's statement) in the same transaction: the watch finds the money.
    """
    row = _over(payment, Event.ABANDONED, "captured", failure=FailureCode.GIVEN_BACK)
    return row._replace(channel_trade_no=channel_trade_no)


def given_back(payment: Payment, fee: Fee, channel_trade_no: str | None) -> OutcomeRow:
    """The outcome of a code that was paid while its cancellation was pending, once the money went back.

    Both ways of the money are booked: the channel's statement will have both.
    """
    captured = _capture(payment, fee)
    row = _over(payment, Event.REVERSED, "reversed", transfers=(*captured, *postings.capture_reversed(captured)))
    return row._replace(from_states=payment.status, channel_trade_no=channel_trade_no)


def outcome_of_refusal(payment: Payment, error: ChannelRejected) -> OutcomeRow:
    """The outcome of a definite refusal."""
    return _over(payment, Event.DECLINED, "refused", failure=error.failure, channel_code=error.code)


def outcome_of_unsent(payment: Payment, error: ChannelError) -> OutcomeRow:
    """The outcome where nothing left this machine."""
    return _over(payment, Event.UNSENT, "unsent", failure=FailureCode.CHANNEL_UNAVAILABLE, channel_code=error.code)


def not_created(payment: Payment) -> OutcomeRow:
    """The outcome of an order that the channel never came to know; it stays watched (outcome.sql)."""
    return _over(payment, Event.NOT_CREATED, "not_created", failure=FailureCode.NOT_CREATED)


def reversed_(payment: Payment, booked: tuple[postings.Transfer, ...] = ()) -> OutcomeRow:
    """The outcome of a confirmed reversal; what was `booked` for the payment is booked back.

    It applies only while the payment stands as it was read: a capture booked since then has to be booked back too.
    """
    row = _over(payment, Event.REVERSED, "reversed", transfers=postings.capture_reversed(booked))
    return row._replace(from_states=payment.status)


def rows_of(transfers: tuple[postings.Transfer, ...]) -> tuple[TransferRow, ...]:
    """Postings as the statement takes them."""
    return tuple(
        [
            TransferRow(seq, kind, debit, credit, amount.amount_fen, amount.currency)
            for seq, kind, debit, credit, amount in transfers
        ]
    )


def _captured(payment: Payment, fee: Fee, report: TradeReport, vault: Vault) -> OutcomeRow:
    return OutcomeRow(
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        event=Event.CAPTURED,
        from_states=sources(Event.CAPTURED),
        to_status=target(Event.CAPTURED),
        seq=payment.attempt_seq,
        attempt_state="captured",
        channel_trade_no=report.channel_trade_no,
        channel_code=report.channel_code,
        failure_code=None,
        payer_paid=report.payer_paid_fen,
        payer_hash=None if report.payer_id is None else vault.keyed_hash(report.payer_id.encode()),
        paid_at=report.paid_at,
        reversal=None,
        event_id=new_id("evt"),
        transfers=rows_of(_capture(payment, fee)),
    )


def _capture(payment: Payment, fee: Fee) -> tuple[postings.Transfer, ...]:
    """By the moment of the payment, not by the clock: whichever process books it, and when, the fee is the same."""
    assert payment.wallet is not None, "a wallet has paid"
    payable = payment.payable
    fee_fen = fee.fee_fen(payable.amount_fen, Wallet(payment.wallet), payment.created_at)
    funding = funding_of_promotions(payment) if payment.promotions else ()
    return postings.capture(
        payment.merchant_id, payment.account_id or "", payable, Money(fee_fen, payable.currency), funding
    )


def funding_of_promotions(payment: Payment) -> tuple[postings.Funder, ...]:
    """Who pays for the discount, and for the merchant's fee, in the order of the redemptions."""
    currency = payment.payable.currency
    funders: list[postings.Funder] = []
    for redemption in payment.promotions:
        of_fee = redemption.is_of_fee
        funders += [postings.Funder(sponsor, Money(fen, currency), of_fee) for sponsor, fen in redemption.funding]
    return tuple(funders)


def _over(
    payment: Payment,
    event: Event,
    attempt_state: str,
    *,
    failure: FailureCode | None = None,
    channel_code: str | None = None,
    transfers: tuple[postings.Transfer, ...] = (),
) -> OutcomeRow:
    return OutcomeRow(
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        event=event,
        from_states=sources(event),
        to_status=target(event),
        seq=payment.attempt_seq,
        attempt_state=attempt_state,
        channel_code=channel_code,
        failure_code=failure,
        reversal="succeeded" if event is Event.REVERSED and payment.reversal else None,
        event_id=new_id("evt"),
        transfers=rows_of(transfers),
    )
