"""A risk case as one page that loads nothing: everything that a verdict goes by; light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from fastapi import Response

from gateway.admin.risk.page_parts import STYLE, at, badge, cards, facts, table, until, yuan
from gateway.http.pages import Language, page

_NO_MONEY: Final = "<p>No verdict moves money: a refund is asked for at <span class='id'>POST {}</span></p>"
_DONE: Final = {"complained": "complaint taken", "taken_over": "taken over"}


def case_page(case: Mapping[str, Any]) -> Response:
    """`case` is a CaseDetail."""
    parts = [
        _head(case),
        _cards(case),
        f'<div class="two"><section>{_payment(case)}</section><section>{_customer(case)}</section></div>',
        _decision(case["decision"]),
        _complaints(case["complaints"]),
        f"<h2>Recent payments of the customer</h2>{_recent(case)}",
        f"<h2>Attempts at the channels</h2>{_attempts(case['payment']['attempts'])}",
        f"<h2>Refunds</h2>{_refunds(case['refunds'])}{_NO_MONEY.format(escape(case['links']['refund']))}",
        f"<h2>Labels</h2>{_labels(case['labels'])}",
        f"<h2>What was done</h2>{_steps(case)}",
    ]
    return page(Language.ENGLISH, f"Case of {yuan(case['amount'])}", STYLE, f"<main>{''.join(parts)}</main>")


def _head(case: Mapping[str, Any]) -> str:
    marks = [case["kind"], case["verdict"] or case["status"], *(["overdue"] if case["overdue"] else [])]
    held = f"{case['claimed_by']} works on it until {at(case['claimed_until'])}" if case["claimed_by"] else ""
    decided = f"decided by {case['decided_by']} at {at(case['decided_at'])}" if case["decided_by"] else ""
    lines = [f"{case['merchant_id']} · times are Beijing's", held or decided or "nobody works on it"]
    heading = f"{yuan(case['amount'])} {' '.join(badge(mark) for mark in marks)}"
    ids = f'<p class="id">{escape(case["id"])} · {escape(case["payment_id"])}</p>'
    return f"<h1>{heading}</h1>{ids}" + "".join(f"<p>{escape(line)}</p>" for line in lines)


def _cards(case: Mapping[str, Any]) -> str:
    recent = case["recent_payments"]
    is_open = case["decided_at"] is None
    time, what = case["due_at" if is_open else "decided_at"], "due" if is_open else "decided"
    return cards(
        (
            ("–" if case["score"] is None else str(case["score"]), "score of the risk check, of 100"),
            (until(time), f"{what}, {at(time)}"),
            (str(len(recent)), f"other payments near it, {yuan(sum(each['amount'] for each in recent))}"),
            (str(len(case["complaints"])), "complaints about it"),
        )
    )


def _payment(case: Mapping[str, Any]) -> str:
    payment = case["payment"]
    failure = payment["failure"]
    return "<h2>Payment</h2>" + facts(
        (
            ("status", payment["status"] if failure is None else f"{payment['status']}: {failure['code']}"),
            ("made", at(payment["created_at"])),
            ("amount", yuan(payment["amount"])),
            ("discount", yuan(payment["discount"]) if payment["discount"] else None),
            ("paid by the customer", yuan(payment["payable"])),
            ("refunded", yuan(payment["amount_refunded"]) if payment["amount_refunded"] else None),
            ("wallet", f"{payment['wallet'] or 'any'}, {payment['method']}"),
            ("channel", payment["channel"]),
            ("channel's number", payment["channel_trade_no"]),
            ("order", payment["merchant_order_no"]),
            ("store", payment.get("store_id")),
            ("till", payment.get("terminal_id")),
        )
    )


def _customer(case: Mapping[str, Any]) -> str:
    said = case["customer"]
    if said is None:
        return "<h2>Customer</h2><p>The request was erased.</p>"
    place = said["location"]
    shown = facts(
        (
            ("id", said["id"]),
            ("device", said["device"]),
            ("address", said["ip"]),
            ("card's BIN", said["card_bin"]),
            ("place", None if place is None else f"{place['latitude']}, {place['longitude']}"),
        )
    )
    return f"<h2>Customer</h2>{shown}<p>Masked: enough to recognise, not enough to identify.</p>"


def _decision(decision: Mapping[str, Any] | None) -> str:
    if decision is None:
        return "<h2>Decision</h2><p>No rule set was in force.</p>"
    stands = f"score {decision['score']} · rule set {decision['rule_set_version']}"
    missed = f" · decided without some features ({decision['missed']})" if decision["missed"] else ""
    rules = [
        (
            f'<span class="badge {"bad" if rule["mode"] == "live" else ""}">{escape(rule["code"])}</span>',
            escape(rule["mode"] if rule["action"] is None else f"{rule['mode']}, {rule['action']}"),
            f"{escape(rule['description'] or '')}<br><span class='when'>{escape(rule['when'] or '')}</span>",
        )
        for rule in decision["rules"]
    ]
    values = [
        (f'<span class="id">{escape(name)}</span>', escape(_text(value))) for name, value in decision["values"].items()
    ]
    head = f"<h2>Decision</h2><p>{badge(decision['decision'])} {stands}{missed}</p>"
    hit = table(("rule that hit", "as", "which is"), rules) if rules else "<p>no rule hit</p>"
    return head + hit + (table(("what was seen", "value"), values, numbers=frozenset({1})) if values else "")


def _complaints(complaints: Sequence[Mapping[str, Any]]) -> str:
    return "<h2>Complaints</h2>" + ("".join(_complaint(each) for each in complaints) or "<p>nothing</p>")


def _complaint(complaint: Mapping[str, Any]) -> str:
    number = escape(complaint["channel_complaint_id"])
    head = (
        f"<p>{badge(complaint['reason'])} {at(complaint['at'])} by {escape(complaint['channel'])}, number {number}</p>"
    )
    rows = [(escape(each["name"]), escape(each["text"] or each["url"])) for each in complaint["evidence"]]
    return f"{head}<blockquote>{escape(complaint['text'])}</blockquote>" + (
        table(("evidence", ""), rows) if rows else ""
    )


def _recent(case: Mapping[str, Any]) -> str:
    rows = [
        (
            f"{at(each['created_at'])}<br><span class='id'>{escape(each['id'])}</span>",
            badge(each["status"]),
            yuan(each["amount"]),
            escape(each["wallet"] or "–"),
            escape(" · ".join(filter(None, (each["store_id"], each["terminal_id"]))) or "–"),
            f"{badge(each['risk_decision'])} {each['risk_score']}",
        )
        for each in case["recent_payments"]
    ]
    return table(("made", "status", "amount", "wallet", "store, till", "risk"), rows, numbers=frozenset({2}))


def _attempts(attempts: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f'<span class="id">{escape(each["order_no"])}</span>',
            escape(each["channel"]),
            badge(each["state"]),
            escape(each["channel_code"] or "–"),
            at(each["created_at"]),
        )
        for each in attempts
    ]
    return table(("number at the channel", "channel", "state", "its word", "begun"), rows)


def _refunds(refunds: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f'<span class="id">{escape(each["id"])}</span>',
            badge(each["status"]),
            yuan(each["amount"]),
            escape(each["reason"] or "–"),
            at(each["created_at"]),
        )
        for each in refunds
    ]
    return table(("refund", "status", "amount", "reason", "asked for"), rows, numbers=frozenset({2}))


def _labels(labels: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            badge("fraud" if each["fraud"] else "good"),
            escape(each["source"]),
            escape(each["by"]),
            at(each["known_at"]),
            escape(each["note"] or "–"),
        )
        for each in labels
    ]
    return table(("label", "who knew", "recorded by", "known at", "note"), rows)


def _steps(case: Mapping[str, Any]) -> str:
    lines = [f"<li>opened <span class='id'>{at(case['opened_at'])}</span></li>"]
    for step in case["steps"]:
        detail = ", ".join(f"{name}: {_text(value)}" for name, value in step["detail"].items())
        told = f" ({escape(detail)})" if detail else ""
        note = f"<blockquote>{escape(step['note'])}</blockquote>" if step["note"] else ""
        what = f"{escape(_DONE.get(step['kind'], step['kind']))} by {escape(step['by'])}{told}"
        lines.append(f"<li>{what} <span class='id'>{at(step['at'])}</span>{note}</li>")
    return f'<ul class="steps">{"".join(lines)}</ul>'


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
