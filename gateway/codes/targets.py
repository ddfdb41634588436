"""What a scanned token leads to: a static code, or the payment that has a code of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.codes.code import StaticCode, addresses
from gateway.codes.price import Price, price_of_code, price_of_payment
from gateway.codes.sales import order_no_of_sale
from gateway.codes.standing import Standing, standing_of
from gateway.codes.store import CodeStore, Shop
from gateway.codes.tokens import payment_of_token
from gateway.http.services import Services
from gateway.kernel.errors import InvalidRequest, not_found
from gateway.payments.payment import Payment
from routing.channels.base import Wallet
from routing.channels.facts import wallets_with
from routing.sale import Method

PAGE_WALLETS: Final = tuple(wallet for wallet in Wallet if wallet in wallets_with(Method.PAGE))
"""The wallets in which the cashier page can be paid: it has words, colours and bridges for these."""


@dataclass(frozen=True, slots=True)
class Target:
    """`code` is set for a static one, `payment` for one of its own, and for a static one once its sale has one."""

    token: str
    url: str
    shop: Shop
    title: str
    """Whom the customer pays: the code's name, or the merchant's."""
    description: str | None
    """What was bought, where that is known."""
    code: StaticCode | None
    payment: Payment | None

    @property
    def price(self) -> Price | None:
        """None where the customer types the amount."""
        if self.payment is not None:
            return price_of_payment(self.payment)
        return None if self.code is None or self.code.amount_fen is None else price_of_code(self.code.amount_fen)

    @property
    def standing(self) -> Standing:
        """How it stands for whoever scans it."""
        return Standing.OPEN if self.payment is None else standing_of(self.payment)

    def require_open_shop(self) -> None:
        """Raises the 404 where the merchant is suspended: what was paid can be looked at, and nothing else."""
        if not self.shop.is_active:
            raise unknown_code()


async def find_target(services: Services, token: str, sale: str | None = None) -> Target:
    """Look a token up.  Raises the 404 for one that was not made here, and for a revoked one without a sale under way.

    A suspended merchant's is found while it has a payment: its customer may have paid (`require_open_shop`).
    """
    payment_id = payment_of_token(services.vault, token)
    if payment_id is not None:
        target = await _of_payment(services, token, payment_id)
    else:
        target = await _of_code(services, token, sale)
    if target is None or (target.payment is None and not target.shop.is_active):
        raise unknown_code()
    return target


def unknown_code() -> InvalidRequest:
    """The 404 of a token that leads nowhere, whatever the reason: nobody learns what was here once."""
    return not_found("code", "token")


def wallets_of(services: Services, merchant_id: str) -> tuple[Wallet, ...]:
    """The wallets in which the merchant's customers can pay the cashier page."""
    return tuple(wallet for wallet in PAGE_WALLETS if services.router.takes(wallet, Method.PAGE, merchant_id))


async def _of_payment(services: Services, token: str, payment_id: str) -> Target | None:
    shop = await CodeStore(services.pool).find_shop_of_payment(payment_id)
    payment = None if shop is None else await services.store.find(shop.id, payment_id)
    if shop is None or payment is None:
        return None
    url = addresses(services.settings.public_url, token)["url"]
    fields = await services.store.request_fields(payment) or {}
    return Target(token, url, shop, shop.name, fields.get("description"), code=None, payment=payment)


async def _of_code(services: Services, token: str, sale: str | None) -> Target | None:
    found = await CodeStore(services.pool).find_by_token(token)
    if found is None:
        return None
    code, shop = found.code, found.shop
    number = None if sale is None else order_no_of_sale(services.vault, token, sale)
    payment = None if number is None else await services.store.find_by_order_no(code.merchant_id, number)
    if code.status != "active" and payment is None:
        return None
    url = addresses(services.settings.public_url, token)["url"]
    return Target(token, url, shop, code.name, code.description, code, payment)
