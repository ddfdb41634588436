"""Shows what the audit compared: as tables for people, as one JSON object for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from gateway.audit.checks import HOLDS, HOLDS_OF_OWN, OF_CHANNELS, Check
from gateway.audit.run import AuditKind, AuditReport
from gateway.audit.totals import APART_OF_CHANNELS, AccountSums, Pile
from gateway.kernel.clock import rfc3339

_WIDTH: Final = 160
_MONEY_COLUMNS: Final = {
    "orders": "trades",
    "captures": "captures",
    "captured": "captured_fen",
    "given back": "returned_fen",
    "kept": "kept_fen",
    "apart": "apart_fen",
    "booked": "booked_fen",
    "difference": "difference_fen",
    "fees": "fees_fen",
    "succeeded": "succeeded",
    "payable": "succeeded_fen",
}
_OWN_COLUMNS: Final = {"succeeded": "succeeded", "payable": "succeeded_fen"}
_OWN_BOOKS: Final = (
    "Own books only: the channels' books were not there. Whether a channel took or gave back what is booked here is "
    "not compared; the reconciliation with the channels' statements answers that."
)
_OF_DAYS: Final = (
    "Counters that count for ever, and what is known of customers, need all payments: of these days only they were not "
    "compared."
)


def as_json(report: AuditReport) -> bytes:
    """The whole report; amounts in fen."""
    findings, totals, log = report.findings, report.totals, report.client_log
    document: dict[str, Any] = {
        "kind": report.kind.value,
        "channels_compared": report.kind is AuditKind.THREE_BOOKS,
        "days": None
        if report.days is None
        else {"first": report.days.first.isoformat(), "last": report.days.last.isoformat()},
        "left_out": _left_out(report),
        "agrees": report.agrees,
        "audited_at": rfc3339(report.at),
        "quiet": report.quiet,
        "bound_s": report.bound_s,
        "payments": {"count": report.payments, "by_status": dict(sorted(totals.statuses.items()))},
        "refunds": {
            "count": sum(totals.refund_statuses.values()),
            "by_status": dict(sorted(totals.refund_statuses.items())),
        },
        "callbacks": {
            "count": report.callbacks.results.total(),
            "by_result": dict(sorted(report.callbacks.results.items())),
            "for_review": report.callbacks.for_review,
        },
        "webhooks": {
            "events": report.webhooks.events,
            "deliveries": dict(sorted(report.webhooks.deliveries.items())),
            "outbox": report.webhooks.outbox,
            "waiting_past_the_bound": report.webhooks.overdue,
        },
        "campaigns": asdict(report.campaigns),
        "pool": None if report.pool is None else asdict(report.pool),
        "simulators": {
            "orders": report.trades,
            "refunds": report.refunds,
            "unknown_orders": _piles(report, totals.unknown),
        }
        if report.kind is AuditKind.THREE_BOOKS
        else None,
        "client_log": None
        if log is None
        else {
            "lines": log.lines,
            "torn_lines": log.torn,
            "payments_told": log.answers,
            "refunds_told": log.refunds,
            "http_statuses": dict(sorted(log.http_statuses.items())),
        },
        "accounts": {
            account_id: {name: getattr(sums, name) for name in _columns(report).values()}
            for account_id, sums in sorted(totals.accounts.items())
        },
        "apart": _piles(report, _told_apart(report)),
        "checks": [
            {
                "name": check.value,
                "holds": None if _is_left_out(report, check) else findings.counts[check] == 0,
                "compared": findings.compared[check],
                "mismatches": findings.counts[check],
                "meaning": _meanings(report)[check],
            }
            for check in Check
        ],
        "mismatches_total": findings.total,
        "mismatches": [
            {"check": found.check.value, "ids": dict(found.ids), "explanation": found.explanation}
            for found in findings.shown
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def show(report: AuditReport) -> None:
    """The report as tables on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, width=_WIDTH)
    for line in _left_out(report):
        console.print(line, markup=False)
    console.print(_accounts(report))
    console.print(_apart(report))
    console.print(_checks(report))
    for line in [_callbacks(report), _webhooks(report), _campaigns(report), _pool(report), *_client_log(report)]:
        console.print(line, markup=False)
    for found in report.findings.shown:
        ids = " ".join(f"{name}={value}" for name, value in found.ids.items())
        console.print(f"✗ {found.check}  {ids}\n    {found.explanation}", markup=False)
    hidden = report.findings.total - len(report.findings.shown)
    if hidden:
        console.print(f"… and {hidden} more", markup=False)
    console.print(_verdict(report), markup=False)


def _accounts(report: AuditReport) -> Table:
    is_own = report.kind is AuditKind.OWN_BOOKS
    title = "Accounts: our books alone (fen)" if is_own else "Accounts: the simulators' books and ours (fen)"
    table = Table(title=title, title_justify="left")
    table.add_column("account")
    for heading in _columns(report):
        table.add_column(heading, justify="right")
    total = AccountSums()
    for account_id, sums in sorted(report.totals.accounts.items()):
        table.add_row(account_id or "?", *_numbers(report, sums))
        for name in AccountSums.__slots__:
            setattr(total, name, getattr(total, name) + getattr(sums, name))
    for channel, pile in sorted(report.totals.unknown.items()):
        table.add_row(f"not ours, at {channel}", f"{pile.count:,}", "", "", "", f"{pile.kept_fen:,}")
    table.add_section()
    table.add_row("all accounts", *_numbers(report, total))
    return table


