"""The transactions of refunds: how one comes to be, and how it ends.  Each holds the lock of its payment's row.

So the refunds of a payment are taken one after another, and together never exceed it, whoever asks for them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import orjson

from gateway.database.pool import Connection
from gateway.kernel.errors import Unavailable, not_found
from gateway.kernel.ids import new_id
from gateway.kernel.money import Currency, Money
from gateway.ledger import postings
from gateway.ledger.postings import Funder, Transfer
from gateway.payments.states import Status
from gateway.refunds import redeeming, rules
from gateway.refunds.redeeming import GivenBack
from gateway.refunds.refund import Refund, RefundOrder, RefundStatus, Share
from gateway.refunds.rules import Original
from gateway.refunds.split import Paid, Parts, split, together
from gateway.refunds.steps import End, Verdict
from gateway.refunds.store import SQL, refund_of_row, refunds_of
from routing.accounts.book import AccountBook

_NO_POSTINGS: Final[list[list[object]]] = [[] for _ in range(6)]


class NumberTaken(Exception):
    """The merchant's refund number, or the idempotency key, belongs to another refund: nothing was written."""


class Committed(NamedTuple):
    """A refund as the transaction left it, the wallet of its payment, and what went back to campaigns."""

    refund: Refund
    wallet: str
    given_back: tuple[GivenBack, ...] = ()


async def create(connection: Connection, order: RefundOrder, refund_id: str, accounts: AccountBook) -> Committed:
    """Take a refund; one that gives nothing back to the customer is done at once.

    Raises NumberTaken; Conflict where the payment or its channel takes no such refund, and the 404 of the payment;
    Unavailable where the channel account is away.
    """
    request = order.request
    async with connection.transaction():
        original = await _lock(connection, request.payment_id, order.merchant_id)
        if original is None:
            raise not_found("payment", "payment_id")
        await _bind(connection, order, refund_id)
        rules.must_be_refundable(original, request.amount)
        refunds = await refunds_of(connection, original.id, original.merchant_id)
        booked = await _booked(connection, original)
        parts = _parts(original, booked, refunds, request.amount)
        due = original.now
        if parts.customer:
            account = accounts.get(original.account_id or "")
            if account is None:
                raise Unavailable("account_away", "The channel account of this payment is away.", retry_after_s=30)
            due = rules.due_at(original, refunds, account.channel.refund_rules)
        plan = _Plan(parts, await _shares(connection, original, booked, parts), due)
        await _insert(connection, order, refund_id, original, plan)
        refund, given_back = await _reread(connection, refund_id, original.merchant_id), None
        if parts.customer:
            await connection.execute(SQL["add_task"], original.id, original.merchant_id, due)
        else:
            given_back = await _complete(connection, refund, Verdict(End.SUCCEEDED))
            refund = await _reread(connection, refund_id, original.merchant_id)
    return Committed(refund, original.wallet or "none", given_back or ())


async def complete(connection: Connection, refund: Refund, verdict: Verdict) -> Committed | None:
    """Commit the end of a refund with its event and its postings; None where it has ended before."""
    async with connection.transaction():
        original = await _lock(connection, refund.payment_id, refund.merchant_id)
        assert original is not None, "a refund has its payment"
        given_back = await _complete(connection, refund, verdict)
        if given_back is None:
            return None
        ended = await _reread(connection, refund.id, refund.merchant_id)
        return Committed(ended, original.wallet or "none", given_back)


async def note(connection: Connection, refund: Refund, verdict: Verdict) -> Refund:
    """Write down what an answer tells of a refund without ending it; nothing where it has ended since it was read."""
    is_pending = refund.status is RefundStatus.PENDING
    await connection.execute(
        SQL["note"], refund.id, refund.merchant_id, verdict.channel_refund_no, verdict.review, is_pending
    )
    return await _reread(connection, refund.id, refund.merchant_id)


async def wake(connection: Connection, refund: Refund) -> None:
    """Have a pending refund looked at now."""
    async with connection.transaction():
        original = await _lock(connection, refund.payment_id, refund.merchant_id)
        assert original is not None, "a refund has its payment"
        if await connection.execute(SQL["wake"], refund.id, refund.merchant_id) == "UPDATE 1":
            await connection.execute(SQL["add_task"], refund.payment_id, refund.merchant_id, original.now)


async def next_due(connection: Connection, payment_id: str, merchant_id: str) -> datetime | None:
    """When the next pending refund of a payment is to be looked at; to be called inside a transaction.

    Under the lock that it takes, a refund that is just being taken either is seen here or has yet to order its task.
    """
    await _lock(connection, payment_id, merchant_id)
    found: datetime | None = await connection.fetchval(SQL["next_due"], payment_id)
    return found


