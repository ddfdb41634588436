"""Options that commands of several files share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

STATE: Final = Path(".state")

State = Annotated[Path, typer.Option(help="Folder that holds a development stack's data.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
AdminUrl = Annotated[
    str | None,
    typer.Option(
        help="The gateway, with MASHANG_ADMIN_TOKEN; without it, the stack that runs on --state, or "
        "http://127.0.0.1:8000 where there is a token and no stack."
    ),
]
Url = Annotated[str | None, typer.Option(help="The gateway; without it, the stack that runs on --state.")]
Key = Annotated[str | None, typer.Option(help="The API key; without it, the demo merchant's.")]

PaymentName = Annotated[str, typer.Argument(metavar="PAYMENT", help="The payment's id, or the till's order number.")]
Store = Annotated[str | None, typer.Option(help="The store's id.")]
CustomerId = Annotated[str | None, typer.Option(help="The till's id of the customer.")]
Device = Annotated[str | None, typer.Option(help="The customer's device.")]
CardBin = Annotated[str | None, typer.Option(help="The first 6 to 8 digits of the card.")]
Coupons = Annotated[list[str] | None, typer.Option(help="A code or a coupon's id; may be repeated.")]


def sale_of(store_id: str | None, customer: Mapping[str, str | None], coupons: Sequence[str] | None) -> dict[str, Any]:
    """What discounts look at, as Client.pay takes it; what is not known of the customer is not said."""
    known = {name: value for name, value in customer.items() if value is not None}
    return {"store_id": store_id, "customer": known or None, "coupons": tuple(coupons or ())}
