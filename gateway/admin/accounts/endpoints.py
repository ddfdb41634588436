"""Channel accounts under /admin/v1: the platform's and merchants' own, made, changed, and given new credentials."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

import asyncpg
from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.accounts.changing import hold, no_account, tell_changed
from gateway.admin.accounts.schemas import (
    AccountChange,
    AccountDetail,
    AccountId,
    AccountList,
    AccountObject,
    AfterAccountId,
    NewAccountRequest,
    OfMerchant,
    RotationRequest,
)
from gateway.admin.accounts.terms import check_terms, checked_wallets
from gateway.admin.accounts.views import account_detail, account_object, account_told
from gateway.admin.once import database_of
from gateway.http.answers import json_answer
from gateway.http.services import Services, services_of
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from gateway.kernel.ids import new_id
from gateway.trail.recording import tell, tell_nothing
from routing.accounts.store import (
    AccountIdentityChanged,
    AccountInUse,
    NewAccount,
    change_account,
    create_account,
    find_account,
    list_accounts,
    rotate_account,
)
from routing.channels.facts import known_settings
from routing.channels.settings import ChannelSettingsError

_log = logging.getLogger("mashang.admin")
_NAME_SHOWN: Final = 64

router = admin_router()


@router.post(
    "/channel_accounts",
    status_code=201,
    response_model=AccountDetail,
    name="channel_account.created",
    summary="Create a channel account",
)
async def post_account(request: Request, wanted: NewAccountRequest) -> Response:
    """Create an account for the platform or for one merchant; the settings are checked by opening it.

    A merchant with an enabled account of its own for a wallet takes that wallet's payments on it alone.
    """
    services = services_of(request)
    account_id = wanted.id or new_id("acc")
    _check_settings(services, account_id, wanted.channel, wanted.settings)
    new = NewAccount(
        id=account_id,
        channel=wanted.channel,
        wallets=checked_wallets(wanted.channel, wanted.wallets),
        settings=wanted.settings,
        merchant_id=wanted.merchant_id,
        status=wanted.status,
        priority=wanted.priority,
        fee_rate_millionths=wanted.fee_rate_millionths,
        terms=wanted.terms,
    )
    database = database_of(request)
    if wanted.terms is not None:
        await check_terms(database, wanted.terms, wanted.fee_rate_millionths)
    try:
        row = await create_account(database, services.vault, new)
    except asyncpg.ForeignKeyViolationError:
        raise not_found("merchant", "merchant_id") from None
    if row is None:
        raise Conflict("account_exists", "There is a channel account with this id.", param="id")
    tell(request, row.id, {"created": account_told(row, services.vault)})
    _log.info("channel account created", extra={"account": row.id, "merchant_id": row.merchant_id})
    return json_answer(201, account_detail(row, services)).to_response()


@router.get("/channel_accounts", response_model=AccountList, summary="List channel accounts")
async def get_accounts(
    request: Request,
    *,
    merchant_id: OfMerchant = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: AfterAccountId = None,
) -> Response:
    """Channel accounts by id, of one merchant or of all."""
    services = services_of(request)
    rows = await list_accounts(services.pool, limit + 1, merchant_id=merchant_id, starting_after=starting_after)
    data = [account_object(row, services.vault) for row in rows[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(rows) > limit}).to_response()


@router.get("/channel_accounts/{account_id}", response_model=AccountDetail, summary="Read a channel account")
async def get_account(request: Request, account_id: AccountId) -> Response:
    """A channel account with the fingerprints of its keys, and why it does not open, if it does not."""
    services = services_of(request)
    row = await find_account(services.pool, account_id)
    if row is None:
        raise no_account()
    return json_answer(200, account_detail(row, services)).to_response()


@router.patch(
    "/channel_accounts/{account_id}",
    response_model=AccountObject,
    name="channel_account.changed",
    summary="Change a channel account",
)
async def patch_account(request: Request, account_id: AccountId, change: AccountChange) -> Response:
    """Enable, drain or disable an account, or change its terms; every process follows within a second.

    `terms` are replaced whole.  Whatever its status, an account finishes, gives back and hears of the payments that it
    took.
    """
    services = services_of(request)
    if not change.model_fields_set:
        raise InvalidRequest(
            "missing_field", "Send at least one of status, priority, fee_rate_millionths, terms.", param="status"
        )
    database = database_of(request)
    before = await hold(database, account_id)
    if change.terms is not None:
        await check_terms(database, change.terms, before.fee_rate_millionths)
    row = await change_account(
        database,
        account_id,
        status=change.status,
        priority=change.priority,
        fee_rate_millionths=change.fee_rate_millionths,
        terms=change.terms,
    )
    assert row is not None, "it is held"
    tell_changed(request, before, row)
    return json_answer(200, account_object(row, services.vault)).to_response()


@router.post(
    "/channel_accounts/{account_id}/rotate",
    response_model=AccountDetail,
    name="channel_account.rotated",
    summary="Rotate credentials",
)
async def post_rotation(request: Request, account_id: AccountId, rotation: RotationRequest) -> Response:
    """Replace an account's settings, whole; its channel, merchant and numbers at the channel stay.

    For `overlap_hours` the earlier credentials still read what the channel signed for them.
    """
    services = services_of(request)
    database = database_of(request)
    known = await hold(database, account_id)
    _check_settings(services, account_id, known.channel, rotation.settings)
    overlap = timedelta(hours=rotation.overlap_hours)
    try:
        row = await rotate_account(database, services.vault, account_id, rotation.settings, overlap)
    except AccountIdentityChanged as error:
        raise Conflict(
            "account_identity", f"“{error.field}” never changes: create another account.", param=error.field
        ) from None
    except AccountInUse:
        raise Conflict(
            "try_again", "Another change of this account got in the way.", param="account_id", retry_after_s=1
        ) from None
    if row is None:
        raise no_account()
    if row == known:
        tell_nothing(request)
    else:
        tell_changed(request, known, row, overlap_hours=rotation.overlap_hours)
    return json_answer(200, account_detail(row, services)).to_response()


def _check_settings(services: Services, account_id: str, channel: str, settings: Mapping[str, Any]) -> None:
    """Raises InvalidRequest naming the setting that is unknown, missing or wrong; its value is never quoted."""
    unknown = min(set(settings) - known_settings(channel), default=None)
    if unknown is not None:
        shown = unknown.encode(errors="replace").decode()[:_NAME_SHOWN]
        raise InvalidRequest("unknown_field", f"{channel} has no setting “{shown}”.", param=f"settings.{shown}")
    try:
        services.accounts.check(account_id, channel, settings)
    except ChannelSettingsError as error:
        code = "invalid_field" if error.setting in settings else "missing_field"
        param = f"settings.{error.setting}"
        raise InvalidRequest(code, f"“{param}” {error.problem}.", param=param) from None
