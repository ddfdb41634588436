"""How payments, refunds, coupons and codes look in a terminal; as JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import segno
from rich.console import Console
from rich.table import Table

from gateway.devstack.screen import yuan

_AMOUNTS: Final = frozenset(
    {
        "amount",
        "discount",
        "payable",
        "amount_refunded",
        "returned_to_customer",
        "discount_returned",
        "fee_returned",
    }
)
_LEFT_OUT: Final = frozenset({"object", "currency"})
_APPROVED: Final = {"decision": "approve", "score": 0, "reasons": []}
"""A risk check without anything to say."""


def show(found: Mapping[str, object], *, as_json: bool) -> None:
    """Print an object: what says nothing (null, an empty list) is left out, unless it is JSON."""
    if as_json:
        print_json(found)
        return
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in found.items():
        if name not in _LEFT_OUT and value not in (None, [], {}, _APPROVED):
            table.add_row(name, _text(name, value))
    Console().print(table, markup=False)


def print_json(found: object) -> None:
    """Print an answer for scripts, on one line."""
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")


def problems_table(problems: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each problem of a document: the field, in a condition also line and column, what is wrong, a hint."""
    table = Table()
    for heading in ("where", "what", "hint"):
        table.add_column(heading, overflow="fold")
    for each in problems:
        place = "" if each["line"] is None else f":{each['line']}:{each['column']}"
        table.add_row(f"{each['path']}{place}", each["message"], each["hint"])
    return table


def show_code(content: str) -> None:
    """The code as blocks of the terminal, where it is one; its content in any case."""
    console = Console()
    if console.is_terminal:
        segno.make(content, error="m").terminal(compact=True, border=2)
    console.print(f"Scan and pay: {content}", markup=False, soft_wrap=True)


def say(text: str) -> None:
    """A sentence beside what is printed."""
    Console(stderr=True).print(text, markup=False, soft_wrap=True, highlight=False)


def _text(name: str, value: object) -> str:
    if name in _AMOUNTS and isinstance(value, int):
        return yuan(value)
    if name == "failure" and isinstance(value, dict):
        return _failure(value)
    if name == "risk" and isinstance(value, dict):
        return _risk(value)
    if name == "promotions" and isinstance(value, list):
        return "\n".join(_promotion(each) for each in value)
    if name == "funding" and isinstance(value, list):
        return funders(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def funders(funding: Sequence[Mapping[str, Any]]) -> str:
    """Who pays for which part: “bank ¥3.50, merchant ¥1.50”."""
    return ", ".join(f"{part['sponsor']} {yuan(part['amount'])}" for part in funding)


def _promotion(promotion: Mapping[str, Any]) -> str:
    """A campaign, what it takes off, and who pays for that."""
    off = f": {yuan(promotion['discount'])} off" if promotion["discount"] else ""
    paid = f", paid by {funders(promotion['funding'])}" if promotion["funding"] else ""
    return f"{promotion['name']}{off}{paid} ({promotion['campaign_id']})"


def _risk(risk: Mapping[str, Any]) -> str:
    """“review, score 40: R_LARGE, R_NIGHT”."""
    reasons = f": {', '.join(risk['reasons'])}" if risk["reasons"] else ""
    return f"{risk['decision']}, score {risk['score']}{reasons}"


def _failure(failure: Mapping[str, Any]) -> str:
    """Code and sentence; the wallet's own code stands in brackets."""
    channel = f" ({failure['channel_code']})" if failure["channel_code"] else ""
    return f"{failure['code']}{channel}: {failure['message']}"
