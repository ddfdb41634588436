"""What the audit reads, as values.  Named tuples, because a run makes tens of millions of them straight from rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NamedTuple

import orjson

from gateway.payments.numbers import refund_order_no
from gateway.payments.states import Event
from gateway.refunds.refund import Share
from gateway.reviews.review import BY_HAND, Verdict
from routing.accounts.fees import Fee
from routing.channels.wire import SHOWN_AT_LEAST

LAST: Final = "\U0010ffff"
"""Sorts behind every id, in PostgreSQL's byte order as in SQLite's."""


class PaymentRow(NamedTuple):
    """A payment; `order_owner` is the payment to which its order number leads."""

    id: str
    merchant_id: str
    merchant_order_no: str
    status: str
    version: int
    amount: int
    payable: int
    currency: str
    method: str
    wallet: str | None
    attempt_seq: int
    reversal: str | None
    review: str | None
    amount_refunded: int
    refund_held: int
    late_captures: int
    created_at: datetime
    expires_at: datetime
    order_owner: str | None
    customer: bytes | None
    promoted: bool


class AttemptRow(NamedTuple):
    """One order at one channel."""

    payment_id: str
    merchant_id: str
    seq: int
    account_id: str
    state: str
    created_at: datetime
    pay_until: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether its order may still be paid, as far as we know."""
        return self.state == "open"

    @property
    def payable_until(self) -> datetime | None:
        """Until then its channel takes money: an order has a minute at least.  None for a bar code."""
        return None if self.pay_until is None else max(self.pay_until, self.created_at + SHOWN_AT_LEAST)


class CallbackRow(NamedTuple):
    """A notification that was taken in; `settled_at` says that a person has looked at its result."""

    payment_id: str
    account_id: str
    notification_id: str
    order_no: str
    refund_no: str | None
    received_at: datetime
    result: str | None
    applied_at: datetime | None
    settled_at: datetime | None


class EventRow(NamedTuple):
    """A step of a payment's history."""

    payment_id: str
    merchant_id: str
    seq: int
    type: str
    from_status: str | None
    to_status: str
    at: datetime
    refund_id: str | None


class TransferRow(NamedTuple):
    """A posting."""

    payment_id: str
    merchant_id: str
    seq: int
    kind: str
    debit: str
    credit: str
    amount: int
    currency: str
    booked_at: datetime


class LateRow(NamedTuple):
    """Money that arrived for a payment that was over."""

    payment_id: str
    merchant_id: str
    attempt_seq: int
    account_id: str
    amount: int
    status: str
    found_at: datetime
    refunded_at: datetime | None


class RefundRow(NamedTuple):
    """A refund as we have it; `number_owner` is the refund to which its number leads."""

    payment_id: str
    merchant_id: str
    id: str
    seq: int
    attempt_seq: int
    account_id: str
    merchant_refund_no: str
    amount: int
    customer: int
    discount: int
    fee: int
    funding: str | None
    status: str
    review: str | None
    asked_at: datetime | None
    next_at: datetime
    completed_at: datetime | None
    number_owner: str | None

    @property
    def is_pending(self) -> bool:
        """Whether it has no end yet."""
        return self.status == "pending"

    @property
    def is_done(self) -> bool:
        """Whether the money went back."""
        return self.status == "succeeded"

    @property
    def wanted_back(self) -> list[int]:
        """The amounts that its channel should have given back: one, or none."""
        return [self.customer] if self.is_done and self.customer else []

    @property
    def refund_no(self) -> str:
        """The number under which its channel knows it."""
        return refund_order_no(self.payment_id, self.attempt_seq, self.seq)

    @property
    def shares(self) -> tuple[Share, ...]:
        """What goes back, by funder: of the discount, then of the fee."""
        return tuple([Share(**share) for share in orjson.loads(self.funding or "[]")])


