"""What `mashang routing accounts` prints: a line for each wallet and method of each account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json
from gateway.devstack.screen import yuan

_PATH: Final = "/admin/v1/routing/accounts"
_HEADINGS: Final = ("account", "status", "for", "breaker", "success", "p50", "p99", "calls", "day", "month", "closed")
_WHERE_WIDE: Final = frozenset({"p50", "calls", "day", "month"})
_WIDE: Final = 130
"""On a terminal of fewer columns those are left out."""
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
    console = Console()
    headings = [each for each in _HEADINGS if console.width >= _WIDE or each not in _WHERE_WIDE]
    table = Table()
    for heading in headings:
        numbers = heading in _NUMBERS
        table.add_column(heading, justify="right" if numbers else "left", no_wrap=numbers, overflow="fold")
    for account in found:
        for row in _rows(account):
            table.add_row(*[row.get(heading, "") for heading in headings])
    console.print(table, markup=False)


def _rows(account: dict[str, Any]) -> Iterator[dict[str, str]]:
    """By heading; the account's own facts stand on its first line."""
    own = {
        "account": account["id"],
        "status": account["status"],
        "calls": f"{account['in_flight']}/{account['in_flight_max']}",
        "day": _sum(account["day"]),
        "month": _sum(account["month"]),
        "closed": _closed(account),
    }
    for cell in account["cells"]:
        yield own | {
            "for": f"{cell['wallet']} {cell['method']}",
            "breaker": cell["breaker"],
            "success": f"{cell['success']:.1%}",
            "p50": _milliseconds(cell["p50_ms"]),
            "p99": _milliseconds(cell["p99_ms"]),
        }
        own = {}


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
