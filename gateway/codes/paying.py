"""What happens when a customer taps "pay": the payment (at a static code, a new one), then the wallet's order."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.codes.cashier_schemas import PayAnswer, StandingAnswer
from gateway.codes.code import StaticCode
from gateway.codes.price import Price, price_of_payment
from gateway.codes.routes import refusal_of_typed
from gateway.codes.sales import may_begin, order_no_of_sale
from gateway.codes.standing import Standing, paid_at, standing_of
from gateway.codes.targets import Target
from gateway.codes.visits import Visitor
from gateway.http.rate_limits import Limit
from gateway.http.services import Services
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Conflict, InvalidRequest
from gateway.payments.attempts import OtherWalletOpen, Over, Paid, Ready, Refused, Visit
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.schemas import PaymentRequest
from gateway.payments.states import Status
from routing.accounts.book import Account

_log = logging.getLogger("mashang.cashier")
PATIENCE_S: Final = 9.0
_BEGUN_WITHIN_S: Final = 3.0
_LOOK_S: Final = 0.05
_EXPIRES_IN_S: Final = 300
_BEGUN_BY_PAYER: Final = Limit("cashier_begun_by_payer", 12, 600.0)
"""Payments that one person begins at one static code: somebody who pays for the whole table needs fewer."""
_BEGUN_AT_CODE: Final = Limit("cashier_begun_at_code", 300, 60.0)


@dataclass(frozen=True, slots=True)
class Visiting:
    """An identified payer before a target; the account is the one that identified him."""

    target: Target
    visitor: Visitor
    account: Account
    client_ip: str


async def pay(services: Services, visiting: Visiting, *, amount_fen: int | None, sale: str | None) -> dict[str, Any]:
    """Take the payment over for this payer (cashier_schemas.PayAnswer).  Raises ApiError for a wrong amount or sale."""
    deadline = Deadline.after(PATIENCE_S)
    target, visitor = visiting.target, visiting.visitor
    payment = target.payment
    if payment is None:
        if amount_fen is not None and (why := refusal_of_typed(services, target, visitor, amount_fen)) is not None:
            return _answer("refused", target, None, failure=why)
        payment = await _begin(services, visiting, deadline, amount_fen=amount_fen, sale=sale)
    elif amount_fen not in {None, payment.amount.amount_fen}:
        raise Conflict("amount_settled", "The amount of this sale is settled: open the code again.", param="amount")
    visit = Visit(
        account=visiting.account,
        wallet=visitor.wallet,
        payer_id=visitor.payer_id,
        description=target.description or target.title,
        return_url=target.url + (f"?sale={sale}&back=1" if target.code is not None else "?back=1"),
        client_ip=visiting.client_ip,
        app_identifier=visitor.app_identifier,
        timezone=target.shop.timezone,
    )
    match await services.attempts.take_over(payment, visit, deadline):
        case Ready(payment=found, page=page):
            bridge = {"bridge": dict(page.bridge), "bridge_url": page.bridge_url or None, "pay_url": page.pay_url}
            return _answer("ready", target, found, **bridge)
        case Paid(payment=found):
            return _answer("paid", target, found)
        case OtherWalletOpen(retry_after_s=retry_after_s):
            return _answer("busy", target, payment, retry_after_s=retry_after_s)
        case Refused(failure=failure):
            return _answer("refused", target, payment, failure=failure)
        case Over(payment=found):
            is_checked = standing_of(found) is Standing.CHECKING
            return _answer("checking" if is_checked else "over", target, found)


async def give_up(services: Services, target: Target) -> Payment | None:
    """Shut the payment of a sale whose customer wants to pay another amount; the payment as it stands then.

    What was paid meanwhile goes back to the customer, unless it was booked before: then the payment is paid.
    """
    payment = target.payment
    if payment is not None and payment.status is Status.REQUIRES_ACTION:
        await services.store.request_reversal(payment)
        payment = await services.store.find(payment.merchant_id, payment.id)
    return payment


def standing_answer(target: Target, payment: Payment | None) -> dict[str, Any]:
    """How the payment behind the page stands, as far as whoever holds its code may know."""
    standing = Standing.OPEN if payment is None else standing_of(payment)
    return StandingAnswer(status=standing, **_facts(target, payment, is_paid=standing is Standing.PAID)).model_dump()


def _answer(status: str, target: Target, payment: Payment | None, **more: Any) -> dict[str, Any]:
    facts = _facts(target, payment, is_paid=status == "paid")
    return PayAnswer.model_validate({"status": status, **facts, **more}).model_dump()


def _facts(target: Target, payment: Payment | None, *, is_paid: bool) -> dict[str, Any]:
    price: Price | None = target.price if payment is None else price_of_payment(payment)
    return {
        "amount": None if price is None else price.amount_fen,
        "discount": None if price is None else price.discount_fen,
        "payable": None if price is None else price.payable_fen,
        "paid_at": None if payment is None or not is_paid else paid_at(payment, target.shop.timezone),
        "number": None if payment is None or not is_paid else payment.merchant_order_no,
    }


async def _begin(
    services: Services, visiting: Visiting, deadline: Deadline, *, amount_fen: int | None, sale: str | None
) -> Payment:
    """The payment of a sale at a static code; the same sale again gives the same payment.

    Its customer is whoever taps first: the wallet said who that is, which is surer than what a till says.
    """
    target, code = visiting.target, visiting.target.code
    assert code is not None, "a target without a payment is a static code"
    order_no = order_no_of_sale(services.vault, target.token, sale or "")
    if order_no is None or sale is None or not may_begin(services.vault, target.token, sale):
        raise InvalidRequest("unknown_sale", "This page is out of date: open the code again.", param="sale")
    amount = code.amount_fen if code.amount_fen is not None else amount_fen
    if amount is None:
        raise InvalidRequest("missing_field", "“amount”: type what you want to pay.", param="amount")
    if amount_fen not in {None, amount}:
        raise Conflict("amount_settled", "The code has an amount of its own: open it again.", param="amount")
    payer = services.vault.keyed_hash(f"{visiting.visitor.payer_id} at {target.token}".encode()).hex()
    await services.rate_limits.admit(_BEGUN_BY_PAYER, payer)
    await services.rate_limits.admit(_BEGUN_AT_CODE, target.token)
    shop, request = target.shop, _request(code, order_no, amount, _customer_of(services, visiting.visitor))
    order = PaymentOrder.of(
        code.merchant_id, shop.name, request, None, services.vault, code_id=code.id, timezone=shop.timezone
    )
    try:
        answered = await services.desk.take(order, deadline)
    except Conflict as conflict:
        if conflict.param is None or not conflict.param.startswith("customer"):
            raise
        payment = await _begun_elsewhere(services, order.key, deadline)
        if payment is None:
            raise
        return payment  # another phone tapped in the same moment: this is its sale, and goes on like any other's
    if not answered.replayed:
        told = {"payment_id": answered.payment.id, "code_id": code.id, "wallet": visiting.visitor.wallet}
        _log.info("a customer pays at a static code", extra={**told, "amount": amount})
    return answered.payment


async def _begun_elsewhere(services: Services, key: tuple[str, str], deadline: Deadline) -> Payment | None:
    """The payment that another phone is beginning, once it is durable; None where nothing comes of it in time."""
    patience = Deadline.after(min(_BEGUN_WITHIN_S, deadline.left_s))
    while True:
        payment = await services.store.find_by_order_no(*key)
        if payment is not None or patience.passed:
            return payment
        await asyncio.sleep(_LOOK_S)


def _customer_of(services: Services, visitor: Visitor) -> str:
    """What stands for a payer as `customer.id`: the same at all codes whose pages ask the wallet as the same app."""
    payer = f"{visitor.wallet} {visitor.payer_id} as a customer"
    return f"payer_{services.vault.keyed_hash(payer.encode()).hex()[:40]}"


def _request(code: StaticCode, order_no: str, amount_fen: int, customer_id: str) -> PaymentRequest:
    """As if a till had asked for it."""
    fields = {
        "merchant_order_no": order_no,
        "amount": amount_fen,
        "currency": "CNY",
        "method": "qrcode",
        "description": code.description or code.name,
        "store_id": code.store_id,
        "terminal_id": code.terminal_id,
        "operator_id": code.operator_id,
        "customer": {"id": customer_id},
        "metadata": dict(code.metadata),
        "expires_in": _EXPIRES_IN_S,
    }
    return PaymentRequest.model_validate_json(orjson.dumps(fields))
