"""`mashang quote`: what a customer would pay now, with a line for each campaign that was considered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rich.console import Console
from rich.table import Table

from gateway.client import Quote
from gateway.client.objects import Promotion, Wallet
from gateway.commandline.connection import Target, connected
from gateway.commandline.shown import print_json, say
from gateway.devstack.screen import yuan

_NARROW: Final = 24
"""Columns of a campaign's name on a small terminal."""


@dataclass(frozen=True, slots=True)
class QuoteOrder:
    """What to quote; of the customer what is None is not said."""

    amount_fen: int
    wallet: Wallet | None
    auth_code: str | None
    method: Literal["barcode", "qrcode"]
    store_id: str | None
    customer: Mapping[str, str | None]
    coupons: tuple[str, ...]


def quote(order: QuoteOrder, target: Target, *, as_json: bool) -> None:
    """Ask and print.  Raises StackError."""
    customer = {name: value for name, value in order.customer.items() if value is not None}
    with connected(target) as client:
        found = client.quote(
            amount=order.amount_fen,
            wallet=order.wallet,
            auth_code=order.auth_code,
            method=order.method,
            store_id=order.store_id,
            customer=customer or None,
            coupons=order.coupons,
        )
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: Quote) -> None:
    off = f", {yuan(found['discount'])} off" if found["discount"] else ""
    say(f"The customer pays {yuan(found['payable'])} of {yuan(found['amount'])}{off}.")
    if found["failure"] is not None:
        say(f"The payment would be refused: {found['failure']['message']}")
    if not found["considered"]:
        say("No campaign is in force here.")
        return
    funding = {each["campaign_id"]: _funders(each) for each in found["promotions"]}
    table = Table("campaign", "", "why", "takes off", "paid by")
    table.columns[0].min_width = _NARROW
    for each in found["considered"]:
        why = each["detail"] or each["reason"].replace("_", " ")
        takes_off = yuan(each["discount"]) if each["discount"] else ""
        mark = "✓" if each["applied"] else "✗"
        table.add_row(each["name"], mark, why, takes_off, funding.get(each["campaign_id"], ""))
    Console().print(table, markup=False)


def _funders(promotion: Promotion) -> str:
    return ", ".join(f"{part['sponsor']} {yuan(part['amount'])}" for part in promotion["funding"])
