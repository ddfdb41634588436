"""Calls and tables of `mashang routing policy`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json, problems_table, say
from gateway.processes.errors import StackError

_PATH: Final = "/admin/v1/routing/policy"
_ACTIONS: Final = ("exclude", "order", "prefer", "split")


def show(target: AdminTarget, version: int | None, *, as_json: bool) -> None:
    """Print a version, or the one in force."""
    found = call_admin(target, "GET", _PATH if version is None else f"{_PATH}/versions/{version}")
    if as_json:
        print_json(found)
    else:
        _print_policy(found)


def check(target: AdminTarget, file: Path, payments: int, *, as_json: bool) -> bool:
    """Print what is wrong with a policy, or what it would match; whether nothing is wrong."""
    found = call_admin(target, "POST", f"{_PATH}/check", params={"payments": payments}, json=_read(file))
    if as_json:
        print_json(found)
    elif found["valid"]:
        _print_matches(found["payments"])
    else:
        Console().print(problems_table(found["problems"]), markup=False)
    return bool(found["valid"])


def put(target: AdminTarget, file: Path, note: str | None, *, as_json: bool) -> None:
    """Publish a policy.  Raises StackError with all that is wrong with it."""
    given = _read(file)
    if note is not None:
        given["note"] = note
    _say_published(call_admin(target, "PUT", _PATH, json=given), as_json=as_json)


def versions(target: AdminTarget, limit: int, *, as_json: bool) -> None:
    """Print the newest versions."""
    found = call_admin(target, "GET", f"{_PATH}/versions", params={"limit": limit})["data"]
    if as_json:
        print_json(found)
        return
    table = Table("version", "rules", "created", "published", "note")
    for each in found:
        version = f"{each['version']}{' in force' if each['in_force'] else ''}"
        table.add_row(version, str(each["rules"]), each["created_at"], each["published_at"], each["note"])
    Console().print(table, markup=False)


def roll_back(target: AdminTarget, version: int | None, *, as_json: bool) -> None:
    """Go back to a version, or to the one before."""
    body = {} if version is None else {"version": version}
    _say_published(call_admin(target, "POST", f"{_PATH}/roll_back", json=body), as_json=as_json)


def _read(file: Path) -> dict[str, Any]:
    """The policy in a file; one that the gateway has shown builds on the version that it was.  Raises StackError."""
    try:
        given = orjson.loads(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise StackError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise StackError(f"{file} is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise StackError(f"{file} is no policy: that is a JSON object.")
    if given.get("object") == "routing_policy" and isinstance(given.get("policy"), dict):
        return {**given["policy"], "base_version": given.get("version")}
    return given


def _say_published(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        say(f"Version {found['version']} of the routing policy is in force.")


def _print_policy(found: dict[str, Any]) -> None:
    console, policy = Console(), found["policy"]
    is_used = " (in force)" if found["in_force"] else ""
    console.print(f"Version {found['version']}{is_used}, published {found['published_at']}", markup=False)
    if policy["note"]:
        console.print(policy["note"], markup=False)
    console.print(
        f"success is worth {policy['success_value']} of the amount, exploring may cost {policy['exploration']} of "
        f"that, at most {policy['tries_max']} tries",
        markup=False,
    )
    if not policy["rules"]:
        console.print("There are no rules: every payment goes where it is worth most.", markup=False)
        return
    table = Table("rule", "when", "then", "description")
    for rule in policy["rules"]:
        name = rule["name"] if rule.get("enabled", True) else f"{rule['name']} (off)"
        table.add_row(name, rule["when"], _then(rule), rule.get("description", ""))
    console.print(table, markup=False)


def _then(rule: dict[str, Any]) -> str:
    """`exclude a, b`, `prefer a within 0.001`, `split a 70, b 30`."""
    [action] = [each for each in _ACTIONS if rule.get(each)]
    named = rule[action]
    if action == "split":
        named = [f"{account} {share}" for account, share in named.items()]
    within = f" within {rule['within']}" if action == "prefer" else ""
    return f"{action} {', '.join(named)}{within}"


def _print_matches(matches: dict[str, Any]) -> None:
    say("Nothing is wrong with it.")
    table = Table("rule", "matches", "decides", title=f"Of the {matches['looked_at']} newest payments")
    for each in matches["rules"]:
        table.add_row(each["name"], str(each["matched"]), str(each["decided"]))
    table.add_row("(by value)", "", str(matches["undecided"]))
    Console().print(table, markup=False)
