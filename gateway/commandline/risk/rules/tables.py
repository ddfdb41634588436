"""How versions of the risk rules, their rules and their differences look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

_SIGNS: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def versions_table(versions: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each, the newest first; times are UTC's."""
    table = Table()
    for heading in ("version", "status", "rules", "tests", "created", "published", "note"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"version", "status"})
    for each in versions:
        failed = len(each["failed_tests"])
        tests = f"{each['test_count']}{f' ({failed} fail)' if failed else ''}"
        table.add_row(
            *(str(each["version"]), each["status"], str(each["rule_count"]), tests, _time(each["created_at"])),
            *(_time(each["published_at"]), Text(each["note"])),
        )
    return table


def print_rule_set(found: Mapping[str, Any]) -> None:
    """What a version says, then its rules."""
    console = Console()
    published = f", published {_time(found['published_at'])} UTC" if found["published_at"] else ""
    console.print(f"Version {found['version']}, {found['status']}{published}", markup=False)
    if found["note"]:
        console.print(found["note"], markup=False)
    for line in _beside(found):
        console.print(line, markup=False)
    if not found["rules"]:
        console.print("There are no rules: every payment is approved.", markup=False)
        return
    console.print(rules_table(found["rules"]), markup=False)
    left = found["rule_count"] - len(found["rules"])
    if left:
        console.print(f"and {left} more", markup=False)


def rules_table(rules: Sequence[Mapping[str, Any]]) -> Table:
    """Two columns, so that a condition can be read in a narrow terminal too: what is done, and when."""
    table = Table(show_lines=True)
    for heading in ("rule", "hits when"):
        table.add_column(heading, overflow="fold")
    for rule in rules:
        told = f"{rule['description']}\n" if rule["description"] else ""
        table.add_row(
            Text.assemble(rule["code"], "\n", (_then(rule), "dim")), Text.assemble((told, "dim"), rule["when"])
        )
    return table


def print_diff(found: Mapping[str, Any]) -> None:
    """What has changed: the head, then rule by rule, field by field."""
    console = Console()
    counts = ", ".join(f"{found[change]} {change}" for change in _SIGNS)
    console.print(f"Version {found['version']} against {found['against']}: {counts}", markup=False)
    for name in ("note", "thresholds", "model"):
        if found[name] is not None:
            console.print(f"{name}: {_shown(found[name]['before'])} → {_shown(found[name]['after'])}", markup=False)
    for rule in found["rules"]:
        for line in _lines(rule):
            console.print(line, soft_wrap=True)
    if found["has_more"]:
        console.print("and more: --limit shows them", markup=False)


def _lines(change: Mapping[str, Any]) -> list[Text]:
    """A rule that differs: one line, or one for each field."""
    sign, colour = _SIGNS[change["change"]]
    rule = change["rule"]
    if not change["fields"]:
        return [Text(f"{sign} {change['code']}: {rule['when']} → {_then(rule)}", style=colour)]
    fields = [
        Text(f"    {name}: {_shown(field['before'])} → {_shown(field['after'])}")
        for name, field in change["fields"].items()
    ]
    return [Text(f"{sign} {change['code']}", style=colour), *fields]


def _beside(found: Mapping[str, Any]) -> list[str]:
    """Thresholds, model, and tests that fail."""
    thresholds = found["thresholds"]
    from_score = [f"{name} from a score of {thresholds[name]}" for name in ("review", "decline") if thresholds[name]]
    lines = ["; ".join(from_score)] if from_score else []
    if found["model"]:
        lines.append(f"model {found['model']}")
    return lines + [f"fails: {each['path']}: {each['message']}" for each in found["failed_tests"]]


def _then(rule: Mapping[str, Any]) -> str:
    """`decline, score 40, priority 10, shadow, to 50 %, 2 merchants`."""
    parts = [rule["action"]]
    if rule["score"]:
        parts.append(f"score {rule['score']}")
    if rule["priority"]:
        parts.append(f"priority {rule['priority']}")
    if rule["mode"] != "live":
        parts.append(rule["mode"])
    if rule["rollout"] != 100:
        parts.append(f"to {rule['rollout']} %")
    if rule["merchants"]:
        parts.append(f"{len(rule['merchants'])} merchants" if len(rule["merchants"]) > 1 else rule["merchants"][0])
    return ", ".join(parts)


def _time(moment: str | None) -> str:
    """`2026-11-22 15:24`, in UTC."""
    return "" if moment is None else moment[:16].replace("T", " ")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if value is None:
        return "none"
    return f"“{value}”" if isinstance(value, str) else str(value)
