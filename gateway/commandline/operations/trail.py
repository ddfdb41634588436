"""`mashang trail`: who changed what over the admin API, newest first."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import say

_PATH: Final = "/admin/v1/audit_trail"
_PAGE: Final = 100


def list_trail(target: AdminTarget, filters: Mapping[str, str | None], limit: int, *, as_json: bool) -> None:
    """Print the newest entries, at most `limit`."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    has_more = True
    while has_more and len(found) < limit:
        page = call_admin(target, "GET", _PATH, params=query | {"limit": min(_PAGE, limit - len(found))})
        found += page["data"]
        has_more = page["has_more"]
        query["before"] = found[-1]["seq"] if found else None
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    elif found:
        Console().print(_table(found), markup=False)
    else:
        say("There is no such entry.")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table()
    for heading in ("seq", "at", "who", "from", "action", "subject", "what"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "action")
    for each in found:
        who = each["actor"] if each["person"] is None else f"{each['person']} ({each['actor']})"
        what = json.dumps(each["detail"], ensure_ascii=False)
        at = each["at"][:19].replace("T", " ")
        table.add_row(str(each["seq"]), at, who, each["address"] or "", each["action"], each["subject"], what)
    return table
