"""The catalogue of checks: every comparison the audit makes, by name, with the sentence that must hold."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Check(StrEnum):
    """The name begins with the invariant of PRODUCT.md that the check belongs to."""

    ONE_CAPTURE = "I1.one_capture"
    UNKNOWN_TRADE = "I1.unknown_trade"
    SUCCEEDED_WITHOUT_CAPTURE = "I1.succeeded_without_capture"
    UNRETURNED_CAPTURE = "I1.unreturned_capture"
    AMOUNT = "I1.amount"
    CHANNEL = "I1.channel"
    LATE_CAPTURE = "I1.late_capture"
    ONE_OPEN_ATTEMPT = "I1.one_open_attempt"
    LEFT_ATTEMPT = "I1.left_attempt"
    STILL_PAYABLE = "I1.still_payable"
    ACKNOWLEDGED_LOST = "I2.acknowledged_lost"
    ACKNOWLEDGED_CHANGED = "I2.acknowledged_changed"
    WENT_BACK = "I2.went_back"
    REFUND_TOLD = "I2.refund_told"
    GAPLESS = "I3.gapless"
    TRANSITION = "I3.transition"
    STATUS = "I3.status"
    ORPHAN_ROW = "I3.orphan_row"
    REFUND_EVENTS = "I3.refund_events"
    VERDICTS = "I3.verdicts"
    DECISION = "I3.decision"
    CALLBACK_RESULT = "I3.callback"
    WEBHOOK_DELIVERY = "I3.webhook_delivery"
    WEBHOOK_MESSAGE = "I3.webhook_message"
    AMOUNT_REFUNDED = "I4.amount_refunded"
    REFUNDS_WITHIN_CAPTURE = "I4.refunds_within_capture"
    REFUNDS_KNOWN = "I4.refunds_known"
    REFUNDS_ADD_UP = "I4.refunds_add_up"
    REFUND_GIVEN_BACK = "I4.refund_given_back"
    REFUND_PARTS = "I4.refund_parts"
    DISCOUNT = "I4.discount"
    SLICES = "I4.slices"
    BUDGET = "I4.budget"
    USES = "I4.uses"
    LIMITS = "I4.limits"
    COUPON = "I4.coupon"
    COUPON_STOCK = "I4.coupon_stock"
    CUSTOMER = "I4.customer"
    ORDER_NUMBER = "I5.order_number"
    IDEMPOTENCY_KEY = "I5.idempotency_key"
    REFUND_NUMBER = "I5.refund_number"
    REFUND_KEY = "I5.refund_key"
    SAME_ORDER_SAME_PAYMENT = "I5.same_order_same_payment"
    DIFFERENT_REQUEST = "I5.different_request"
    CONFLICT_SHAPE = "I5.conflict_shape"
    OVERDUE = "I6.overdue"
    TASK = "I6.task"
    STALE_TASK = "I6.stale_task"
    OPEN_ATTEMPT = "I6.open_attempt"
    CALLBACK_APPLIED = "I6.callback"
    WEBHOOK_QUEUE = "I6.webhook_queue"
    POSTINGS = "I9.postings"
    FUNDING = "I9.funding"
    FEE = "I9.fee"
    DAYS = "I9.days"
    TOTALS = "I9.totals"


HOLDS: Final[dict[Check, str]] = {
    Check.ONE_CAPTURE: "a payment has at most one capture that is kept, over all channels",
    Check.UNKNOWN_TRADE: "every order at a simulator is an attempt of ours",
    Check.SUCCEEDED_WITHOUT_CAPTURE: "every succeeded payment was captured at its channel",
    Check.UNRETURNED_CAPTURE: "every capture that made no success was given back, or is being looked for",
    Check.AMOUNT: "the channel captured what was payable; another amount is under review",
    Check.CHANNEL: "an attempt's order is at the channel of the attempt's account",
    Check.LATE_CAPTURE: "late captures are what the channel captured, and returned where we say so",
    Check.ONE_OPEN_ATTEMPT: "a payment has at most one open attempt, its current one",
    Check.LEFT_ATTEMPT: "a payment left an account for another only where its order surely moved no money",
    Check.STILL_PAYABLE: "no order takes money past the end of its payment and its own time; until then it is watched",
    Check.ACKNOWLEDGED_LOST: "every payment that a client was told of exists",
    Check.ACKNOWLEDGED_CHANGED: "it has the amount, the payable and the order number that the client was told",
    Check.WENT_BACK: "it never went back to an earlier state than the client was told",
    Check.REFUND_TOLD: "every refund that a client was told of exists as it was told, and kept its end",
    Check.GAPLESS: "a payment's events are numbered from 1 to its version",
    Check.TRANSITION: "each event is legal where it happened and follows on the one before",
    Check.STATUS: "the events lead to the status",
    Check.ORPHAN_ROW: "every event, attempt, transfer, refund, late capture and task belongs to a payment",
    Check.REFUND_EVENTS: "each refund was taken once, and ended once where it has ended, as the events tell",
    Check.VERDICTS: "every verdict of a person has its event, and every such event its verdict",
    Check.DECISION: "a payment that was screened has its decision, agrees with it, and has its case where it is due",
    Check.CALLBACK_RESULT: "what became of a notification is what its payment shows",
    Check.WEBHOOK_DELIVERY: "whoever wants an event has its delivery, or it is in the outbox; a delivery has its event",
    Check.WEBHOOK_MESSAGE: "a message has its event's id, public type, sequence, time and status",
    Check.AMOUNT_REFUNDED: "what is refunded, and held for refunds, is the refunds' sum and no more than the amount",
    Check.REFUNDS_WITHIN_CAPTURE: "no more is given back at a channel than was captured",
    Check.REFUNDS_KNOWN: "what a channel gave back, and its refund numbers, are ours",
    Check.REFUNDS_ADD_UP: "the refunds in a simulator's books add up to what its orders say",
    Check.REFUND_GIVEN_BACK: "a channel gave back what succeeded as a refund, under its number, and nothing else",
    Check.REFUND_PARTS: "a refund's parts are the contract's formula, over the refunds before it that did not fail",
    Check.DISCOUNT: "a payment's discount is what it took of its campaigns, and each part of that has its funder",
    Check.SLICES: "what a slice of a campaign's day has given is what payments took that stand, less what came back",
    Check.BUDGET: "no campaign has granted or given more than its budget, in all and on each day; nor in number",
    Check.USES: "what a customer, device, store … took of a campaign is what the payments took that stand",
    Check.LIMITS: "nobody took more of a campaign than one of its versions allows",
    Check.COUPON: "a coupon was redeemed by one payment that stands, and each redemption by coupon has its coupon",
    Check.COUPON_STOCK: "of each campaign as many coupons are out as are counted, and no more than a version allows",
    Check.CUSTOMER: "what is known of a customer is what he paid and kept",
    Check.ORDER_NUMBER: "order numbers and payments are one to one",
    Check.IDEMPOTENCY_KEY: "every idempotency key leads to a payment of its merchant",
    Check.REFUND_NUMBER: "refund numbers and refunds are one to one",
    Check.REFUND_KEY: "every idempotency key of a refund leads to a refund of its merchant",
    Check.SAME_ORDER_SAME_PAYMENT: "the same order number was always answered with the same payment",
    Check.DIFFERENT_REQUEST: "no different request was accepted under an order number",
    Check.CONFLICT_SHAPE: "every 409 has the error shape of the contract",
    Check.OVERDUE: "nothing is unresolved for longer than the bound",
    Check.TASK: "whatever is unresolved has its recovery task",
    Check.STALE_TASK: "no recovery task is left for what is decided",
    Check.OPEN_ATTEMPT: "no attempt stays open once its payment is over, or past its own time and the bound",
    Check.CALLBACK_APPLIED: "a notification is applied within the bound, and one of an unknown order within a day",
    Check.WEBHOOK_QUEUE: "what is still to be sent stands in the queue, and nothing else",
    Check.POSTINGS: "a payment's postings are those of its state",
    Check.FUNDING: "who funds a discount or a fee in the ledger, and gets it back, is who the redemptions name",
    Check.FEE: "the fee lies within the payable, and is what its account's terms make it, if unchanged since",
    Check.DAYS: "per account and day, the postings of captures and returns are what the channel took and gave back",
    Check.TOTALS: "per account, the receivable before fees is what the channel keeps",
}

OF_CHANNELS: Final[frozenset[Check]] = frozenset(
    {
        Check.ONE_CAPTURE,
        Check.UNKNOWN_TRADE,
        Check.SUCCEEDED_WITHOUT_CAPTURE,
        Check.UNRETURNED_CAPTURE,
        Check.AMOUNT,
        Check.CHANNEL,
        Check.LATE_CAPTURE,
        Check.STILL_PAYABLE,
        Check.REFUNDS_WITHIN_CAPTURE,
        Check.REFUNDS_KNOWN,
        Check.REFUNDS_ADD_UP,
        Check.REFUND_GIVEN_BACK,
        Check.DAYS,
        Check.TOTALS,
    }
)
"""What only the channels' books can show: an audit of our own books compares none of it."""
HOLDS_OF_OWN: Final[Mapping[Check, str]] = HOLDS | {
    Check.LEFT_ATTEMPT: "by our own record, a payment left an account only where nothing was sent there or it refused",
    Check.POSTINGS: "a payment's postings are those of its state (whether the channel moved the money is not asked)",
    **dict.fromkeys(OF_CHANNELS, "not compared: only the channels' books could show it"),
}
"""The sentences as they hold where our own books were compared alone."""
