"""What a scanned token leads to: a static code, or the payment that has a code of its own."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.codes.code import StaticCode, addresses
from gateway.codes.sales import order_no_of_sale
from gateway.codes.store import CodeStore
from gateway.codes.tokens import payment_of_token
from gateway.http.services import Services
from gateway.kernel.errors import not_found
from gateway.payments.payment import Payment


@dataclass(frozen=True, slots=True)
class Target:
    """`code` is set for a static one, `payment` for one of its own, and for a static one once its sale has one."""

    token: str
    url: str
    merchant_id: str
    merchant_name: str
    title: str
    amount_fen: int | None
    """None where the customer types it."""
    code: StaticCode | None
    payment: Payment | None


async def find_target(services: Services, token: str, sale: str | None = None) -> Target:
    """Look a token up.  Raises the 404 for one that was not made here, is revoked, or is of a suspended merchant."""
    url = addresses(services.settings.public_url, token)["url"]
    codes = CodeStore(services.pool)
    payment_id = payment_of_token(services.vault, token)
    if payment_id is not None:
        coded = await codes.find_payment(payment_id)
        payment = None if coded is None else await services.store.find(coded.merchant_id, payment_id)
        if coded is not None and payment is not None:
            name, amount = coded.merchant_name, coded.payable_fen
            return Target(token, url, coded.merchant_id, name, name, amount, code=None, payment=payment)
    else:
        found = await codes.find_by_token(token)
        if found is not None:
            sold = await _sold(services, found.code, sale)
            if found.code.status == "active" or sold is not None:
                code = found.code
                return Target(token, url, code.merchant_id, found.merchant_name, code.name, code.amount_fen, code, sold)
    raise not_found("code", "token")


async def _sold(services: Services, code: StaticCode, sale: str | None) -> Payment | None:
    """The payment of a sale at a static code, if it was begun."""
    number = None if sale is None else order_no_of_sale(services.vault, code.token, sale)
    return None if number is None else await services.store.find_by_order_no(code.merchant_id, number)
