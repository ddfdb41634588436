"""Calls of `mashang risk rules`: how its tables look stands in tables.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console

from gateway.commandline.admin import AdminTarget, Refused, call_admin
from gateway.commandline.risk.rules.tables import print_diff, print_rule_set, versions_table
from gateway.commandline.till.shown import print_json, problems_table, say
from gateway.processes.errors import StackError

_PATH: Final = "/admin/v1/risk/rule_sets"
_PAGE: Final = 1_000
_DOCUMENT: Final = ("note", "thresholds", "model", "rules")
_TIMEOUT_S: Final = 660.0
"""Checking 100,000 rules takes half a minute, on a busy machine several."""


def check(target: AdminTarget, file: Path, *, as_json: bool) -> bool:
    """Print what is wrong with a rule set, or which of its tests fail; whether nothing is wrong."""
    given = _read(file)
    with _working(f"Checking {_counted(given)}"):
        found = call_admin(target, "POST", f"{_PATH}/check", timeout_s=_TIMEOUT_S, json=given)
    if as_json:
        print_json(found)
    elif not found["valid"]:
        Console().print(problems_table(found["problems"]), markup=False)
    elif found["failed_tests"]:
        Console().print(problems_table(found["failed_tests"]), markup=False)
    else:
        say(f"Nothing is wrong with it: {found['rule_count']} rules, {found['test_count']} tests.")
    return bool(found["valid"] and not found["failed_tests"])


def create(target: AdminTarget, file: Path, note: str | None, *, as_json: bool) -> None:
    """Save a draft.  Raises StackError with all that is wrong with it."""
    given = _read(file)
    if note is not None:
        given["note"] = note
    _save(target, given, as_json=as_json)


def change(
    target: AdminTarget, version: int | None, code: str, changes: dict[str, Any], note: str | None, *, as_json: bool
) -> None:
    """Save a draft with one rule changed.  Raises StackError where there is no such rule."""
    found = _shown(target, version)
    found["rules"] = list(_rules(target, found["version"], found["rule_count"]))
    rule = next((rule for rule in found["rules"] if rule["code"] == code), None)
    if rule is None:
        raise StackError(f"Version {found['version']} of the risk rules has no rule {code}.")
    rule.update(changes)
    told = ", ".join(f"{name} {value}" for name, value in changes.items())
    document = {name: found[name] for name in _DOCUMENT}
    _save(target, {**document, "note": note or f"{code} of version {found['version']}: {told}"}, as_json=as_json)


def _save(target: AdminTarget, given: dict[str, Any], *, as_json: bool) -> None:
    try:
        with _working(f"Checking {_counted(given)}"):
            found = call_admin(target, "POST", _PATH, timeout_s=_TIMEOUT_S, json=given)
    except Refused:
        if _print_wrong(target, given):
            raise StackError("The rule set is not saved: its mistakes stand above (rule_set_refused).") from None
        raise
    if as_json:
        print_json(found)
        return
    say(f"Version {found['version']} is saved, a draft of {found['rule_count']} rules.")
    if found["failed_tests"]:
        say("It cannot be published: these of its tests fail.")
        Console().print(problems_table(found["failed_tests"]), markup=False)
    else:
        say(f"What it changes: mashang risk rules diff {found['version']}; in force: publish {found['version']}")


def _print_wrong(target: AdminTarget, given: dict[str, Any]) -> bool:
    """Of several mistakes, which a refusal tells in one long sentence, the table of `check`; whether it was printed."""
    with _working(f"Checking {_counted(given)}"):
        found = call_admin(target, "POST", f"{_PATH}/check", timeout_s=_TIMEOUT_S, json=given)
    if len(found["problems"]) < 2:
        return False
    Console(stderr=True).print(problems_table(found["problems"]), markup=False)
    return True


def step(target: AdminTarget, version: int, name: str, base: int | None, *, as_json: bool) -> None:
    """Publish a version, or roll back to it."""
    body = {} if base is None else {"base_version": base}
    found = call_admin(target, "POST", f"{_PATH}/{version}/{name}", json=body)
    if as_json:
        print_json(found)
    else:
        say(f"Version {found['version']} of the risk rules is in force, with {found['rule_count']} rules.")


def diff(target: AdminTarget, version: int, against: int | None, limit: int, *, as_json: bool) -> None:
    """Print what a version has otherwise than another, or than that in force."""
    asked = {"limit": limit, **({} if against is None else {"against": against})}
    with _working("Comparing"):
        found = call_admin(target, "GET", f"{_PATH}/{version}/diff", timeout_s=_TIMEOUT_S, params=asked)
    if as_json:
        print_json(found)
    else:
        print_diff(found)


def versions(target: AdminTarget, limit: int, *, as_json: bool) -> None:
    """Print the newest versions."""
    found = call_admin(target, "GET", _PATH, params={"limit": limit})["data"]
    if as_json:
        print_json(found)
    else:
        Console().print(versions_table(found), markup=False)


def show(target: AdminTarget, version: int | None, limit: int, *, as_json: bool) -> None:
    """Print a version, or the one in force."""
    found = _shown(target, version)
    wanted = found["rule_count"] if as_json else min(limit, found["rule_count"])
    with _working(f"Reading {wanted} rules"):
        found["rules"] = list(_rules(target, found["version"], wanted))
    if as_json:
        print_json(found)
    else:
        print_rule_set(found)


def _shown(target: AdminTarget, version: int | None) -> dict[str, Any]:
    """A version, or the one in force, without its rules."""
    return call_admin(target, "GET", f"{_PATH}/{'live' if version is None else version}", params={"rules": False})


def _rules(target: AdminTarget, version: int, wanted: int) -> Iterator[dict[str, Any]]:
    for first in range(0, wanted, _PAGE):
        asked = {"first": first, "limit": min(_PAGE, wanted - first)}
        yield from call_admin(target, "GET", f"{_PATH}/{version}/rules", params=asked)["data"]


def _read(file: Path) -> dict[str, Any]:
    """The rule set in a file; of one that the gateway has shown, what can be saved.  Raises StackError."""
    try:
        given = orjson.loads(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise StackError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise StackError(f"{file} is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise StackError(f"{file} is no rule set: that is a JSON object.")
    if given.get("object") == "risk_rule_set":
        return {name: given[name] for name in _DOCUMENT if name in given}
    return given


def _counted(given: dict[str, Any]) -> str:
    rules = given.get("rules")
    return f"{len(rules)} rules" if isinstance(rules, list) else "the rule set"


@contextmanager
def _working(text: str) -> Iterator[None]:
    """A sign of life in a terminal while the gateway works."""
    with Console(stderr=True).status(f"{text}…"):
        yield
