"""What happens when a customer taps "pay": the payment (at a static code, a new one), then the wallet's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.codes.sales import order_no_of_sale
from gateway.codes.targets import Target
from gateway.codes.visits import Visitor
from gateway.http.services import Services
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import InvalidRequest
from gateway.kernel.failures import FAILURES
from gateway.payments.attempts import OtherWalletOpen, Over, Paid, Ready, Refused, Visit
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.schemas import PaymentRequest
from gateway.payments.states import Status
from routing.accounts import Account

_PATIENCE_S: Final = 9.0
_EXPIRES_IN_S: Final = 300


@dataclass(frozen=True, slots=True)
class Visiting:
    """An identified payer before a target; the account is the one that identified him."""

    target: Target
    visitor: Visitor
    account: Account
    client_ip: str


async def pay(services: Services, visiting: Visiting, *, amount_fen: int | None, sale: str | None) -> dict[str, Any]:
    """Take the payment over for this payer.  Raises ApiError for a wrong amount or sale."""
    deadline = Deadline.after(_PATIENCE_S)
    target = visiting.target
    payment = target.payment or await _begin(services, target, deadline, amount_fen=amount_fen, sale=sale)
    visitor, public_url = visiting.visitor, services.settings.public_url
    visit = Visit(
        account=visiting.account,
        wallet=visitor.wallet,
        payer_id=visitor.payer_id,
        description=target.title,
        return_url=f"{public_url}/q/{target.token}" + (f"?sale={sale}" if target.code is not None else ""),
        client_ip=visiting.client_ip,
        app_identifier=visitor.app_identifier,
    )
    match await services.attempts.take_over(payment, visit, deadline):
        case Ready(payment=found, page=page):
            return {
                "status": "ready",
                "bridge": dict(page.bridge),
                "bridge_url": page.bridge_url or None,
                "pay_url": page.pay_url,
                **_amounts(found),
            }
        case Paid(payment=found):
            return {"status": "paid", **_amounts(found)}
        case OtherWalletOpen(retry_after_s=retry_after_s):
            return {"status": "busy", "retry_after_s": retry_after_s}
        case Refused(failure=failure):
            return {"status": "refused", "failure": failure, "message": FAILURES[failure].message}
        case Over(payment=found):
            return {"status": "over", **_amounts(found)}


def public_state(target: Target, payment: Payment | None) -> dict[str, Any]:
    """How a payment stands, as far as whoever holds its code may know."""
    if payment is None:
        return {"status": "open", "amount": target.amount_fen, "discount": 0, "payable": target.amount_fen}
    return {"status": _status(payment), **_amounts(payment)}


def _status(payment: Payment) -> str:
    if payment.status is Status.SUCCEEDED and payment.reversal != "pending":
        return "paid"
    return "over" if payment.status.is_final or payment.reversal is not None else "open"


def _amounts(payment: Payment) -> dict[str, int]:
    amount, payable = payment.amount.amount_fen, payment.payable.amount_fen
    return {"amount": amount, "discount": amount - payable, "payable": payable}


async def _begin(
    services: Services, target: Target, deadline: Deadline, *, amount_fen: int | None, sale: str | None
) -> Payment:
    """The payment of a sale at a static code; the same sale again gives the same payment."""
    code = target.code
    assert code is not None, "a target without a payment is a static code"
    order_no = order_no_of_sale(services.vault, target.token, sale or "")
    if order_no is None:
        raise InvalidRequest("unknown_sale", "This page is out of date: open the code again.", param="sale")
    amount = code.amount_fen if code.amount_fen is not None else amount_fen
    if amount is None or (code.amount_fen is not None and amount_fen not in {None, code.amount_fen}):
        raise InvalidRequest("invalid_field", "“amount”: type what you want to pay.", param="amount")
    fields = {
        "merchant_order_no": order_no,
        "amount": amount,
        "currency": "CNY",
        "method": "qrcode",
        "description": code.description or code.name,
        "store_id": code.store_id,
        "terminal_id": code.terminal_id,
        "operator_id": code.operator_id,
        "metadata": dict(code.metadata),
        "expires_in": _EXPIRES_IN_S,
    }
    request = PaymentRequest.model_validate_json(orjson.dumps(fields))
    order = PaymentOrder.of(code.merchant_id, target.merchant_name, request, None, services.vault, code_id=code.id)
    return (await services.desk.take(order, deadline)).payment
