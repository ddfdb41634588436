"""Calls and tables of `mashang risk cases`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.commandline.admin import AdminTarget, call_admin, page_of_admin
from gateway.commandline.till.shown import print_json, say
from gateway.devstack.screen import yuan

_PATH: Final = "/admin/v1/risk/cases"
_PAGE: Final = 100
_ID_LENGTH: Final = 31
_COLOURS: Final = {
    "fraud": "bold red",
    "overdue": "bold red",
    "decline": "red",
    "failed": "red",
    "good": "green",
    "succeeded": "green",
    "approve": "green",
    "complaint": "yellow",
    "review": "yellow",
}


def list_cases(
    target: AdminTarget, filters: Mapping[str, Any], limit: int, html: Path | None, *, as_json: bool
) -> None:
    """Print the queue, or write its first page to a file."""
    if html is not None:
        shown = {**filters, "limit": min(limit, _PAGE), "format": "html"}
        html.write_text(page_of_admin(target, _PATH, params=shown), encoding="utf-8")
        say(f"Written: {html}")
        return
    found = _all_pages(target, filters, limit)
    if as_json:
        print_json(found)
    elif found:
        Console().print(queue_table(found), markup=False)
    else:
        say("There are no such cases.")


def show_case(target: AdminTarget, case_id: str, html: Path | None, *, as_json: bool) -> None:
    """Print a case with its evidence, or write it as a page."""
    if html is not None:
        html.write_text(page_of_admin(target, _of(case_id), params={"format": "html"}), encoding="utf-8")
        say(f"Written: {html}")
        return
    found = call_admin(target, "GET", _of(case_id))
    if as_json:
        print_json(found)
    else:
        Console().print(_case(found), markup=False)


def step(target: AdminTarget, case_id: str, name: str, body: Mapping[str, Any], *, as_json: bool) -> None:
    """Take a step, and say how the case stands.  Raises StackError where it is refused."""
    found = call_admin(target, "POST", f"{_of(case_id)}/{name}", by=body["by"], json=dict(body))
    if as_json:
        print_json(found)
    else:
        say(f"{found['id']} {_standing(found)}.")


def complain(target: AdminTarget, body: Mapping[str, Any], *, as_json: bool) -> None:
    """Take a complaint, and say which case it is in."""
    found = call_admin(target, "POST", "/admin/v1/risk/complaints", by=body["by"], json=dict(body))
    if as_json:
        print_json(found)
    else:
        say(f"{found['id']} is in {found['case_id']}.")


def _of(case_id: str) -> str:
    return f"{_PATH}/{quote(case_id, safe='')}"


def _all_pages(target: AdminTarget, filters: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    has_more = True
    while has_more and len(found) < limit:
        after = {"starting_after": found[-1]["id"]} if found else {}
        query = {**filters, **after, "limit": min(_PAGE, limit - len(found))}
        page = call_admin(target, "GET", _PATH, params=query)
        found += page["data"]
        has_more = page["has_more"]
    return found


def _standing(case: Mapping[str, Any]) -> str:
    if case["verdict"] is not None:
        return f"is decided as {case['verdict']} by {case['decided_by']}"
    return f"is with {case['claimed_by']} until {case['claimed_until']}" if case["claimed_by"] else "waits"


def queue_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each; as wide as a terminal of 80 columns, for ids are there to be copied."""
    table = Table()
    table.add_column("case, payment", overflow="fold", min_width=_ID_LENGTH, no_wrap=True)
    table.add_column("kind, score", min_width=len("complaint"))
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("due or decided, with", overflow="fold")
    for case in found:
        table.add_row(
            Text.assemble(case["id"], "\n", (case["payment_id"], "dim")),
            Text.assemble(_word(case["kind"]), "" if case["score"] is None else f"\n{case['score']}"),
            yuan(case["amount"]),
            _due_with(case),
        )
    return table


def _due_with(case: Mapping[str, Any]) -> Text:
    who = case["claimed_by"] or case["decided_by"]
    return Text.assemble(_due(case), f"\n{who}" if who else "")


