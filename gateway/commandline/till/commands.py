"""The commands of a till: `mashang pay`, `mashang refund`, `mashang payment show` and `mashang payment cancel`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote as escaped

from gateway.client import Client, Payment
from gateway.client.objects import Wallet
from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.connection import Target, connected
from gateway.commandline.till.shown import print_json, say, show, show_code
from gateway.devstack.demo import auth_code as new_auth_code
from gateway.devstack.options import DEFAULT_STATE
from gateway.devstack.screen import program
from gateway.kernel.ids import new_ulid
from gateway.processes.errors import StackError


@dataclass(frozen=True, slots=True)
class PayOrder:
    """What to pay; None where any new value will do.  With `shows_code` the customer scans (any wallet without one)."""

    amount_fen: int
    auth_code: str | None
    order_no: str | None
    shows_code: bool = False
    wallet: Wallet | None = None
    sale: Mapping[str, Any] = field(default_factory=dict)
    """What discounts look at: `store_id`, `customer` and `coupons`, as Client.pay takes them."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What to give back: the payment by its id or its order number, all that is left of it without an amount."""

    payment: str
    amount_fen: int | None
    refund_no: str | None
    reason: str | None


def pay(order: PayOrder, target: Target, *, as_json: bool, wait_s: float) -> bool:
    """Take the payment and print it; False when it did not succeed.  A code is shown and waited for."""
    number = order.order_no or f"PAY-{new_ulid()}"
    with connected(target) as client:
        if order.shows_code:
            payment = client.pay(merchant_order_no=number, amount=order.amount_fen, wallet=order.wallet, **order.sale)
            if payment["qr_code"] is not None and not as_json:
                show_code(payment["qr_code"])
                say(_how_to_scan(payment["qr_code"], order.wallet, target))
            payment = client.await_payment(payment["id"], wait_s)
        else:
            code = order.auth_code or new_auth_code("wechat")
            payment = client.pay(merchant_order_no=number, amount=order.amount_fen, auth_code=code, **order.sale)
    show(payment, as_json=as_json)
    if not as_json:
        _say_what_is_open(payment)
    return payment["status"] == "succeeded"


def refund(order: RefundOrder, target: Target, *, as_json: bool) -> bool:
    """Refund and print the refund; False when it failed.  One that the channel takes later is pending: no failure."""
    with connected(target) as client:
        payment = _find(client, order.payment)
        left = payment["amount"] - payment["amount_refunded"]
        if order.amount_fen is None and not left:
            raise StackError("All of this payment has been refunded already.")
        made = client.refund(
            payment_id=payment["id"],
            amount=left if order.amount_fen is None else order.amount_fen,
            merchant_refund_no=order.refund_no or f"REF-{new_ulid()}",
            reason=order.reason,
        )
    show(made, as_json=as_json)
    if made["status"] == "pending" and not as_json:
        say(f"It goes on by itself, when the channel takes it. See: {program()} payment show {made['payment_id']}")
    return made["status"] != "failed"


def show_payment(payment: str, target: Target, *, refresh: bool, as_json: bool) -> None:
    """Print a payment, by its id or its order number, and its refunds."""
    with connected(target) as client:
        found = _find(client, payment, refresh=refresh)
        refunds = [] if as_json else client.refunds(payment_id=found["id"])["data"]
    show(found, as_json=as_json)
    for made in refunds:
        show(made, as_json=False)


def show_any_payment(payment_id: str, target: AdminTarget, *, as_json: bool) -> None:
    """Print any merchant's payment by its id, as operators see it: with each attempt, and its refunds."""
    if not payment_id.startswith("pay_"):
        raise StackError("An order number is one merchant's: name its key (--key), or the payment's id.")
    found = call_admin(target, "GET", f"/admin/v1/payments/{escaped(payment_id, safe='')}")
    if as_json:
        print_json(found)
        return
    attempts = [_attempt(each) for each in found.pop("attempts")]
    refunds = found.pop("refunds")
    found.pop("pricing")  # `payment why` prints it
    show({**found, "attempts": "\n".join(attempts) or None}, as_json=False)
    for made in refunds:
        show(made, as_json=False)


def _attempt(attempt: Mapping[str, Any]) -> str:
    code = f" ({attempt['channel_code']})" if attempt["channel_code"] else ""
    return f"{attempt['seq']}: {attempt['channel']} {attempt['order_no']}, {attempt['state']}{code}"


def cancel(payment: str, target: Target, *, as_json: bool) -> bool:
    """Cancel a payment and print it; False where it was not (yet) reversed or closed."""
    with connected(target) as client:
        found = client.cancel(_find(client, payment)["id"])
    show(found, as_json=as_json)
    return found["status"] in {"reversed", "closed", "failed"}


def _find(client: Client, wanted: str, *, refresh: bool = False) -> Payment:
    if wanted.startswith("pay_"):
        return client.payment(wanted, refresh=refresh)
    found = client.payments(merchant_order_no=wanted)["data"]
    if not found:
        raise StackError(f"There is no payment with the order number {wanted}.")
    return client.payment(found[0]["id"], refresh=refresh) if refresh else found[0]


def _how_to_scan(content: str, wallet: Wallet | None, target: Target) -> str:
    """Nobody can scan a simulated wallet's code with a telephone."""
    if target.url is not None:
        return "Waiting for the customer …"
    if wallet is None:
        return "As the customer: open it in a browser, which plays a wallet.  Waiting …"
    stack = "" if target.state == DEFAULT_STATE.absolute() else f" --state {target.state}"
    return f"As the customer, in another terminal: {program()} scan{stack} '{content}'  Waiting …"


def _say_what_is_open(payment: Payment) -> None:
    if payment["status"] in {"processing", "requires_action"}:
        say(
            f"Not decided yet. See: {program()} payment show {payment['id']}, "
            f"or give it up: {program()} payment cancel {payment['id']}"
        )
