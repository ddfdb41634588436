"""Calls and tables of `mashang risk packs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json, say
from gateway.processes.errors import StackError
from risk.packs import combined, names, pack
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse

_ALL: Final = "all"
_PATH: Final = "/admin/v1/risk/rule_sets"
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which packs, and how they are to be published."""

    packs: tuple[str, ...]
    onto_live: bool
    in_shadow: bool
    is_draft: bool


def list_packs(*, as_json: bool) -> None:
    """A line for each pack."""
    found = [_summary(name) for name in names()]
    if as_json:
        print_json(found)
        return
    table = Table()
    table.add_column("pack", no_wrap=True)
    for heading in ("rules", "tests", "velocities"):
        table.add_column(heading, justify="right")
    table.add_column("what it is for", overflow="fold")
    for each in found:
        table.add_row(each["name"], *(str(each[name]) for name in ("rules", "tests", "velocities")), each["note"])
    Console().print(table, markup=False)


def show_pack(name: str, *, as_json: bool) -> None:
    """What each rule does, and when.  Raises StackError where there is no such pack."""
    document = pack(_known([name])[0])
    if as_json:
        print_json(document)
        return
    console = Console(highlight=False)
    console.print(document["note"], markup=False)
    for rule in document["rules"]:
        console.print()
        console.print(Text(rule["code"], style="bold").append(f"  {_effect(rule)}", style="not bold"))
        for line in (rule["description"], rule["when"]):
            console.print(Padding(Text(line), (0, 0, 0, 2)))


def publish(target: AdminTarget, wanted: Wanted, *, as_json: bool) -> None:
    """Save the packs as one rule set and put it in force, unless somebody else has published meanwhile."""
    chosen = _known(wanted.packs)
    live = call_admin(target, "GET", f"{_PATH}/live", params={"rules": "false"})
    onto = {**live, "rules": _rules_of(target, live)} if wanted.onto_live else None
    document = combined(chosen, onto=onto, in_shadow=wanted.in_shadow)
    saved = call_admin(target, "POST", _PATH, json=document)
    if not wanted.is_draft:
        base = {"base_version": live["version"]}
        saved = call_admin(target, "POST", f"{_PATH}/{saved['version']}/publish", json=base)
    if as_json:
        print_json(saved)
    else:
        _tell(saved, live)


def _tell(saved: dict[str, Any], live: dict[str, Any]) -> None:
    version, count = saved["version"], saved["rule_count"]
    if saved["status"] == "draft":
        say(f"Version {version} with {count} rules is saved as a draft: mashang risk rules publish {version}")
        return
    say(f"Version {version} with {count} rules is in force on every process within a second.")
    say(f"Back to what was in force before: mashang risk rules roll-back {live['version']}")


def _known(chosen: Sequence[str]) -> tuple[str, ...]:
    """The names, `all` being all of them.  Raises StackError."""
    if tuple(chosen) == (_ALL,):
        return names()
    for name in chosen:
        if name not in names():
            raise StackError(f"There is no pack “{name}”. There are: {', '.join(names())}.")
    return tuple(dict.fromkeys(chosen))


def _rules_of(target: AdminTarget, stored: dict[str, Any]) -> list[dict[str, Any]]:
    """All rules of a version, page by page: it never changes."""
    path = f"{_PATH}/{stored['version']}/rules"
    found: list[dict[str, Any]] = []
    while len(found) < stored["rule_count"]:
        page = call_admin(target, "GET", path, params={"first": len(found), "limit": _PAGE})
        found.extend(page["data"])
        if not page["has_more"]:
            break
    return found


def _summary(name: str) -> dict[str, Any]:
    document = pack(name)
    rule_set = parse(document, lists=None, models=None)
    return {
        "name": name,
        "note": document["note"],
        "rules": len(rule_set.rules),
        "tests": sum(len(rule.examples) for rule in rule_set.rules),
        "velocities": len(CompiledSet.of(rule_set, 0).velocities),
    }


def _effect(rule: dict[str, Any]) -> str:
    """Such as “review, score 40, in shadow”."""
    score = f", score {rule['score']}" if "score" in rule and rule["action"] != "score" else ""
    effect = f"score {rule['score']}" if rule["action"] == "score" else f"{rule['action']}{score}"
    return f"{effect}, in shadow" if rule.get("mode") == "shadow" else effect
