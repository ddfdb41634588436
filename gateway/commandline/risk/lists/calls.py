"""Calls and tables of `mashang risk lists`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.owner import Owner
from gateway.commandline.till.shown import print_json, say

LISTS: Final = "/admin/v1/risk/lists"
_OWNED: Final = frozenset({"customer", "device", "store", "terminal"})


def owner_of(owner: Owner, target: AdminTarget, field: str) -> dict[str, str]:
    """As the API takes it for a field; nothing for one whose values are nobody's."""
    return owner.of(target) if field in _OWNED else {}


def show_lists(target: AdminTarget, *, as_json: bool) -> None:
    """A table of all lists.  Raises StackError."""
    found = call_admin(target, "GET", LISTS)["data"]
    if as_json:
        print_json(found)
        return
    table = Table("list", "entries", "of", "what it is for")
    for each in found:
        of = ", ".join(f"{field} {number:,}" for field, number in each["by_field"].items())
        table.add_row(each["name"], f"{each['entries']:,}", of, each["description"])
    Console().print(table, markup=False)


def show_entries(target: AdminTarget, name: str, field: str | None, limit: int, *, as_json: bool) -> None:
    """What stands on a list.  Raises StackError."""
    parameters: dict[str, str | int] = {"limit": limit, **({} if field is None else {"field": field})}
    found = call_admin(target, "GET", f"{LISTS}/{name}/entries", params=parameters)
    if as_json:
        print_json(found["data"])
        return
    Console().print(entries_table(found["data"]), markup=False)
    if found["has_more"]:
        say("There are more: --limit shows up to 200; `mashang risk lists find` looks one up.")


def create(target: AdminTarget, name: str, description: str, *, as_json: bool) -> None:
    """Raises StackError."""
    made = call_admin(target, "POST", LISTS, json={"name": name, "description": description})
    if as_json:
        print_json(made)
    else:
        say(f"The list {name} is there, and empty.")


def delete(target: AdminTarget, name: str, *, as_json: bool) -> None:
    """Raises StackError."""
    gone = call_admin(target, "DELETE", f"{LISTS}/{name}")
    if as_json:
        print_json(gone)
    else:
        say(f"The list {name} is gone.")


def add(
    target: AdminTarget,
    name: str,
    what: tuple[str, Sequence[str]],
    owner: Owner,
    *,
    reason: str,
    until: str | None,
    as_json: bool,
) -> None:
    """Put values of a field on a list.  Raises StackError."""
    more = {} if until is None else {"expires_at": until}
    body = {"reason": reason, "entries": [{**each, **more} for each in _values(target, what, owner)]}
    put = call_admin(target, "POST", f"{LISTS}/{name}/entries", json=body)
    if as_json:
        print_json(put)
    else:
        say(f"{put['added']} added to {name}, {put['renewed']} renewed.")


def remove(target: AdminTarget, name: str, what: tuple[str, Sequence[str]], owner: Owner, *, as_json: bool) -> None:
    """Take values of a field off a list.  Raises StackError."""
    body = {"entries": _values(target, what, owner)}
    removed = call_admin(target, "POST", f"{LISTS}/{name}/entries/remove", json=body)
    if as_json:
        print_json(removed)
    else:
        say(f"{removed['removed']} of {len(what[1])} removed from {name}.")


def find(target: AdminTarget, field: str, value: str, owner: Owner, *, as_json: bool) -> None:
    """Why a value is listed.  Raises StackError."""
    [body] = _values(target, (field, [value]), owner)
    found = call_admin(target, "POST", f"{LISTS}/find", json=body)["data"]
    if as_json:
        print_json(found)
    elif found:
        Console().print(entries_table(found), markup=False)
    else:
        say("It stands on no list.")


def abandon(target: AdminTarget, name: str, import_id: str, *, as_json: bool) -> None:
    """Give an import up.  Raises StackError."""
    found = call_admin(target, "DELETE", f"{LISTS}/{name}/imports/{import_id}")
    if as_json:
        print_json(found)
    else:
        say(f"{import_id} is abandoned after {found['batches']} batches.")


def _values(target: AdminTarget, what: tuple[str, Sequence[str]], owner: Owner) -> list[dict[str, str]]:
    field, values = what
    owned = owner_of(owner, target, field)
    return [{"field": field, "value": value, **owned} for value in values]


def entries_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Nothing is cut off, for owners and cases are there to be copied.  Times are UTC's."""
    table = Table()
    for heading in ("list", "field", "value", "why", "until", "by whom, when"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"list", "field"})
    for each in entries:
        owner = "" if each["scope"] is None else f"\nof {each['scope']}"
        value = "(its hash only)" if each["value"] is None else f"{each['value']}{owner}"
        by = f"{each['added_by'] or '?'}\n{_time(each['added_at'])}"
        table.add_row(each["list"], each["field"], value, each["reason"], _until(each["expires_at"]), by)
    return table


def _until(moment: str | None) -> str:
    """What has expired is found until it is swept, and counts no more."""
    if moment is None:
        return "for ever"
    past = datetime.fromisoformat(moment) <= datetime.now(UTC)
    return f"{'expired, ' if past else ''}{_time(moment)}"


def _time(moment: str) -> str:
    """`2026-11-22 15:24`, in UTC."""
    return moment[:16].replace("T", " ")
