"""The audit trail under /admin/v1: who changed what, newest first."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

import orjson
from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.http.answers import json_answer
from gateway.trail.schemas import Action, AtFrom, AtTo, Before, EntryList, Subject
from gateway.trail.store import Sealed, TrailFilter, newest

router = admin_router()


@router.get("/audit_trail", response_model=EntryList, summary="Read the audit trail")
async def get_trail(
    request: Request,
    *,
    subject: Subject = None,
    action: Action = None,
    at_from: AtFrom = None,
    at_to: AtTo = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Before = None,
) -> Response:
    """Every change over the admin API, by whom and from where.  `mashang audit --trail` verifies its chain."""
    wanted = TrailFilter(subject, action, at_from, at_to)
    entries = await newest(database_of(request), wanted, limit + 1, before)
    data = [_json(sealed) for sealed in entries[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(entries) > limit}).to_response()


def _json(sealed: Sealed) -> dict[str, Any]:
    """EntryObject."""
    entry, deed = sealed.entry, sealed.entry.deed
    return {
        "object": "audit_entry",
        "seq": entry.seq,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "actor": deed.actor,
        "person": deed.person,
        "address": deed.address,
        "action": deed.action,
        "subject": deed.subject,
        "detail": orjson.loads(deed.detail),
        "hash": sealed.hash.hex(),
    }