def _apart(report: AuditReport) -> Table:
    table = Table(title=f"Counted apart (bound {report.bound_s:.0f} s)", title_justify="left")
    table.add_column("why")
    table.add_column("payments", justify="right")
    if report.kind is AuditKind.THREE_BOOKS:
        table.add_column("kept by the channels (fen)", justify="right")
    for name, pile in _told_apart(report).items():
        kept = [f"{pile.kept_fen:,}"] if report.kind is AuditKind.THREE_BOOKS else []
        table.add_row(name.replace("_", " "), f"{pile.count:,}", *kept)
    return table


def _checks(report: AuditReport) -> Table:
    table = Table(title="Checks", title_justify="left")
    table.add_column("")
    table.add_column("check")
    table.add_column("compared", justify="right")
    table.add_column("mismatches", justify="right")
    table.add_column("what must hold")
    for check in Check:
        compared, wrong = report.findings.compared[check], report.findings.counts[check]
        mark = "✗" if wrong else "✓" if compared else "–"
        table.add_row(mark, check.value, f"{compared:,}", f"{wrong:,}", _meanings(report)[check])
    return table


def _callbacks(report: AuditReport) -> str:
    results = report.callbacks.results
    odd = report.callbacks.for_review
    to_do = f"; {odd:,} for a person to look at" if odd else ""
    return f"Callbacks: {results.total():,} ({_counted(results)}){to_do}."


def _webhooks(report: AuditReport) -> str:
    found = report.webhooks
    late = f"; {found.overdue:,} wait for longer than the bound" if found.overdue else ""
    return (
        f"Webhooks: {found.events:,} events to tell, {found.deliveries.total():,} deliveries "
        f"({_counted(found.deliveries)}), {found.outbox:,} in the outbox{late}."
    )


def _campaigns(report: AuditReport) -> str:
    found = report.campaigns
    return (
        f"Campaigns: {found.campaigns:,}; {found.granted_fen:,} fen of their budgets are granted, {found.used_fen:,} "
        f"held or spent by {found.redemptions:,} redemptions."
    )


def _pool(report: AuditReport) -> str:
    found = report.pool
    if found is None:
        return "Pool: Valkey was not asked."
    return (
        f"Pool: {found.slices:,} slices in Valkey, {found.left_fen:,} fen left and {found.reserved_fen:,} reserved; "
        f"{found.stranded_fen:,} fen are stranded, {found.ahead_fen:,} ahead of PostgreSQL, which refuses them."
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join([f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items())]) or "none"


def _client_log(report: AuditReport) -> list[str]:
    log = report.client_log
    if log is None:
        return ["No client log was given: what clients were told could not be compared."]
    statuses = ", ".join(f"{count:,} × {status}" for status, count in sorted(log.http_statuses.items()))
    torn = f", {log.torn} torn" if log.torn else ""
    return [f"Client log: {log.lines:,} lines{torn} ({statuses}); {log.answers:,} told of a payment."]


def _verdict(report: AuditReport) -> str:
    statuses = ", ".join(f"{count:,} {status}" for status, count in sorted(report.totals.statuses.items()))
    compared = f"{report.payments:,} payments ({statuses or 'none'})"
    if report.kind is AuditKind.OWN_BOOKS:
        compared += ", without the channels' books"
    else:
        compared += f", {report.trades:,} orders and {report.refunds:,} refunds at the simulators"
    restless = "" if report.quiet else " The stack was not quiet."
    books = "Our own books" if report.kind is AuditKind.OWN_BOOKS else "The books"
    if report.agrees:
        return f"{books} agree: {compared}.{restless}"
    return f"{books} disagree in {report.findings.total:,} places: {compared}.{restless}"


def _left_out(report: AuditReport) -> list[str]:
    """What this audit cannot say, in sentences; nothing of one that joined all books."""
    if report.kind is AuditKind.THREE_BOOKS:
        return []
    days = report.days
    if days is None:
        return [_OWN_BOOKS]
    return [_OWN_BOOKS, f"Payments made from {days.first} to {days.last} (Beijing), day by day. {_OF_DAYS}"]


def _is_left_out(report: AuditReport, check: Check) -> bool:
    return report.kind is AuditKind.OWN_BOOKS and (check in OF_CHANNELS or not report.findings.compared[check])


def _meanings(report: AuditReport) -> Mapping[Check, str]:
    return HOLDS_OF_OWN if report.kind is AuditKind.OWN_BOOKS else HOLDS


def _columns(report: AuditReport) -> Mapping[str, str]:
    return _OWN_COLUMNS if report.kind is AuditKind.OWN_BOOKS else _MONEY_COLUMNS


def _numbers(report: AuditReport, sums: AccountSums) -> list[str]:
    return [f"{getattr(sums, name):,}" for name in _columns(report).values()]


def _told_apart(report: AuditReport) -> Mapping[str, Pile]:
    """The piles; those that only the channels' books can fill are left out where these were not there."""
    piles = report.totals.apart
    if report.kind is AuditKind.THREE_BOOKS:
        return piles
    return {name: pile for name, pile in piles.items() if name not in APART_OF_CHANNELS}


def _piles(report: AuditReport, piles: Mapping[str, Pile]) -> dict[str, dict[str, int | None]]:
    has_channels = report.kind is AuditKind.THREE_BOOKS
    return {
        name: {"count": pile.count, "kept_fen": pile.kept_fen if has_channels else None} for name, pile in piles.items()
    }
