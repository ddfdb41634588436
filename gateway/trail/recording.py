"""Carries a request of the admin API out and adds its entry to the audit trail, in one transaction.

An endpoint says what it did with `tell`; the action is the route's name (`name=` where it is declared).  One that has
changed nothing, such as a check, says `tell_nothing`.  A refusal is raised, and takes everything with it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from fastapi import Request, Response

from gateway.database.pool import Connection
from gateway.kernel.errors import InvalidRequest
from gateway.trail.entry import Deed, detail_text
from gateway.trail.store import append

ACTOR_HEADER: Final = "Mashang-Actor"
ACTOR: Final = "admin"
"""The holder of the admin token: there is one."""
_PERSON: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?")

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Told:
    subject: str
    detail: Mapping[str, Any]


def tell(request: Request, subject: str, detail: Mapping[str, Any]) -> None:
    """What this request has done to what, for the audit trail: ids, and changed fields before and after.

    Never a secret (a fingerprint stands for it), and nothing personal of customers: entries stay for ever.
    """
    request.state.told = _Told(subject, detail)


def tell_nothing(request: Request) -> None:
    """This request has changed nothing."""
    request.state.told = None


def person_of(request: Request) -> str | None:
    """Whom the request names as the one who acts.  Raises InvalidRequest."""
    named = request.headers.get(ACTOR_HEADER)
    if named is not None and not _PERSON.fullmatch(named):
        raise InvalidRequest(
            "invalid_header", f"{ACTOR_HEADER} takes 1 to 64 printable ASCII characters.", param=ACTOR_HEADER
        )
    return named


async def recorded(connection: Connection, person: str | None, request: Request, handle: Handler) -> Response:
    """Let the endpoint work in the transaction that is open, and add the entry as the last thing that waits for others.

    Raises what the handler raises: that rolls the transaction back.
    """
    request.state.database = connection
    answer = await handle(request)
    assert answer.status_code < 400, "a refusal is raised"
    told = getattr(request.state, "told", _Told(_last_of_path(request), {}))
    if told is not None:
        address = None if request.client is None else request.client.host
        action = request.scope["route"].name
        await append(connection, Deed(ACTOR, person, address, action, told.subject, detail_text(told.detail)))
    return answer


def _last_of_path(request: Request) -> str:
    """The id that the address ends with, for an endpoint that has nothing to add to it."""
    return str(next(reversed(request.path_params.values()), ""))
