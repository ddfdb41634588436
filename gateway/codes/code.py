"""A code that any wallet can pay, as the API shows it: static (printed once, scanned for years) or of one payment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.codes.price import price_of_payment
from gateway.codes.standing import Standing, standing_of
from gateway.kernel.clock import rfc3339
from gateway.payments.payment import Payment


@dataclass(frozen=True, slots=True)
class StaticCode:
    """Each scan is a new payment.  `amount_fen` is None where the customer types the amount."""

    id: str
    token: str
    merchant_id: str
    name: str
    description: str | None
    amount_fen: int | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    metadata: Mapping[str, str]
    status: str
    created_at: datetime
    revoked_at: datetime | None

    def to_json(self, public_url: str) -> dict[str, Any]:
        """The code object of the API (schemas.CodeObject)."""
        return {
            "id": self.id,
            "object": "code",
            "type": "static",
            "status": self.status,
            "name": self.name,
            "amount": self.amount_fen,
            "currency": "CNY",
            "description": self.description,
            "store_id": self.store_id,
            "terminal_id": self.terminal_id,
            "operator_id": self.operator_id,
            "metadata": dict(self.metadata),
            "payment_id": None,
            **addresses(public_url, self.token),
            "created_at": rfc3339(self.created_at),
            "revoked_at": None if self.revoked_at is None else rfc3339(self.revoked_at),
        }


def code_of_payment(payment: Payment, name: str, description: str | None, where: Mapping[str, str]) -> dict[str, Any]:
    """The code object of one payment; `where` are the addresses of its token."""
    standing = standing_of(payment)
    return {
        "id": f"cod_{payment.id.removeprefix('pay_')}",
        "object": "code",
        "type": "payment",
        "status": {Standing.OPEN: "active", Standing.PAID: "paid"}.get(standing, "over"),
        "name": name,
        "amount": price_of_payment(payment).amount_fen,
        "currency": payment.amount.currency,
        "description": description,
        "store_id": payment.store_id,
        "terminal_id": payment.terminal_id,
        "operator_id": payment.operator_id,
        "metadata": payment.metadata,
        "payment_id": payment.id,
        **where,
        "created_at": rfc3339(payment.created_at),
        "revoked_at": None,
    }


def payment_id_of(code_id: str) -> str:
    """The payment whose code has this id, if it is one of a payment: they share their letters."""
    return f"pay_{code_id.removeprefix('cod_')}"


def addresses(public_url: str, token: str) -> dict[str, str]:
    """Where the code leads, its images, and the card to print."""
    url = f"{public_url}/q/{token}"
    return {"url": url, "svg_url": f"{url}/code.svg", "png_url": f"{url}/code.png", "card_url": f"{url}/card"}