async def _lock(connection: Connection, payment_id: str, merchant_id: str) -> Original | None:
    record = await connection.fetchrow(SQL["lock"], payment_id, merchant_id)
    if record is None:
        return None
    values = dict(record) | {"status": Status(record["status"]), "currency": Currency(record["currency"])}
    return Original(**values)


async def _bind(connection: Connection, order: RefundOrder, refund_id: str) -> None:
    """Take the number and the key.  Raises NumberTaken, which rolls back."""
    merchant_id, number = order.merchant_id, order.request.merchant_refund_no
    if await connection.fetchval(SQL["bind_number"], merchant_id, number, refund_id) is None:
        raise NumberTaken
    key = order.idempotency_key
    if key is not None and await connection.fetchval(SQL["bind_key"], merchant_id, key, refund_id) is None:
        raise NumberTaken


async def _booked(connection: Connection, original: Original) -> tuple[Transfer, ...]:
    records = await connection.fetch(SQL["booked"], original.id, original.merchant_id)
    return tuple(
        [
            Transfer(seq, kind, debit, credit, Money(amount, Currency(currency)))
            for seq, kind, debit, credit, amount, currency in records
        ]
    )


def _parts(original: Original, booked: Sequence[Transfer], refunds: Sequence[Refund], goods: int) -> Parts:
    funding = tuple([funder.amount.amount_fen for funder in postings.funding_of(booked)])
    fee_funding = tuple([funder.amount.amount_fen for funder in postings.fee_funding_of(booked)])
    paid = Paid(original.amount, original.payable, postings.fee_of(booked), funding, fee_funding)
    live = [refund.parts for refund in refunds if refund.status is not RefundStatus.FAILED]
    return split(paid, together(live, len(funding), len(fee_funding)), goods)


async def _shares(
    connection: Connection, original: Original, booked: Sequence[Transfer], parts: Parts
) -> Sequence[Share]:
    """Each funder's part, with the campaign whose budget it was: funders are booked in the order of the redemptions."""
    funders = (*postings.funding_of(booked), *postings.fee_funding_of(booked))
    if not funders:
        return ()
    redemptions = await redeeming.redemptions_of(connection, original.id, original.merchant_id)
    campaigns = redeeming.campaigns_of_funders(redemptions) or [None] * len(funders)
    amounts = (*parts.funding, *parts.fee_funding)
    return [
        Share(funder.sponsor, amount, campaign_id, funder.of_fee)
        for funder, amount, campaign_id in zip(funders, amounts, campaigns, strict=True)
    ]


class _Plan(NamedTuple):
    """What is decided about a refund: its parts, its funders' parts by name, and when it may go out."""

    parts: Parts
    shares: Sequence[Share]
    due: datetime


async def _insert(connection: Connection, order: RefundOrder, refund_id: str, original: Original, plan: _Plan) -> None:
    request, (parts, shares, due) = order.request, plan
    await connection.execute(
        SQL["create"],
        refund_id,
        original.id,
        original.merchant_id,
        original.refund_count + 1,
        request.merchant_refund_no,
        request.amount,
        original.attempt_seq,
        original.account_id or "",
        parts.customer,
        parts.discount,
        parts.fee,
        orjson.dumps([share._asdict() for share in shares]).decode() if shares else None,
        original.currency,
        request.reason,
        request.store_id,
        request.terminal_id,
        request.operator_id,
        orjson.dumps(request.metadata).decode() if request.metadata else None,
        due,
        original.now,
    )


async def _reread(connection: Connection, refund_id: str, merchant_id: str) -> Refund:
    record = await connection.fetchrow(SQL["find"], refund_id, merchant_id)
    assert record is not None
    return refund_of_row(record)


async def _complete(connection: Connection, refund: Refund, verdict: Verdict) -> tuple[GivenBack, ...] | None:
    """What went back to campaigns; None where the refund has ended before."""
    transfers = _postings(refund) if verdict.end is End.SUCCEEDED else ()
    rows = [(row[0], row[1], row[2], row[3], row[4].amount_fen, row[4].currency) for row in transfers]
    ended = await connection.fetchrow(
        SQL["complete"],
        refund.id,
        refund.merchant_id,
        verdict.end,
        verdict.channel_refund_no,
        verdict.failure,
        verdict.channel_code,
        new_id("evt"),
        *(zip(*rows, strict=True) if rows else _NO_POSTINGS),
    )
    if ended is None:
        return None
    if not ended["promoted"] or verdict.end is not End.SUCCEEDED:
        return ()
    return await redeeming.return_redemptions(connection, refund, is_full=ended["is_full"])


def _postings(refund: Refund) -> tuple[Transfer, ...]:
    currency = refund.currency
    return postings.refund(
        refund.merchant_id,
        refund.account_id,
        refund.seq,
        customer=Money(refund.returned_to_customer, currency),
        fee=Money(refund.fee_returned, currency),
        funding=[Funder(share.sponsor, Money(share.amount, currency), share.of_fee) for share in refund.funding],
    )
