"""A payment that was made earlier, as risk rules saw it: from its request as it was sealed, as far as that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.kernel.secrets import Vault
from gateway.merchants.stores import Place, StoreBook
from gateway.payments.payment import Payment, PaymentOrder
from gateway.payments.schemas import Customer, Location, PaymentRequest
from gateway.payments.screening import facts_of
from gateway.payments.store import PaymentStore
from risk.facts import Facts
from routing.channels.base import Wallet


class Recalling:
    """Composed where somebody tells of a payment after the fact."""

    def __init__(self, store: PaymentStore, places: StoreBook, vault: Vault) -> None:
        self._store = store
        self._places = places
        self._vault = vault

    async def __call__(self, payment_id: str, merchant_id: str) -> Facts | None:
        """Its facts at the time at which it was made; its place is that of today.  None where there is no such payment.

        Of an erased request is left what the payment itself says: the merchant, the store, the till.
        """
        payment = await self._store.find(merchant_id, payment_id)
        if payment is None:
            return None
        fields = await self._store.request_fields(payment)
        place = await self._places.get(merchant_id, payment.store_id)
        return recalled(payment, fields or _bare(payment), place, self._vault, payment.created_at)


def recalled(payment: Payment, fields: Mapping[str, Any], place: Place, vault: Vault, at: datetime) -> Facts:
    """The facts of a payment from the validated fields of its request.

    Its customer is whom it was counted under, whatever the merchant's realm is now.  The merchant's time zone is not
    among them: what rules saw of the time stands with the decision.
    """
    order = PaymentOrder(payment.merchant_id, "", _request(fields), None, fields, payment.code_id)
    wallet = None if payment.is_aggregated or payment.wallet is None else Wallet(payment.wallet)
    facts = facts_of(order, wallet, place, vault, at)
    return facts if payment.customer is None else facts._replace(customer=payment.customer.hex())


def _request(fields: Mapping[str, Any]) -> PaymentRequest:
    """As it was validated then: nothing is checked again, for the rules for requests may have changed since."""
    said = fields.get("customer")
    customer = None if said is None else Customer.model_construct(**{**said, "location": _location(said)})
    return PaymentRequest.model_construct(**{**fields, "customer": customer, "auth_code": None})


def _location(said: Mapping[str, Any]) -> Location | None:
    place = said.get("location")
    return None if place is None else Location.model_construct(**place)


def _bare(payment: Payment) -> Mapping[str, Any]:
    return {
        "merchant_order_no": payment.merchant_order_no,
        "amount": payment.amount.amount_fen,
        "method": payment.method,
        "store_id": payment.store_id,
        "terminal_id": payment.terminal_id,
        "operator_id": payment.operator_id,
        "coupons": [],
    }
