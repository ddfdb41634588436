"""A shift report as a page to print: totals, the tills, what is open, and whether the books agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from fastapi import Response

from gateway.http.pages import Language, page
from gateway.kernel.money import Money
from gateway.merchants.store import Merchant
from gateway.reports.shift import Books, Group, Lines, PaymentLine, RefundLine, ShiftReport, Sums
from gateway.reports.words import WORDS, Words

Naming: TypeAlias = Callable[[Group], tuple[str | None, ...]]
"""What a row of a table is called, and by what the report is divided for it."""
LINES_SHOWN: Final = 500
_STYLE: Final = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;max-width:60rem;margin:1.5rem auto;
padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .3rem}p{margin:.2rem 0;color:#57606a}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;border-bottom:1px solid #d8dee4;text-align:right;white-space:nowrap}
th.t,td.t{text-align:left;white-space:normal;overflow-wrap:anywhere}
thead th{border-bottom:2px solid #1b1f24}tfoot td,tfoot th{font-weight:700;border-bottom:0}
.ok{color:#116329;font-weight:700}.bad{color:#b42318;font-weight:700}
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}}
"""


def shift_page(report: ShiftReport, merchant: Merchant, language: Language) -> Response:
    """The page, in the merchant's time zone."""
    words, timezone = WORDS[language], ZoneInfo(merchant.timezone)
    parts = [
        _head(report, merchant, words, timezone),
        _totals(report, words),
        _table(words.by_terminal, (words.store, words.terminal), report, words, _terminal),
        _table(words.by_operator, (words.operator,), report, words, lambda group: (group.till.operator_id,)),
        _table(words.by_wallet, (words.wallet,), report, words, lambda group: (words.name(group.wallet),)),
        _statuses(report, words),
        _lines(words.open, report.open, words, timezone) if _has(report.open) else "",
        _lines(words.lines, report.lines, words, timezone),
    ]
    return page(language, f"{words.title} · {merchant.name}", _STYLE, f"<main>{''.join(parts)}</main>")


def _head(report: ShiftReport, merchant: Merchant, words: Words, timezone: ZoneInfo) -> str:
    till = zip((words.store, words.terminal, words.operator), report.wanted, strict=True)
    chosen = " · ".join(f"{name} {value}" for name, value in till if value is not None)
    start, end = (_time(moment, timezone) for moment in report.period)
    made = words.made.format(_time(report.made_at, timezone))
    lines = [f"{start} – {end} ({merchant.timezone})", chosen, made]
    return f"<h1>{escape(merchant.name)} · {words.title}</h1>" + "".join(f"<p>{escape(x)}</p>" for x in lines if x)


def _totals(report: ShiftReport, words: Words) -> str:
    sums, books = report.total()
    kind, verdict = ("ok", f"✓ {words.agrees}") if report.agrees else ("bad", f"✗ {words.differs}")
    rows = [
        (words.payments, sums.payments, sums.payable, books.captured),
        (words.discount, "", sums.discount, books.discount),
        (words.refunds, sums.refunds, -sums.returned, -books.returned),
        (words.net, "", sums.net, books.captured - books.returned),
        (words.fees, "", None, -books.fees),
    ]
    body = "".join(
        f'<tr><th scope="row" class="t">{name}</th><td>{count}</td><td>{_yuan(ours)}</td><td>{_yuan(theirs)}</td></tr>'
        for name, count, ours, theirs in rows
    )
    head = _row("th", ("", words.count, words.amount, words.books))
    table = f"<h2>{words.totals}</h2><table><thead>{head}</thead><tbody>{body}</tbody></table>"
    return f'{table}<p class="{kind}">{verdict}</p>'


