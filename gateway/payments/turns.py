"""Whose turn a payment is: the sale as routing sees it, the account that is asked now, and how long that may take."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from gateway.kernel.clock import Deadline
from gateway.kernel.values import value
from gateway.payments.payment import Payment, PaymentOrder
from gateway.settings import Settings
from routing.accounts.book import Account
from routing.channels.base import Wallet
from routing.choice import Choice
from routing.sale import NO_ACCOUNTS, Method, Prices, Sale

_ZONES_MAX: Final = 1_024


@value
class Route:
    """What an order is routed by: the sale, its prices, and what the router chose first.

    `strangers` are accounts where the payment would take something else of campaigns.
    """

    sale: Sale
    prices: Prices
    choice: Choice
    strangers: frozenset[str] = NO_ACCOUNTS


@value
class Turn:
    """One attempt that is durable: its payment and account, and the moment after which nothing may leave (monotonic).

    `tried` are the accounts that were asked for this payment, this one included.
    """

    payment: Payment
    account: Account
    send_before: float
    route: Route
    tried: frozenset[str]


@value
class Budget:
    """Seconds from now: until when an attempt may leave, and when a worker takes it over from a process that died."""

    send_within_s: float
    recover_after_s: float

    @classmethod
    def of(cls, settings: Settings, method: str, deadline: Deadline) -> Budget:
        """A code is asked for as long as this process is at work on it; a bar code is charged soon or not at all."""
        at_work_s = max(deadline.left_s, settings.channel_timeout_s)
        send_within_s = settings.send_within_s if method == "barcode" else at_work_s
        return cls(send_within_s, at_work_s + settings.take_over_after_s)


def sale_of(order: PaymentOrder, payment_id: str, wallet: Wallet) -> Sale:
    """The sale of an order for one wallet, now."""
    request = order.request
    return Sale(
        seed=payment_id,
        merchant_id=order.merchant_id,
        amount_fen=request.amount,
        wallet=wallet,
        method=Method.BARCODE if request.method == "barcode" else Method.QRCODE,
        at=datetime.now(zone(order.timezone)),
        store_id=request.store_id,
        terminal_id=request.terminal_id,
        operator_id=request.operator_id,
        card_bin=None if request.customer is None else request.customer.card_bin,
        is_static_code=order.code_id is not None,
    )


def sale_on_page(payment: Payment, wallet: Wallet, timezone: str) -> Sale:
    """The sale of a code that any wallet can pay, for the wallet that a customer opened its page in, now."""
    return Sale(
        seed=payment.id,
        merchant_id=payment.merchant_id,
        amount_fen=payment.amount.amount_fen,
        wallet=wallet,
        method=Method.PAGE,
        at=datetime.now(zone(timezone)),
        store_id=payment.store_id,
        terminal_id=payment.terminal_id,
        operator_id=payment.operator_id,
        is_static_code=payment.code_id is not None,
    )


@lru_cache(_ZONES_MAX)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name; merchants' are checked when they are made."""
    return ZoneInfo(name)
