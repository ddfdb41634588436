"""`/docs/errors`: every error code and every failure code on one page, with the channels' own codes beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Final

from fastapi import APIRouter, Response

from gateway.kernel.error_codes import ERRORS
from gateway.kernel.failures import FAILURES, FailureCode
from routing.channels import alipay_codes, unionpay_codes, wechat_codes

router = APIRouter(include_in_schema=False)

_TABLES: Final = {
    "WeChat Pay": (wechat_codes.CHARGE_REFUSALS, wechat_codes.REFUND_REFUSALS),
    "Alipay": (alipay_codes.CHARGE_REFUSALS, alipay_codes.REFUND_REFUSALS),
    "UnionPay": (unionpay_codes.REFUSALS, unionpay_codes.REFUND_REFUSALS),
}
CHANNEL_CODES: Final[Mapping[str, frozenset[tuple[str, FailureCode]]]] = {
    channel: frozenset([(code, row.failure) for table in tables for code, row in table.items()])
    for channel, tables in _TABLES.items()
}

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Mashang: errors and failures</title><link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --line: #d8dee4; --paper: #fff; --code: #f3f4f6;
--mark: #fff8c5 }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6edf3; --dim: #9da7b3; --line: #30363d; --paper: #0d1117;
--code: #21262d; --mark: #4d3f00 }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem;
color: var(--ink); background: var(--paper) }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; vertical-align: top; padding: .45rem .6rem;
border-bottom: 1px solid var(--line) }} code {{ background: var(--code); padding: .1rem .3rem; border-radius: 4px }}
td + td + td code {{ overflow-wrap: anywhere }}
tr:target {{ background: var(--mark) }} small {{ color: var(--dim); overflow-wrap: anywhere }}
@media (max-width: 48rem) {{
tr, td {{ display: block }} tr:first-child {{ display: none }}
tr {{ border-bottom: 1px solid var(--line); padding: .6rem 0 }} td {{ border: 0; padding: .1rem 0 }}
.errors td:nth-child(2)::before {{ content: "Status " }}
.errors td:nth-child(5)::before {{ content: "The same again: " }}
.failures td:nth-child(3)::before {{ content: "Retryable: " }}
}}
</style></head><body>
<h1>Errors</h1>
<p>An error answer has one shape: <code>{{"error": {{"type", "code", "message", "param", "request_id",
"docs_url"}}}}</code>.
400s say what to change; a 409 contradicts what is there; after a 429 or 503 send the same request again,
<code>Retry-After</code> seconds later: it is safe.</p>
<table class="errors"><tr><th>code</th><th>status</th><th>when</th><th>what to do</th><th>the same again</th></tr>
{errors}
</table>
<h1>Failures</h1>
<p>A payment that is declined, or a refund that is refused, is no error: it answers 201 with
<code>status: failed</code> and a <code>failure</code>. <em>Retryable</em> means: with a new number.</p>
<table class="failures"><tr><th>code</th><th>for the till</th><th>retryable</th><th>the channels' own codes</th></tr>
{failures}
</table></body></html>
"""


@router.get("/docs/errors")
async def errors_page() -> Response:
    """The page."""
    return Response(page(), media_type="text/html")


@cache
def page() -> str:
    """The page's HTML; the same for as long as the process lives."""
    beside = channel_codes()
    errors = "\n".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{" or ".join(map(str, meaning.statuses))}</td>'
        f"<td>{_code(meaning.when)}</td><td>{_code(meaning.remedy)}</td>"
        f"<td>{'yes' if meaning.retryable else 'no'}</td></tr>"
        for code, meaning in ERRORS.items()
    )
    failures = "\n".join(
        f'<tr id="{code}"><td><code>{code}</code></td><td>{escape(meaning.message)}</td>'
        f"<td>{'yes' if meaning.retryable else 'no'}</td><td><small>{beside.get(code, '')}</small></td></tr>"
        for code, meaning in FAILURES.items()
    )
    return _PAGE.format(errors=errors, failures=failures)


def channel_codes() -> dict[FailureCode, str]:
    """For each failure the codes of the channels that lead to it."""
    found: dict[FailureCode, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for channel, codes in CHANNEL_CODES.items():
        for code, failure in codes:
            found[failure][channel].append(code)
    return {
        failure: "<br>".join(f"{channel}: {escape(', '.join(sorted(codes)))}" for channel, codes in channels.items())
        for failure, channels in found.items()
    }


def _code(text: str) -> str:
    """Text with `code` in backticks as HTML."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
