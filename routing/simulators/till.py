"""What every simulated wallet does with its books when money is taken, taken back, or given back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from routing.simulators.acts import Act, RefundOutcome, Refusal
from routing.simulators.books import Books, GivenBack, Refund, Status, Trade, digest_of, due_ms_after


@dataclass(frozen=True, slots=True)
class Sale:
    """A bar code payment to be taken; `fingerprint` covers the parameters that a repetition must share."""

    merchant: str
    order_no: str
    amount_fen: int
    auth_code: str
    fingerprint: int
    details: str
    txn_time: str = ""
    notify_url: str = ""
    wallet: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """The trade behind a payment request; `same` is false where its number belongs to another request."""

    trade: Trade
    same: bool


def payer_of(auth_code: str) -> str:
    """An opaque payer, the same for all codes that share their third to tenth digit."""
    return hashlib.blake2b(auth_code[2:10].encode(), digest_size=12).hexdigest()


def take(books: Books, sale: Sale, act: Act, settles_after_s: float = 0.0) -> Taken:
    """Take a payment once.

    The same request again finds the same trade, and brings along one that was still on its way.
    """
    trade = books.find_underway(sale.merchant, sale.order_no, sale.txn_time)
    if trade is not None:
        if trade.visible_ms is not None:
            trade.visible_ms = None
            trade.become(Status.CAPTURED, books.now_ms())
            books.save(trade)
        return Taken(trade, same=trade.fingerprint == sale.fingerprint)
    return Taken(_open_trade(books, sale, act, settles_after_s), same=True)


def _open_trade(books: Books, sale: Sale, act: Act, settles_after_s: float) -> Trade:
    now_ms, code_key = books.now_ms(), digest_of(sale.auth_code)
    trade = Trade(
        seq=books.next_trade_seq(),
        merchant=sale.merchant,
        order_no=sale.order_no,
        txn_time=sale.txn_time,
        fingerprint=sale.fingerprint,
        amount_fen=max(1, sale.amount_fen + act.amount_delta_fen),
        status=Status.PENDING,
        created_ms=now_ms,
        code_key=code_key,
        code_tail=sale.auth_code[-4:],
        payer=payer_of(sale.auth_code),
        details=sale.details,
        notify_url=sale.notify_url,
        wallet=sale.wallet,
    )
    refusal = Refusal.CODE_USED if books.code_used(code_key) else act.refusal
    if act.appears_after_s is not None and refusal is None:
        trade.visible_ms = trade.due_ms = due_ms_after(now_ms, act.appears_after_s)
        trade.due_status = Status.CAPTURED
    elif act.pin_answered_after_s is not None and refusal is None:
        trade.due_ms = due_ms_after(now_ms, act.pin_answered_after_s)
        trade.due_status = Status.REFUSED if act.pin_refused else Status.CAPTURED
        trade.due_reason = Refusal.CUSTOMER_CANCELLED if act.pin_refused else None
    elif settles_after_s and refusal not in (Refusal.CODE_USED, Refusal.CODE_EXPIRED):
        trade.due_ms = due_ms_after(now_ms, settles_after_s)
        trade.due_status, trade.due_reason = Status.REFUSED if refusal else Status.CAPTURED, refusal
    else:
        trade.become(Status.REFUSED if refusal else Status.CAPTURED, now_ms, refusal)
    books.add(trade)
    return trade


def undo(books: Books, trade: Trade, kind: GivenBack, refund_no: str, scope: str = "") -> None:
    """Shut an order: an unpaid one is reversed, a paid one gives back what is left, with a refund in the books."""
    if trade.status == Status.CAPTURED:
        books.add_refund(trade, refund_no, trade.left_fen, kind=kind, scope=scope, settles_ms=books.now_ms())
    elif trade.status in (Status.PENDING, Status.OPEN):
        trade.become(Status.REVERSED, books.now_ms(), kind)
        books.save(trade)


class RefundVerdict(StrEnum):
    """What becomes of a request for a refund."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    DIFFERENT = "different"
    """The refund number belongs to another order or amount."""
    NOT_PAID = "not_paid"
    TOO_MUCH = "too_much"
    TOO_SOON = "too_soon"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class RefundRules:
    """A channel's limits on refunds of one order."""

    interval_s: float
    count_max: int
    settles_after_s: float


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A refund to be made."""

    refund_no: str
    amount_fen: int
    kind: GivenBack = GivenBack.REFUND
    scope: str = ""
    outcome: RefundOutcome = RefundOutcome.SUCCEEDED
    notify_url: str = ""
    details: str = "{}"


def give_back(books: Books, trade: Trade, wanted: GiveBack, rules: RefundRules) -> tuple[RefundVerdict, Refund | None]:
    """Refund once per refund number, never more than was captured."""
    earlier = books.find_refund(trade.merchant, wanted.refund_no, wanted.scope)
    if earlier is not None:
        same = (
            earlier.trade_seq == trade.seq and earlier.amount_fen == wanted.amount_fen and earlier.kind == wanted.kind
        )
        return (RefundVerdict.REPEATED if same else RefundVerdict.DIFFERENT), earlier
    now_ms = books.now_ms()
    if trade.captured_ms is None or trade.status == Status.REVERSED:
        return RefundVerdict.NOT_PAID, None
    if wanted.amount_fen > trade.left_fen:
        return RefundVerdict.TOO_MUCH, None
    if trade.last_refund_ms is not None and now_ms - trade.last_refund_ms < rules.interval_s * 1_000:
        return RefundVerdict.TOO_SOON, None
    if trade.refund_count >= rules.count_max:
        return RefundVerdict.TOO_MANY, None
    settles_ms = now_ms + round(rules.settles_after_s * 1_000)
    refund = books.add_refund(
        trade,
        wanted.refund_no,
        wanted.amount_fen,
        kind=wanted.kind,
        scope=wanted.scope,
        settles_ms=settles_ms,
        outcome=wanted.outcome,
        notify_url=wanted.notify_url,
        details=wanted.details,
    )
    return RefundVerdict.ACCEPTED, refund