def _due(case: Mapping[str, Any]) -> Text:
    if case["verdict"] is not None:
        return Text.assemble(_word(case["verdict"]), "\n", (_time(case["decided_at"]), "dim"))
    mark = Text("overdue\n", _COLOURS["overdue"]) if case["overdue"] else Text("")
    return Text.assemble(mark, _time(case["due_at"]))


def _case(case: Mapping[str, Any]) -> RenderableType:
    payment = case["payment"]
    head = Table.grid(padding=(0, 2))
    for name, value in (
        ("payment", f"{case['payment_id']}, {payment['status']}, {payment['wallet'] or 'any wallet'}"),
        ("amount", f"{yuan(case['amount'])}, of which {yuan(payment['amount_refunded'])} refunded"),
        ("merchant", case["merchant_id"]),
        ("customer", _customer(case["customer"])),
        ("decision", _decision(case["decision"])),
        ("due", _due(case)),
        ("stands", f"{_standing(case)}, version {case['version']}"),
    ):
        head.add_row(Text(name, "dim"), value)
    title = Text.assemble(case["id"], " ", _word(case["kind"]), " ", _word(case["verdict"] or case["status"]))
    parts: list[RenderableType] = [Panel(head, title=title, title_align="left")]
    parts += [_complaint(each) for each in case["complaints"]]
    parts += [_recent(case["recent_payments"]), _labels(case["labels"]), _steps(case["steps"])]
    return Group(*parts)


def _customer(said: Mapping[str, Any] | None) -> str:
    if said is None:
        return "erased"
    return ", ".join(f"{name} {said[name]}" for name in ("id", "device", "ip", "card_bin") if said[name]) or "not known"


def _decision(decision: Mapping[str, Any] | None) -> RenderableType:
    if decision is None:
        return "no rule set was in force"
    rules = ", ".join(f"{rule['code']} ({rule['mode']})" for rule in decision["rules"]) or "no rule hit"
    more = f" · score {decision['score']} · rule set {decision['rule_set_version']} · {rules}"
    seen = [f"\n{name} = {value}" for name, value in decision["values"].items()]
    return Text.assemble(_word(decision["decision"]), more, ("".join(seen), "dim"))


def _complaint(complaint: Mapping[str, Any]) -> Panel:
    lines = [complaint["text"], *(f"{each['name']}: {each['text'] or each['url']}" for each in complaint["evidence"])]
    title = f"{complaint['reason'].replace('_', ' ')} · {complaint['channel']} {complaint['channel_complaint_id']}"
    return Panel(Text("\n".join(lines)), title=Text(title), title_align="left")


def _recent(payments: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not payments:
        return Text("No other payments of the customer near it.", "dim")
    table = Table("customer's payments", "status", title_justify="left")
    table.add_column("amount", justify="right")
    table.add_column("risk")
    for each in payments:
        risk = Text.assemble(_word(each["risk_decision"]), f" {each['risk_score']}")
        table.add_row(_time(each["created_at"]), _word(each["status"]), yuan(each["amount"]), risk)
    return table


def _labels(labels: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not labels:
        return Text("Not labelled.", "dim")
    table = _folded("label", "who knew", "known at", "by", "note")
    for each in labels:
        word = _word("fraud" if each["fraud"] else "good")
        table.add_row(word, each["source"], _time(each["known_at"]), each["by"], Text(each["note"] or ""))
    return table


def _steps(steps: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not steps:
        return Text("Nobody has done anything yet.", "dim")
    table = _folded("at", "what was done", "by", "note")
    for each in steps:
        table.add_row(_time(each["at"]), each["kind"].replace("_", " "), each["by"], Text(each["note"] or ""))
    return table


def _folded(*headings: str) -> Table:
    """Where nothing is cut off: notes name cases, which are there to be copied."""
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _word(word: str) -> Text:
    return Text(word.replace("_", " "), _COLOURS.get(word, ""))


def _time(moment: str) -> str:
    """In the time zone of this machine."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"
