"""Calls and tables of `mashang coupon`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json, say
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import read_ready_file

_ID_LENGTH: Final = 30


def print_coupons(coupons: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """A table of them; as JSON, all that the API says."""
    if as_json:
        print_json(coupons)
        return
    if not coupons:
        say("There are no such coupons.")
        return
    table = Table()
    table.add_column("coupon", overflow="fold", min_width=_ID_LENGTH)
    table.add_column("how it stands, how it came", overflow="fold")
    for each in coupons:
        how = each["source"] if each["earned_by"] is None else f"{each['source']} for {each['earned_by']}"
        name = Text.assemble(each["name"], "\n", (each["id"], "dim"))
        table.add_row(name, f"{_standing(each)}\n{how}")
    Console().print(table, markup=False)


def _standing(coupon: Mapping[str, Any]) -> str:
    if coupon["payment_id"] is not None:
        return f"{coupon['status']} by {coupon['payment_id']}"
    until = f" until {coupon['expires_at'] or 'its campaign ends'}" if coupon["status"] == "valid" else ""
    return f"{coupon['status']}{until}"


def grant(
    target: AdminTarget, campaign_id: str, merchant_id: str | None, customers: Sequence[str], *, as_json: bool
) -> None:
    """Grant, and print who got which.  Raises StackError."""
    merchant_id = merchant_id or read_ready_file(ready_file_of(target.state)).merchant.id
    body = {"merchant_id": merchant_id, "customers": list(customers)}
    found = call_admin(target, "POST", f"/admin/v1/campaigns/{campaign_id}/coupons", json=body)
    if as_json:
        print_json(found)
        return
    table = Table("customer", "coupon")
    for each in found["granted"]:
        table.add_row(each["customer_id"], each["coupon_id"])
    for each in found["refused"]:
        table.add_row(each["customer_id"], f"none: {each['code']}")
    Console().print(table, markup=False)


def count(target: AdminTarget, campaign_id: str, *, as_json: bool) -> None:
    """Print how many there are.  Raises StackError."""
    found = call_admin(target, "GET", f"/admin/v1/campaigns/{campaign_id}/coupons")
    if as_json:
        print_json(found)
        return
    stock = "as many as are wanted" if found["stock"] is None else f"{found['left']} of {found['stock']} left"
    say(f"{found['taken']} coupons are out; {stock}.")
    table = Table("how", "coupons")
    for name, coupons in {**found["by_source"], **found["by_status"]}.items():
        table.add_row(name, str(coupons))
    Console().print(table, markup=False)


def void(target: AdminTarget, coupon_id: str, *, as_json: bool) -> None:
    """Void, and say so.  Raises StackError."""
    found = call_admin(target, "POST", f"/admin/v1/coupons/{coupon_id}/void", json={})
    if as_json:
        print_json(found)
    else:
        say(f"{coupon_id} of {found['name']} is void.")
