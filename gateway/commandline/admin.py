"""Calls of the admin API for commands: which gateway, with which token, in whose name."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.devstack.options import DEFAULT_STATE, ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.kernel.ids import new_ulid
from gateway.processes.errors import StackError

_TOKEN: Final = "MASHANG_ADMIN_TOKEN"  # noqa: S105  the name of a variable
_ACTOR: Final = "MASHANG_ACTOR"
_NOT_PRINTABLE: Final = re.compile(r"[^\x21-\x7e]+")
_ACTOR_LENGTH_MAX: Final = 64
_HERE: Final = "http://127.0.0.1:8000"
"""Where `mashang serve` listens by itself: in a gateway's pod, on its host, and at the end of a `port-forward`."""
_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class AdminTarget:
    """The gateway's address, with the admin token of the environment; without one, the stack that runs on `state`, or
    where none does and there is a token, the gateway of this machine.
    """

    url: str | None
    state: Path


class Refused(StackError):
    """The gateway has refused a call: nothing came of it."""


def call_admin(
    target: AdminTarget,
    method: str,
    path: str,
    *,
    by: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = _TIMEOUT_S,
    **request: Any,
) -> dict[str, Any]:
    """The answer to a call of the admin API; a POST is carried out once, however often it arrives.

    `by` names the person for the audit trail; without it, MASHANG_ACTOR or the user of this machine.  `headers` come
    with it, such as a key that is to be used again; `timeout_s` is for what takes long.  Raises StackError with the
    sentence that the gateway answers instead.
    """
    sent = {"Mashang-Actor": _actor(by), **(headers or {})}
    url, answer = _called(target, method, path, sent, {"timeout": timeout_s, **request})
    try:
        found: dict[str, Any] = answer.json() if answer.content else {}
    except ValueError as error:
        raise StackError(f"The gateway at {url} gives no answer: {error}") from error
    if not answer.is_success:
        refused = Refused if answer.is_client_error else StackError
        raise refused(_refusal(url, answer.status_code, found))
    return found


def is_for_operators(url: str | None, state: Path) -> bool:
    """Whether a command without a merchant's key speaks with the admin token: not to a development stack here."""
    return _TOKEN in os.environ and (url is not None or not is_stack_named(state))


def is_stack_named(state: Path) -> bool:
    """Whether a folder was named, or a development stack runs on the one that is meant without a word."""
    return state != DEFAULT_STATE.absolute() or ready_file_of(state).exists()


def new_key() -> str:
    """An idempotency key of its own for a command."""
    return f"cli-{new_ulid()}"


def page_of_admin(target: AdminTarget, path: str, **request: Any) -> str:
    """A page of the admin API, in HTML.  Raises StackError as call_admin does."""
    url, answer = _called(target, "GET", path, {}, {"timeout": _TIMEOUT_S, **request})
    if answer.is_success and answer.headers["content-type"].startswith("text/html"):
        return answer.text
    try:
        told: dict[str, Any] = answer.json()
    except ValueError:
        told = {}
    raise StackError(_refusal(url, answer.status_code, told))


def _called(
    target: AdminTarget, method: str, path: str, headers: Mapping[str, str], request: Mapping[str, Any]
) -> tuple[str, httpx.Response]:
    """The address, and what it answers.  Raises StackError where nothing does."""
    url, token = _address_and_token(target)
    sent = {"Authorization": f"Bearer {token}", **headers}
    if method == "POST":
        sent.setdefault("Idempotency-Key", new_key())
    try:
        answer = httpx.request(method, f"{url.rstrip('/')}{path}", headers=sent, trust_env=False, **request)
    except httpx.TransportError as error:
        raise StackError(f"The gateway at {url} gives no answer: {error}") from error
    return url, answer


def _address_and_token(target: AdminTarget) -> tuple[str, str]:
    """The token of the stack here goes to that stack and to no other address.  Raises StackError."""
    token = os.environ.get(_TOKEN)
    if target.url is not None and token is not None:
        return target.url, token
    if token is not None and target.url is None and not is_stack_named(target.state):
        return _HERE, token
    ready = read_ready_file(ready_file_of(target.state))
    if target.url is not None and target.url.rstrip("/") != ready.gateway.rstrip("/"):
        raise StackError(f"Which token does {target.url} take? Set {_TOKEN}.")
    return ready.gateway, token or ready.admin_token


def _refusal(url: str, http_status: int, found: dict[str, Any]) -> str:
    told = found.get("error")
    if not isinstance(told, dict) or not {"message", "code", "docs_url"} <= told.keys():
        return f"What answers at {url} is no Mashang gateway (HTTP {http_status}): look at --url."
    if told["code"] == "invalid_admin_token":
        return f"The gateway at {url} does not take this admin token: look at {_TOKEN}."
    return f"{told['message']} ({told['code']}, see {told['docs_url']})"


def _actor(by: str | None) -> str:
    """As the header takes it: visible ASCII."""
    name = by or os.environ.get(_ACTOR) or _user()
    return _NOT_PRINTABLE.sub("-", name)[:_ACTOR_LENGTH_MAX]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid-{os.getuid()}"
