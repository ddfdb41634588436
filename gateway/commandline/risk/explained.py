"""How a risk decision looks in a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json, say


def show_decision(target: AdminTarget, payment_id: str, *, as_json: bool) -> None:
    """Print the decision about a payment."""
    found = call_admin(target, "GET", f"/admin/v1/risk/decisions/{payment_id}")
    if as_json:
        print_json(found)
        return
    say(_headline(found))
    console = Console()
    console.print(_rules(found), markup=False)
    if found["replayable"]:
        console.print(_values(found), markup=False)
    else:
        say("It cannot be replayed: the rules of this version cannot be read any more, so what they saw is not known.")
    if found["model_reasons"]:
        console.print(_reasons(found), markup=False)


def _headline(found: Mapping[str, Any]) -> str:
    verdict = f"{found['decision']}, score {found['score']}, by version {found['rule_set_version']} of the rules"
    parts = [
        f"{found['payment_id']}: {verdict}",
        *(["no discount"] if found["no_discount"] else []),
        *([f"features missed ({found['missed']})"] if found["missed"] else []),
        *(["beyond what the merchant takes then"] if found["beyond_tolerance"] else []),
    ]
    return "; ".join(parts)


def _rules(found: Mapping[str, Any]) -> Table:
    table = Table(title="rules that hit")
    for heading in ("code", "mode", "action", "score", "priority", "when"):
        table.add_column(heading, overflow="fold")
    for rule in found["rules"]:
        table.add_row(*(str(rule[field] or "") for field in ("code", "mode", "action", "score", "priority", "when")))
    return table


def _values(found: Mapping[str, Any]) -> Table:
    table = Table("name", "value", title="what they saw")
    for name, value in found["values"].items():
        table.add_row(name, json.dumps(value, ensure_ascii=False))
    return table


def _reasons(found: Mapping[str, Any]) -> Table:
    table = Table("feature", "value", "log-odds", title="what moved the model's score")
    for reason in found["model_reasons"]:
        table.add_row(reason["feature"], json.dumps(reason["value"]), f"{reason['log_odds']:+.2f}")
    return table
