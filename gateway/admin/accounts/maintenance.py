"""Maintenance of a channel account under /admin/v1: announced, or from now on, in one call; ended in another."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.accounts.changing import hold, tell_changed
from gateway.admin.accounts.schemas import AccountId, AccountObject, MaintenanceRequest
from gateway.admin.accounts.terms import check_terms, window_shown
from gateway.admin.accounts.views import account_object
from gateway.admin.once import database_of
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.clock import utc_now
from gateway.kernel.errors import Conflict, InvalidRequest
from routing.accounts.hours import Maintenance
from routing.accounts.store import change_account

_AHEAD_MAX: Final = timedelta(days=366)

router = admin_router()


@router.post(
    "/channel_accounts/{account_id}/maintenance",
    status_code=201,
    response_model=AccountObject,
    name="channel_account.maintenance_set",
    summary="Set maintenance",
)
async def post_maintenance(request: Request, account_id: AccountId, wanted: MaintenanceRequest) -> Response:
    """Take no new payments on the account for a time; every process follows within a second.

    What it took before it finishes, gives back and hears of.  Windows that are over are dropped from the terms.
    """
    now = utc_now()
    return await _change(request, account_id, 201, now, added=_window(wanted, now))


@router.delete(
    "/channel_accounts/{account_id}/maintenance",
    response_model=AccountObject,
    name="channel_account.maintenance_ended",
    summary="End maintenance",
)
async def delete_maintenance(request: Request, account_id: AccountId) -> Response:
    """End the maintenance that is under way; what is announced for later stays."""
    return await _change(request, account_id, 200, utc_now(), added=None)


def _window(wanted: MaintenanceRequest, now: datetime) -> Maintenance:
    """Raises InvalidRequest where the time is not given once, or is over."""
    if (wanted.until is None) == (wanted.for_minutes is None):
        code = "missing_field" if wanted.until is None else "invalid_field"
        raise InvalidRequest(code, "Send either “until” or “for_minutes”.", param="until")
    since = wanted.from_ or now
    until = wanted.until or since + timedelta(minutes=wanted.for_minutes or 0)
    param = "until" if wanted.for_minutes is None else "from"
    if until <= max(since, now):
        raise InvalidRequest("invalid_field", "It has to end later than it begins, and than now.", param=param)
    if until > now + _AHEAD_MAX:
        raise InvalidRequest("invalid_field", "It has to end within a year: disable the account instead.", param=param)
    return Maintenance(since, until, wanted.note)


async def _change(
    request: Request, account_id: str, status: int, now: datetime, *, added: Maintenance | None
) -> Response:
    """Add a window, or without one end those of this moment; those that are over go.  Answers with the account."""
    services, database = services_of(request), database_of(request)
    before = await hold(database, account_id)
    document: dict[str, Any] = dict(before.terms or {})
    known = (await check_terms(database, document, before.fee_rate_millionths)).maintenance
    if added is None and not any(window.covers(now) for window in known):
        raise Conflict("no_maintenance", "No maintenance of this account is under way.", param="account_id")
    given = zip(document.get("maintenance") or (), known, strict=True)
    left = [as_given for as_given, window in given if window.until > now and (added or not window.covers(now))]
    document["maintenance"] = [*left, *([] if added is None else [window_shown(added)])]
    await check_terms(database, document, before.fee_rate_millionths)
    row = await change_account(database, account_id, terms=document)
    assert row is not None, "it is held"
    tell_changed(request, before, row)
    return json_answer(status, account_object(row, services.vault)).to_response()
