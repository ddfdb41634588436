"""Asks the channel how an open payment stands, for whoever looks at it; once a second at most."""

from __future__ import annotations

from typing import Final

from gateway.http.rate_limits import Limit
from gateway.http.services import Services
from gateway.payments.payment import Payment

_REFRESHES: Final = Limit("payment_refreshes", 1, 1.0)


async def refreshed(services: Services, payment: Payment) -> Payment:
    """The payment as its channel knows it now, where that can still be news."""
    account = services.accounts.get(payment.account_id or "")
    has_order = payment.has_open_attempt if payment.is_code else True
    if account is None or payment.status.is_final or payment.review is not None or not has_order:
        return payment
    if not await services.rate_limits.allows(_REFRESHES, payment.id):
        return payment
    return await services.charging.settle(payment, account, await services.charging.query(payment, account))
