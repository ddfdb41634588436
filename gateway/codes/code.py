"""A static code as it stands: printed once, scanned for years, each scan a new payment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.kernel.clock import rfc3339


@dataclass(frozen=True, slots=True)
class StaticCode:
    """`amount_fen` is None where the customer types the amount; `url` is what the code holds."""

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


def addresses(public_url: str, token: str) -> dict[str, str]:
    """Where the code leads, its images, and the card to print."""
    url = f"{public_url}/q/{token}"
    return {"url": url, "svg_url": f"{url}/code.svg", "png_url": f"{url}/code.png", "card_url": f"{url}/card"}
