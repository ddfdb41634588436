"""`mashang quote`: what a customer would pay now, with a line for each campaign that was considered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote as escaped

from rich.console import Console
from rich.table import Table

from gateway.client import Quote
from gateway.client.objects import Wallet
from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.connection import Target, connected
from gateway.commandline.till.shown import funders, print_json, say
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
    print_considered(found["considered"], found["promotions"])


def why(payment_id: str, target: AdminTarget, *, as_json: bool) -> None:
    """Print what pricing said of a payment when it was taken.  Raises StackError."""
    found = call_admin(target, "GET", f"/admin/v1/payments/{escaped(payment_id, safe='')}")
    pricing = found["pricing"]
    if as_json:
        print_json(pricing)
    elif pricing:
        print_considered(pricing, found["promotions"])
    else:
        say("The payment met the condition of no campaign. Which came near says: mashang quote")


def print_considered(considered: Sequence[Mapping[str, Any]], promotions: Sequence[Mapping[str, Any]]) -> None:
    """A line for each campaign: whether it applies, and why or why not."""
    funding = {each["campaign_id"]: each["funding"] for each in promotions}
    table = Table()
    table.add_column("campaign", overflow="fold", min_width=_NARROW)
    table.add_column("")
    table.add_column("why", overflow="fold")
    for each in considered:
        why = each["detail"] or each["reason"].replace("_", " ")
        if each["applied"]:
            why = f"{yuan(each['discount'])} off" if each["discount"] else "applied"
        paid = f", paid by {funders(found)}" if (found := funding.get(each["campaign_id"])) else ""
        table.add_row(each["name"], "✓" if each["applied"] else "✗", f"{why}{paid}")
    Console().print(table, markup=False)
