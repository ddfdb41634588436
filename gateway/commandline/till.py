"""The commands of a till: `mashang pay`, `mashang refund`, `mashang payment show` and `mashang payment cancel`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import segno
from rich.console import Console
from rich.table import Table

from gateway.client import Client, Payment, Refund
from gateway.client.objects import Wallet
from gateway.commandline.connection import Target, connected
from gateway.devstack.demo import auth_code as new_auth_code
from gateway.devstack.screen import yuan
from gateway.kernel.ids import new_ulid
from gateway.processes.errors import StackError

_AMOUNTS: Final = frozenset(
    {
        "amount",
        "discount",
        "payable",
        "amount_refunded",
        "returned_to_customer",
        "discount_returned",
        "fee_returned",
    }
)


@dataclass(frozen=True, slots=True)
class PayOrder:
    """What to pay; None where any new value will do.  With `shows_code` the customer scans (any wallet without one)."""

    amount_fen: int
    auth_code: str | None
    order_no: str | None
    shows_code: bool = False
    wallet: Wallet | None = None


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
            payment = client.pay(merchant_order_no=number, amount=order.amount_fen, wallet=order.wallet)
            if payment["qr_code"] is not None and not as_json:
                _show_code(payment["qr_code"])
            payment = client.await_payment(payment["id"], wait_s)
        else:
            code = order.auth_code or new_auth_code("wechat")
            payment = client.pay(merchant_order_no=number, amount=order.amount_fen, auth_code=code)
    _print(payment, as_json=as_json)
    return payment["status"] == "succeeded"


def refund(order: RefundOrder, target: Target, *, as_json: bool) -> bool:
    """Refund and print the refund; False when it failed.  One that the channel takes later is pending: no failure."""
    with connected(target) as client:
        payment = _find(client, order.payment)
        left = payment["amount"] - payment["amount_refunded"]
        made: Refund = client.refund(
            payment_id=payment["id"],
            amount=left if order.amount_fen is None else order.amount_fen,
            merchant_refund_no=order.refund_no or f"REF-{new_ulid()}",
            reason=order.reason,
        )
    _print(made, as_json=as_json)
    return made["status"] != "failed"


def show(payment: str, target: Target, *, refresh: bool, as_json: bool) -> None:
    """Print a payment, by its id or its order number, and its refunds."""
    with connected(target) as client:
        found = _find(client, payment, refresh=refresh)
        refunds = client.refunds(payment_id=found["id"])["data"] if found["amount_refunded"] else []
    _print(found, as_json=as_json)
    for made in refunds if not as_json else ():
        _print(made, as_json=False)


def cancel(payment: str, target: Target, *, as_json: bool) -> bool:
    """Cancel a payment and print it; False where it was not (yet) reversed or closed."""
    with connected(target) as client:
        found = client.cancel(_find(client, payment)["id"])
    _print(found, as_json=as_json)
    return found["status"] in {"reversed", "closed", "failed"}


def _find(client: Client, wanted: str, *, refresh: bool = False) -> Payment:
    if wanted.startswith("pay_"):
        return client.payment(wanted, refresh=refresh)
    found = client.payments(merchant_order_no=wanted)["data"]
    if not found:
        raise StackError(f"There is no payment with the order number {wanted}.")
    return client.payment(found[0]["id"], refresh=refresh) if refresh else found[0]


def _show_code(content: str) -> None:
    """The code as blocks of the terminal, where it is one; its content in any case."""
    console = Console()
    if console.is_terminal:
        segno.make(content, error="m").terminal(compact=True, border=2)
    console.print(f"Scan and pay: {content}", markup=False, soft_wrap=True)


def _print(found: Mapping[str, Any] | Payment | Refund, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    table = Table(show_header=False)
    for name, value in found.items():
        table.add_row(name, _shown(name, value))
    Console().print(table)


def _shown(name: str, value: object) -> str:
    if name in _AMOUNTS and isinstance(value, int):
        return yuan(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
