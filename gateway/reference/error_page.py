"""docs/errors.md: the tables of errors and failures with the channels' own codes; `/docs/errors` shows the same."""

from __future__ import annotations

from typing import Final

from gateway.http.errors_page import channel_codes
from gateway.kernel.error_codes import ERRORS, ErrorMeaning
from gateway.kernel.failures import FAILURES

_HEAD: Final = """\
<!-- Made by `make docs` from gateway/kernel/error_codes and gateway/kernel/failures.py: change those instead. -->

# Errors and failures

What a gateway shows at `/docs/errors`, where `docs_url` of an error points. An error answer has one shape:

```json
{"error": {"type": "conflict", "code": "order_no_reused", "message": "…", "param": "amount",
           "request_id": "req_…", "docs_url": "https://…/docs/errors#order_no_reused"}}
```

Decide by `code`; show `message` to a person; `param` names the field. **The same again** says whether the same request,
unchanged, can succeed: after `Retry-After` seconds where the answer has it, and with the same order number. The client
(`gateway.client`) does that by itself after a 429, a 5xx, and a 409 that has `Retry-After`.

"""
_TYPES: Final = {
    "invalid_request": "The request is wrong: 400, 404, 405, 408, 413, 415, 422, 431",
    "authentication": "Who is calling: 401",
    "permission": "What the caller may do: 403",
    "conflict": "It contradicts what is there: 409",
    "rate_limited": "Too many: 429",
    "unavailable": "Not now: 503",
    "internal": "A fault: 500",
}
_FAILURES: Final = """\
## Failures

A payment that is declined, or a refund that is refused, is no error: it answers 201 with `status: failed` and a
`failure`. *Retryable* means here: with a **new** number.

| code | for the till | retryable | the channels' own codes |
|---|---|---|---|
"""


def error_page() -> str:
    """The page's Markdown."""
    parts = [_HEAD]
    for kind, title in _TYPES.items():
        rows = [_row(code, meaning) for code, meaning in ERRORS.items() if meaning.type == kind]
        head = "| code | status | when | what to do | the same again |\n|---|---|---|---|---|\n"
        parts.append(f"## {title}\n\n`type`: `{kind}`\n\n{head}" + "\n".join(rows) + "\n\n")
    return "".join(parts) + _FAILURES + "\n".join(_failures()) + "\n"


def _row(code: str, meaning: ErrorMeaning) -> str:
    statuses = " or ".join(map(str, meaning.statuses))
    again = "yes" if meaning.retryable else "no"
    return f'| <a id="{code}"></a>`{code}` | {statuses} | {meaning.when} | {meaning.remedy} | {again} |'


def _failures() -> list[str]:
    beside = channel_codes()
    return [
        f'| <a id="{code}"></a>`{code}` | {meaning.message} | {"yes" if meaning.retryable else "no"} | '
        f"{beside.get(code, '')} |"
        for code, meaning in FAILURES.items()
    ]
