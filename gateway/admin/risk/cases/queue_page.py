"""The queue of risk cases as one page that loads nothing: how it stands, and what to look at next; light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fastapi import Response

from gateway.admin.risk.page_parts import STYLE, at, badge, cards, lasted, table, until, yuan
from gateway.http.pages import Language, page
from gateway.kernel.clock import utc_now
from risk.cases.case import Kind
from risk.cases.gauges import Standing


def queue_page(
    cases: Sequence[Mapping[str, Any]], standing: Mapping[Kind, Standing], status: str, *, has_more: bool
) -> Response:
    """`cases` are CaseObjects, in the order of the list."""
    title = "Risk cases" if status == "open" else "Decided risk cases"
    more = "<p>There are more: the list goes on with the next page.</p>" if has_more else ""
    rows = [_open_row(case) if status == "open" else _decided_row(case) for case in cases]
    headings = ("case", "kind", "amount", "score", *(("due", "with") if status == "open" else ("verdict", "by")))
    body = f"<h1>{title}</h1><p>{at(utc_now().isoformat())}, Beijing time</p>{_cards(standing)}"
    body += table(headings, rows, numbers=frozenset({2, 3})) + more
    return page(Language.ENGLISH, title, STYLE, f"<main>{body}</main>")


def _cards(standing: Mapping[Kind, Standing]) -> str:
    waiting = sum(each.open for each in standing.values())
    overdue = sum(each.overdue for each in standing.values())
    oldest_s = max(each.oldest_s for each in standing.values())
    return cards(
        (
            (f"{waiting:,}", "wait for a verdict"),
            (f"{overdue:,}", "of them overdue"),
            (lasted(oldest_s) if waiting else "–", "the oldest has waited"),
            (f"{standing[Kind.COMPLAINT].open:,}", "complaints among them"),
        )
    )


def _name(case: Mapping[str, Any]) -> str:
    return f'<span class="id">{escape(case["id"])}<br>{escape(case["payment_id"])}</span>'


def _figures(case: Mapping[str, Any]) -> tuple[str, ...]:
    score = "–" if case["score"] is None else str(case["score"])
    return _name(case), badge(case["kind"]), yuan(case["amount"]), score


def _open_row(case: Mapping[str, Any]) -> tuple[str, ...]:
    due = until(case["due_at"])
    if case["overdue"]:
        due = f"{badge('overdue')} {due}"
    held = escape(case["claimed_by"] or "–")
    return *_figures(case), f"{due}<br><span class='id'>{at(case['due_at'])}</span>", held


def _decided_row(case: Mapping[str, Any]) -> tuple[str, ...]:
    by = f"{escape(case['decided_by'])}<br><span class='id'>{at(case['decided_at'])}</span>"
    return *_figures(case), badge(case["verdict"]), by
