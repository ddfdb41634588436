"""`mashang review list` and `mashang review settle`: what waits for a person, over the admin API."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from gateway.commandline.shown import say
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.devstack.screen import yuan
from gateway.kernel.ids import new_ulid
from gateway.processes.errors import StackError

_VARIABLE: Final = "MASHANG_ADMIN_TOKEN"
_PATH: Final = "/admin/v1/reviews"
_TIMEOUT_S: Final = 60.0
_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class AdminTarget:
    """The gateway's address, with the admin token of the environment; without one, the stack that runs on `state`."""

    url: str | None
    state: Path


def list_reviews(target: AdminTarget, *, refresh: bool, as_json: bool) -> None:
    """Print everything that is in review."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": _PAGE, "refresh": refresh}
    has_more = True
    while has_more:
        page = _call(target, "GET", _PATH, params=query)
        found += page["data"]
        has_more = page["has_more"]
        query["starting_after"] = found[-1]["id"] if found else None
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    elif found:
        Console().print(_table(found), markup=False)
    else:
        say("Nothing waits for a person.")


def settle(review_id: str, body: dict[str, Any], target: AdminTarget, *, as_json: bool) -> None:
    """Carry a verdict out, and print it.  Raises StackError where it is refused; that says what to do instead."""
    key = {"Idempotency-Key": f"cli-{new_ulid()}"}
    given = _call(target, "POST", f"{_PATH}/{review_id}/settle", json=body, headers=key)
    if as_json:
        sys.stdout.write(json.dumps(given, ensure_ascii=False) + "\n")
    else:
        say(f"{given['verdict']} of {given['review_id']}, which was in review as {given['reason']}.")


def _call(target: AdminTarget, method: str, path: str, **request: Any) -> dict[str, Any]:
    """The answer to a call of the admin API.  Raises StackError with the sentence that it answers instead."""
    url, token = target.url, os.environ.get(_VARIABLE)
    if url is None or token is None:
        ready = read_ready_file(ready_file_of(target.state))
        url, token = url or ready.gateway, ready.admin_token
    headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
    try:
        answer = httpx.request(
            method, f"{url.rstrip('/')}{path}", headers=headers, timeout=_TIMEOUT_S, trust_env=False, **request
        )
        found: dict[str, Any] = answer.json()
    except (httpx.TransportError, ValueError) as error:
        raise StackError(f"The gateway at {url} gives no answer: {error}") from error
    if not answer.is_success:
        told = found["error"]
        raise StackError(f"{told['message']} ({told['code']}, see {told['docs_url']})")
    return found


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table()
    for heading in ("id", "reason", "since", "status", "expected", "channel says", "verdicts"):
        table.add_column(heading, overflow="fold")
    for each in found:
        said = each["channel_says"]
        table.add_row(
            each["id"],
            each["reason"],
            each["since"],
            each["status"] or "",
            _yuan(each["expected"]),
            "" if said is None else f"{said['state']} {_yuan(said['amount'])}",
            " ".join(each["verdicts"]),
        )
    return table


def _yuan(amount_fen: int | None) -> str:
    return "" if amount_fen is None else yuan(amount_fen)
