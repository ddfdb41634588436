"""`mashang review list` and `mashang review settle`: what waits for a person, over the admin API."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import say
from gateway.devstack.screen import yuan

_PATH: Final = "/admin/v1/reviews"
_PAGE: Final = 20


def list_reviews(target: AdminTarget, *, refresh: bool, as_json: bool) -> None:
    """Print everything that is in review."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": _PAGE, "refresh": refresh}
    has_more = True
    while has_more:
        page = call_admin(target, "GET", _PATH, params=query)
        found += page["data"]
        has_more = page["has_more"]
        query["starting_after"] = found[-1]["id"] if found else None
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    elif found:
        Console().print(_table(found), markup=False)
    else:
        say("Nothing waits for a person.")


def settle(review_id: str, body: dict[str, Any], target: AdminTarget, *, as_json: bool) -> None:
    """Carry a verdict out, and print it.  Raises StackError where it is refused; that says what to do instead."""
    given = call_admin(target, "POST", f"{_PATH}/{review_id}/settle", by=body["by"], json=body)
    if as_json:
        sys.stdout.write(json.dumps(given, ensure_ascii=False) + "\n")
    else:
        say(f"{given['verdict']} of {given['review_id']}, which was in review as {given['reason']}.")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table()
    for heading in ("id", "reason", "since", "status", "expected", "channel says", "verdicts"):
        table.add_column(heading, overflow="fold")
    for each in found:
        said = each["channel_says"]
        table.add_row(
            each["id"],
            each["reason"],
            each["since"],
            each["status"] or "",
            _yuan(each["expected"]),
            "" if said is None else f"{said['state']} {_yuan(said['amount'])}",
            " ".join(each["verdicts"]),
        )
    return table


def _yuan(amount_fen: int | None) -> str:
    return "" if amount_fen is None else yuan(amount_fen)