class RedemptionRow(NamedTuple):
    """What a payment took of a campaign; `uses` are the counters that it counts in."""

    payment_id: str
    merchant_id: str
    seq: int
    campaign_id: str
    day: date
    slice: int | None
    discount: int
    fee_off: int
    funding: str
    uses: str | None
    coupon_id: str | None
    returns_budget: bool
    returns_limits: bool

    @property
    def taken(self) -> int:
        """What the budget gave."""
        return self.discount + self.fee_off

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Who pays, and how much."""
        return [(part["sponsor"], part["amount"]) for part in orjson.loads(self.funding)]

    @property
    def counters(self) -> list[tuple[str, str, str]]:
        """Scope, key and day (as text) of each."""
        return [(scope, key, day) for scope, key, day in orjson.loads(self.uses or "[]")]


class Took(NamedTuple):
    """What a redemption counts for in its slice, as things stand: nothing where its payment came to nothing."""

    campaign_id: str
    day: str
    slice: int
    fen: int
    number: int


class Used(NamedTuple):
    """What a redemption counts for in one of its counters."""

    key: str
    campaign_id: str
    scope: str
    day: str
    fen: int
    number: int


class TaskRow(NamedTuple):
    """What a worker still has to do; `leased` says that one is at it."""

    payment_id: str
    merchant_id: str
    purpose: str
    next_at: datetime
    created_at: datetime
    leased: bool


class VerdictRow(NamedTuple):
    """What a person decided about the payment, a refund of it, or a late capture."""

    payment_id: str
    kind: str
    refund_id: str | None
    attempt_seq: int | None
    verdict: str


class AccountRow(NamedTuple):
    """A channel account; what it charges is known to have held since `updated_at`."""

    id: str
    channel: str
    fee: Fee
    updated_at: datetime


class Trade(NamedTuple):
    """An order in a simulator's books."""

    order_no: str
    channel: str
    amount: int
    refunded: int
    status: str
    captured_at: str | None
    pay_until: str | None

    @property
    def captured(self) -> int:
        """What the customer paid, whether or not it was given back since."""
        return 0 if self.captured_at is None else self.amount

    @property
    def kept(self) -> int:
        """What the channel has of the customer's money now."""
        return self.captured - self.refunded


class Refund(NamedTuple):
    """Money given back, in a simulator's books."""

    order_no: str
    channel: str
    refund_no: str
    amount: int
    kind: str


class ClientAnswer(NamedTuple):
    """A payment as a client was told of it; `created` for the answer to the request that takes it (201)."""

    payment_id: str
    order_key: str
    merchant_order_no: str
    created: int
    status: str
    amount: int
    payable: int
    amount_refunded: int
    asked_amount: int | None
    request_digest: bytes | None
    line: int


class RefundAnswer(NamedTuple):
    """A refund as a client was told of it."""

    payment_id: str
    refund_id: str
    status: str
    amount: int
    returned: int
    line: int


@dataclass(slots=True)
class Dossier:
    """A payment with everything that any book says of it."""

    payment: PaymentRow
    attempts: dict[int, AttemptRow] = field(default_factory=dict)
    events: list[EventRow] = field(default_factory=list)
    transfers: list[TransferRow] = field(default_factory=list)
    lates: dict[int, LateRow] = field(default_factory=dict)
    tasks: dict[str, TaskRow] = field(default_factory=dict)
    trades: list[tuple[int, Trade]] = field(default_factory=list)
    """With the number of the attempt that each belongs to."""
    refunds: list[tuple[int, Refund]] = field(default_factory=list)
    """What the channels gave back; `refund_rows` are ours, by their number within the payment."""
    refund_rows: dict[int, RefundRow] = field(default_factory=dict)
    callbacks: list[CallbackRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    redemptions: list[RedemptionRow] = field(default_factory=list)
    """In the order in which they were applied."""
    answers: list[ClientAnswer] = field(default_factory=list)
    refund_answers: list[RefundAnswer] = field(default_factory=list)

    def trades_of(self, seq: int) -> list[Trade]:
        """The orders of one attempt: one, unless a channel knows its number twice."""
        return [trade for number, trade in self.trades if number == seq]

    @property
    def settled_by_hand(self) -> bool:
        """Whether a refund or a late capture rests on a person's word that the channel's books do not bear out."""
        refunds = {given.refund_id for given in self.verdicts if given.verdict in BY_HAND}
        return any(
            row.id in refunds and [refund.amount for refund in self.given_back(row)] != row.wanted_back
            for row in self.refund_rows.values()
        ) or any(trade.kept for seq in self.returned_by_hand for trade in self.trades_of(seq))

    @property
    def returned_by_hand(self) -> frozenset[int]:
        """The attempts whose late capture a person says to be back."""
        return frozenset([given.attempt_seq or 0 for given in self.verdicts if given.verdict == Verdict.MARK_RETURNED])

    @property
    def settled_at(self) -> datetime | None:
        """When a person decided last: from then on the gateway has the bound's time again."""
        return max([event.at for event in self.events if event.type == Event.REVIEW_SETTLED], default=None)

    def given_back(self, row: RefundRow) -> list[Refund]:
        """What its channel gave back for one of our refunds: one entry, unless it did so twice."""
        return [refund for _, refund in self.refunds if refund.refund_no == row.refund_no]
