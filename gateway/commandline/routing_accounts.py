"""What `mashang routing accounts` prints: a line for each wallet and method of each account."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.shown import print_json
from gateway.devstack.screen import yuan

_PATH: Final = "/admin/v1/routing/accounts"
_HEADINGS: Final = ("account", "status", "for", "breaker", "success", "p50", "p99", "calls", "day", "month", "closed")
_NUMBERS: Final = frozenset({"success", "p50", "p99", "calls", "day", "month"})


def show_accounts(target: AdminTarget, *, as_json: bool) -> None:
    """Print how all accounts do."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    has_more = True
    while has_more:
        page = call_admin(target, "GET", _PATH, params=query)
        found += page["data"]
        has_more = page["has_more"]
        query["starting_after"] = found[-1]["id"] if found else None
    if as_json:
        print_json(found)
        return
    table = Table()
    for heading in _HEADINGS:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    for account in found:
        _add(table, account)
    Console().print(table, markup=False)


def _add(table: Table, account: dict[str, Any]) -> None:
    """The account's own facts stand on its first line."""
    calls = f"{account['in_flight']}/{account['in_flight_max']}"
    own = (calls, _sum(account["day"]), _sum(account["month"]), _closed(account))
    for number, cell in enumerate(account["cells"]):
        head = (account["id"], account["status"]) if number == 0 else ("", "")
        tail = own if number == 0 else ("", "", "", "")
        latencies = (_milliseconds(cell["p50_ms"]), _milliseconds(cell["p99_ms"]))
        name = f"{cell['wallet']} {cell['method']}"
        table.add_row(*head, name, cell["breaker"], f"{cell['success']:.1%}", *latencies, *tail)


def _sum(found: dict[str, Any]) -> str:
    limit = "" if found["limit"] is None else f" of {yuan(found['limit'])}"
    return f"{yuan(found['captured'])}{limit}"


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


def _closed(account: dict[str, Any]) -> str:
    """Why it takes nothing by the clock, or when that will be."""
    for window in account["maintenance"]:
        if window["now"]:
            return f"maintenance until {window['until']}"
    if not account["open_now"]:
        return "outside its hours"
    return "".join(f"maintenance at {window['from']}" for window in account["maintenance"][:1])
