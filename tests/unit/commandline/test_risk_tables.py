"""How rules, lists and cases look in a terminal: nothing that is needed is cut off, however narrow it is."""

from __future__ import annotations

import io
import re
from typing import Any, Final

import pytest
from rich.console import Console
from rich.table import Table

from gateway.commandline.risk.backtest.page import page_of
from gateway.commandline.risk.backtest.tables import tables_of
from gateway.commandline.risk.cases.calls import queue_table
from gateway.commandline.risk.lists.calls import entries_table
from gateway.commandline.risk.rules.tables import rules_table, versions_table
from risk.backtest.outcome import Outcome, RuleTally
from risk.backtest.tally import Tally, Whole
from risk.decision import Action
from risk.rules.rule import Mode

_WIDTHS: Final = (80, 100, 160)
_PAYMENT: Final = "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
_CASE: Final = "case_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
_MERCHANT: Final = "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
_WHEN: Final = "listed('block', 'customer') || velocity('distinct_customers', 'device+merchant', '30d') >= 3"
_LONG: Final = "account_takeover.refused_then_new_device"
_AT: Final = "2026-11-22T15:24:03.125Z"


def printed(table: Table, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table, markup=False)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    return text


def column(text: str, place: int) -> str:
    """What stands in a column, without the breaks that its width made."""
    rows = [line.split("│") for line in text.splitlines() if line.startswith("│")]
    return "".join(row[place + 1].strip() for row in rows)


def rule(**fields: Any) -> dict[str, Any]:
    return {
        "code": _LONG,
        "when": _WHEN,
        "action": "decline",
        "score": 40,
        "mode": "live",
        "rollout": 30,
        "priority": 200,
        "description": "Refused, and then another phone.",
        "merchants": [_MERCHANT],
        **fields,
    }


@pytest.mark.parametrize("width", _WIDTHS)
def test_of_a_rule_its_code_its_condition_and_whose_it_is_can_be_read(width: int) -> None:
    text = printed(rules_table([rule()]), width)
    code, when = (re.sub(r"\s", "", column(text, place)) for place in (0, 1))
    assert _LONG in code
    assert f"decline,score40,priority200,to30%,{_MERCHANT}" in code
    assert re.sub(r"\s", "", _WHEN) in when


@pytest.mark.parametrize("width", _WIDTHS)
def test_of_a_version_its_times_and_its_note_can_be_read(width: int) -> None:
    version = {"version": 12, "status": "retired", "rule_count": 100_000, "test_count": 130, "failed_tests": []}
    table = versions_table([version | {"created_at": _AT, "published_at": _AT, "note": f"packs: {_LONG}"}])
    text = printed(table, width)
    assert text.count("15:24") == 2
    assert _LONG in column(text, 6)


@pytest.mark.parametrize("width", _WIDTHS)
def test_of_an_entry_its_owner_and_its_reason_can_be_read(width: int) -> None:
    entry = {"list": "block", "field": "customer", "value": "till-7", "scope": _MERCHANT, "reason": f"fraud: {_CASE}"}
    text = printed(entries_table([entry | {"added_by": "li.wei", "added_at": _AT, "expires_at": _AT}]), width)
    assert _MERCHANT in column(text, 2)
    assert _CASE in column(text, 3)
    assert text.count("15:24") == 2


def test_an_entry_that_counts_no_more_is_told_to_have_expired() -> None:
    entry = {"list": "block", "field": "region", "value": "north", "scope": None, "reason": "", "added_by": None}
    past, coming = (f"{year}-01-01T00:00:00.000Z" for year in (2020, 9998))
    untils = [
        column(printed(entries_table([entry | {"added_at": _AT, "expires_at": until}]), 160), 4)
        for until in (past, coming, None)
    ]
    assert untils == ["expired, 2020-01-01 00:00", "9998-01-01 00:00", "for ever"]


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("verdict", [None, "fraud"])
def test_of_a_case_both_ids_the_amount_the_time_and_who_has_it_can_be_read(width: int, verdict: str | None) -> None:
    case = {"id": _CASE, "payment_id": _PAYMENT, "kind": "complaint", "score": 100, "amount": 9_999_999}
    stands = {"verdict": verdict, "decided_at": _AT, "decided_by": verdict and "li.wei", "overdue": True, "due_at": _AT}
    text = printed(queue_table([case | stands | {"claimed_by": None if verdict else "li.wei"}]), width)
    for part in (_CASE, _PAYMENT, "complaint", "100", "¥99,999.99", "2026-11-22", "li.wei", verdict or "overdue"):
        assert part in text


def outcome() -> Outcome:
    """Of one rule, without a day."""
    tally = Tally(9_999, 9_999, 0.5, 0.5, 99_999_999, 0.5, 9_999, 9_999, 99_999_999, 99_999_999)
    by_rule = RuleTally(_LONG, Action.DECLINE, Mode.LIVE, tally, 9_999, ())
    return Outcome(Whole(0, 0, 0, 0, 0), tally, (by_rule,), (), 0, labelled=True, ranking=None, against=None)


def test_a_back_test_tells_the_whole_code_of_a_rule() -> None:
    _, rules, *_ = tables_of(outcome())
    assert _LONG in column(printed(rules, 140), 0)


@pytest.mark.parametrize(("played", "name"), [("5", "Version 5 of the rules"), ("rules/night.json", "night.json")])
def test_a_back_tests_page_is_headed_by_what_was_played_and_breaks_codes_between_words(played: str, name: str) -> None:
    made = page_of(outcome(), played)
    assert f"<h1>{name}</h1>" in made
    assert "account_<wbr>takeover.<wbr>refused_<wbr>then_<wbr>new_<wbr>device" in made
    assert "days before" not in made
