"""Calls and tables of `mashang merchant`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json, say
from gateway.processes.errors import StackError

_PATH: Final = "/admin/v1/merchants"
_PAGE: Final = 100
_ID_LENGTH: Final = 30
_NUMBERS: Final = frozenset({"risk_open_amount_max", "payments_per_s", "payments_burst", "payments_in_flight_max"})
_FLAGS: Final = {"true": True, "false": False}


def list_merchants(target: AdminTarget, name: str | None, limit: int, *, as_json: bool) -> None:
    """Print them page by page into one table.  Raises StackError."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {} if name is None else {"name": name}
    while len(found) < limit:
        page = call_admin(target, "GET", _PATH, params={**query, "limit": min(_PAGE, limit - len(found))})
        found += page["data"]
        if not page["has_more"]:
            break
        query["starting_after"] = found[-1]["id"]
    if as_json:
        print_json(found)
        return
    if not found:
        say("There are no such merchants.")
        return
    table = Table()
    table.add_column("merchant", overflow="fold", min_width=_ID_LENGTH)
    table.add_column("how it stands", overflow="fold")
    for each in found:
        table.add_row(Text.assemble(each["name"], "\n", (each["id"], "dim")), _standing(each))
    Console().print(table, markup=False)


def _standing(merchant: Mapping[str, Any]) -> str:
    facts = [merchant["status"], merchant["category"], merchant["region"], _limits(merchant)]
    return ", ".join(fact for fact in facts if fact)


def _limits(merchant: Mapping[str, Any]) -> str:
    rate, held = merchant["payments_per_s"], merchant["payments_in_flight_max"]
    told = [f"{rate:,} payments/s" if rate else "", f"{held:,} in flight" if held else ""]
    return ", ".join(each for each in told if each)


def show(target: AdminTarget, merchant_id: str, *, as_json: bool) -> None:
    """Print a merchant and its keys.  Raises StackError."""
    found = call_admin(target, "GET", f"{_PATH}/{merchant_id}")
    keys = call_admin(target, "GET", f"{_PATH}/{merchant_id}/keys")["data"]
    if as_json:
        print_json({**found, "keys": keys})
        return
    _print_settings(found)
    table = Table("key", "ends in", "may", "since", "revoked")
    for key in keys:
        since, revoked = (_minute(key[name]) for name in ("created_at", "revoked_at"))
        table.add_row(key["id"], key["hint"], ", ".join(key["scopes"]), since, revoked)
    if keys:
        Console().print(table, markup=False)
    else:
        say("It has no key: mashang merchant add-key.")


def _print_settings(found: Mapping[str, Any]) -> None:
    table = Table("field", "value", show_header=False)
    for name, value in found.items():
        table.add_row(name, "–" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
    Console().print(table, markup=False)


def add(target: AdminTarget, facts: Mapping[str, Any], scopes: Sequence[str] | None, *, as_json: bool) -> None:
    """Make a merchant and its first key, and print the secrets.  Raises StackError."""
    made = call_admin(target, "POST", _PATH, json={name: value for name, value in facts.items() if value is not None})
    key = _new_key(target, made["id"], scopes)
    if as_json:
        print_json({**made, "key": key})
        return
    say(f"{made['name']} is {made['id']}. Its secrets, shown once:")
    _print_secrets({"webhook secret": made["webhook_secret"], **_secrets(key)})


def add_key(target: AdminTarget, merchant_id: str, scopes: Sequence[str] | None, *, as_json: bool) -> None:
    """Make a key, and print its secrets.  Raises StackError."""
    key = _new_key(target, merchant_id, scopes)
    if as_json:
        print_json(key)
        return
    say(f"{key['id']} may {', '.join(key['scopes'])}. Its secrets, shown once:")
    _print_secrets(_secrets(key))


def _new_key(target: AdminTarget, merchant_id: str, scopes: Sequence[str] | None) -> dict[str, Any]:
    body = {"scopes": list(scopes)} if scopes else {}
    return call_admin(target, "POST", f"{_PATH}/{merchant_id}/keys", json=body)


def _secrets(key: Mapping[str, Any]) -> dict[str, str]:
    return {"key": key["id"], "bearer secret": key["secret"], "signing secret": key["signing_secret"]}


def _print_secrets(secrets: Mapping[str, str]) -> None:
    for name, secret in secrets.items():
        Console(soft_wrap=True).print(f"  {name:16}{secret}", markup=False, highlight=False)


def _minute(moment: str | None) -> str:
    return (moment or "")[:16].replace("T", " ")


def revoke_key(target: AdminTarget, merchant_id: str, key_id: str) -> None:
    """Revoke, and say so.  Raises StackError."""
    call_admin(target, "POST", f"{_PATH}/{merchant_id}/keys/{key_id}/revoke")
    say(f"{key_id} is revoked: every process refuses it within a second.")


def change(target: AdminTarget, merchant_id: str, fields: Sequence[str], *, as_json: bool) -> None:
    """Change fields given as name=value, and print how the merchant stands.  Raises StackError."""
    body = dict(_field(each) for each in fields)
    found = call_admin(target, "PATCH", f"{_PATH}/{merchant_id}", json=body)
    if as_json:
        print_json(found)
    else:
        _print_settings(found)


def _field(text: str) -> tuple[str, Any]:
    """A field and its value as the API takes it; null where there is nothing behind the sign."""
    name, sign, value = text.partition("=")
    if not sign:
        raise StackError(f"“{text}” is no change: write it as {name}=VALUE, or {name}= to take it away.")
    if not value:
        return name, None
    if name in _NUMBERS:
        try:
            return name, int(value)
        except ValueError:
            raise StackError(f"{name} is a whole number, not “{value}”.") from None
    return name, _FLAGS.get(value, value) if name == "signing_required" else value