def _table(title: str, names: Sequence[str], report: ShiftReport, words: Words, key: Naming) -> str:
    rows = report.by(key)
    head = _row(
        "th", (*names, words.payments, words.paid, words.refunds, words.returned, words.net, words.fees), len(names)
    )
    body = "".join(
        _row("td", (*[part or "–" for part in parts], *_figures(*both)), len(names)) for parts, both in rows.items()
    )
    foot = _row("td", (words.sum, *[""] * (len(names) - 1), *_figures(*report.total())), len(names))
    return _framed(title, f"<thead>{head}</thead><tbody>{body}</tbody><tfoot>{foot}</tfoot>") if rows else ""


def _statuses(report: ShiftReport, words: Words) -> str:
    found = [(words.payment, row) for row in report.payment_statuses]
    found += [(words.refund, row) for row in report.refund_statuses]
    head = _row("th", ("", words.wallet, words.status, words.count, words.goods, words.paid_or_returned), 3)
    body = "".join(
        _row(
            "td",
            (
                kind,
                words.name(row.wallet) or "–",
                words.name(row.status),
                row.count,
                _yuan(row.amount),
                _yuan(row.customer),
            ),
            3,
        )
        for kind, row in found
    )
    return _framed(words.by_status, f"<thead>{head}</thead><tbody>{body}</tbody>") if found else ""


def _lines(title: str, lines: Lines, words: Words, timezone: ZoneInfo) -> str:
    rows = [_payment_cells(line, words, timezone) for line in lines.payments]
    rows += [_refund_cells(line, words, timezone) for line in lines.refunds]
    head = _row("th", (words.time, "", words.number, words.wallet, words.status, words.goods, words.customer), 5)
    body = "".join(_row("td", row, 5) for row in rows)
    more = f"<p>{words.more}</p>" if lines.more_payments or lines.more_refunds else ""
    return _framed(title, f"<thead>{head}</thead><tbody>{body}</tbody>") + more if rows else ""


def _payment_cells(line: PaymentLine, words: Words, timezone: ZoneInfo) -> tuple[str, ...]:
    reversal = words.name("reversal") if line.reversal == "pending" else None
    return (
        _time(line.created_at, timezone),
        words.payment,
        line.merchant_order_no,
        words.name(line.wallet) or "–",
        " · ".join(part for part in (words.name(line.status), reversal) if part),
        _yuan(line.amount),
        _yuan(line.payable),
    )


def _refund_cells(line: RefundLine, words: Words, timezone: ZoneInfo) -> tuple[str, ...]:
    return (
        _time(line.created_at, timezone),
        words.refund,
        f"{line.merchant_refund_no} ({line.merchant_order_no})",
        words.name(line.wallet) or "–",
        words.name(line.status),
        _yuan(-line.amount),
        _yuan(-line.returned_to_customer),
    )


def _terminal(group: Group) -> tuple[str | None, ...]:
    return group.till.store_id, group.till.terminal_id


def _figures(sums: Sums, books: Books) -> tuple[str | int, ...]:
    return sums.payments, _yuan(sums.payable), sums.refunds, _yuan(-sums.returned), _yuan(sums.net), _yuan(-books.fees)


def _row(tag: str, cells: Sequence[str | int], texts: int = 1) -> str:
    """One row whose first cells are text and whose others are figures."""
    kinds = [' class="t"' if number < texts else "" for number in range(len(cells))]
    scope = ' scope="col"' if tag == "th" else ""
    made = [f"<{tag}{scope}{kind}>{escape(str(cell))}</{tag}>" for kind, cell in zip(kinds, cells, strict=True)]
    return f"<tr>{''.join(made)}</tr>"


def _framed(title: str, rows: str) -> str:
    return f'<h2>{title}</h2><div class="wide"><table>{rows}</table></div>'


def _has(lines: Lines) -> bool:
    return bool(lines.payments or lines.refunds)


def _yuan(fen: int | None) -> str:
    """¥ with two places and a real minus; nothing where there is no figure."""
    if fen is None:
        return ""
    return f"{'−' if fen < 0 else ''}¥{Money(abs(fen)).yuan}"


def _time(moment: datetime, timezone: ZoneInfo) -> str:
    return moment.astimezone(timezone).strftime("%Y-%m-%d %H:%M:%S")
