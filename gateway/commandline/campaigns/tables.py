"""How campaigns look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.commandline.campaigns.terms import terms_of

_BAR: Final = 24
"""Columns of a budget's bar."""
_NARROW_BAR: Final = 10
_ID_LENGTH: Final = 30
_WIDE: Final = 140
"""Columns of a terminal that has room for everything."""
_STYLES: Final = {"draft": "dim", "active": "green", "paused": "yellow", "ended": "dim"}


def print_campaign(found: Mapping[str, Any]) -> None:
    """A campaign with its budget."""
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(found):
        table.add_row(name, value)
    Console().print(table, markup=False)


def campaigns_table(campaigns: Sequence[Mapping[str, Any]], width: int) -> Table:
    """Where each stands, and what became of its budget; on a terminal of few columns only the most needed."""
    amounts = ("spent", "held", "left", "total") if width >= _WIDE else ("left",)
    table = Table()
    table.add_column("campaign", overflow="fold", min_width=_ID_LENGTH)
    table.add_column("status", no_wrap=True)
    if width >= _WIDE:
        table.add_column("benefit")
    for heading in amounts:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("█ spent ▓ held ░ left" if width >= _WIDE else "█ ▓ held ░ left", no_wrap=True)
    for each in campaigns:
        budget, status = each["budget"], each["status"]
        name = Text.assemble(each["name"], "\n", (each["id"], "dim"))
        benefit = [benefit_of(each)] if width >= _WIDE else []
        shown = [_optional(budget[amount]) for amount in amounts]
        bar = bar_of(budget, _BAR if width >= _WIDE else _NARROW_BAR)
        table.add_row(name, Text(status, _STYLES[status]), *benefit, *shown, bar)
    return table


def versions_table(versions: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each version."""
    table = Table()
    for heading in ("version", "written", "name", "benefit", "condition"):
        table.add_column(heading, overflow="fold")
    for each in versions:
        written = each["campaign"]
        number = f"{each['version']}{' in force' if each['in_force'] else ''}"
        table.add_row(number, each["created_at"], written["name"], benefit_of(written), written["condition"] or "")
    return table


def bar_of(budget: Mapping[str, Any], columns: int = _BAR) -> Text:
    """What is spent, held and left of a budget; nothing where there is none."""
    total = budget["total"]
    if not total:
        return Text("no budget", "dim")
    spent = round(columns * budget["spent"] / total)
    used = round(columns * (budget["spent"] + budget["held"]) / total)
    return Text.assemble(
        ("█" * spent, "green"), ("▓" * (used - spent), "yellow"), ("░" * (columns - used), "dim"), f" {_share(budget)}"
    )


def benefit_of(campaign: Mapping[str, Any]) -> str:
    """A benefit in few words."""
    benefit = campaign["benefit"]
    spend = f" from {money(benefit['spend'])} on" if benefit.get("spend") else ""
    most = f", at most {money(benefit['max'])}" if benefit.get("max") else ""
    match benefit["type"]:
        case "amount_off":
            return ", ".join(f"{money(tier['off'])} off {money(tier['spend'])}" for tier in benefit["tiers"])
        case "percent_off":
            return f"{benefit['percent']} % off{most}{spend}"
        case "fee_off":
            return f"{benefit['percent']} % of the fee{most}{spend}"
        case "random_off":
            return f"{money(benefit['min'])} to {money(benefit['max'])} off, {money(benefit['mean'])} on average{spend}"
        case "fixed_price":
            return f"costs {money(benefit['price'])}{spend}"
        case kind:
            return f"{benefit.get('count', 1)} × {kind}{spend}"


def money(amount_fen: int) -> str:
    """An amount as managers read it: ¥10,000.00."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}¥{abs(amount_fen) // 100:,}.{abs(amount_fen) % 100:02d}"


def _lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str | Text]]:
    budget, today = found["budget"], found["budget"]["today"]
    yield "campaign", found["id"]
    yield "name", found["name"]
    yield "status", Text(f"{found['status']}, version {found['version']}", _STYLES[found["status"]])
    yield "benefit", benefit_of(found)
    yield "condition", found["condition"] or "always"
    if found["funding"]:
        yield "funded by", ", ".join(f"{part['sponsor']} {part['share']}" for part in found["funding"])
    yield from terms_of(found)
    yield "runs", runs_of(found)
    yield "budget", bar_of(budget)
    yield "  total", _optional(budget["total"])
    for name in ("spent", "held", "left"):
        yield f"  {name}", _optional(budget[name])
    if budget["returned_to_sponsor"]:
        yield "  returned", _optional(budget["returned_to_sponsor"])
    yield "payments", _of(budget["count"]["used"], budget["count"]["total"])
    limit = "" if today["budget"] is None else f" of {money(today['budget'])}"
    yield "today", f"{money(today['used'])}{limit}; payments: {_of(today['count_used'], today['count'])}"


def runs_of(found: Mapping[str, Any]) -> str:
    """From when on until when, and whose days."""
    begins = found["starts_at"] or found.get("activated_at")
    begins = f"from {begins}" if begins else "from its activation"
    ends = found.get("ended_at") or found["ends_at"]
    return f"{begins} {f'until {ends}' if ends else 'until it is ended'}; days in {found['timezone']}"


def _share(budget: Mapping[str, Any]) -> str:
    return f"{(budget['spent'] + budget['held']) / budget['total']:.0%}"


def _of(used: int, most: int | None) -> str:
    return f"{used}" if most is None else f"{used} of {most}"


def _optional(amount_fen: int | None) -> str:
    return "no limit" if amount_fen is None else money(amount_fen)
