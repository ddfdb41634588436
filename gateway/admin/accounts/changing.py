"""What every change of a channel account begins and ends with: it is held as it was, and the trail is told."""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import Request

from gateway.admin.accounts.views import account_told
from gateway.admin.kept_answers import SQL
from gateway.http.services import services_of
from gateway.kernel.errors import InvalidRequest, not_found
from gateway.trail.entry import changes
from gateway.trail.recording import tell
from routing.accounts.store import AccountRow, Database, find_account

_log: Final = logging.getLogger("mashang.admin")


async def hold(database: Database, account_id: str) -> AccountRow:
    """The account as it is before the change; nobody else changes it until the transaction ends.  Raises the 404."""
    await database.execute(SQL["hold_account"], account_id)
    row = await find_account(database, account_id)
    if row is None:
        raise no_account()
    return row


def tell_changed(request: Request, before: AccountRow, after: AccountRow, **more: Any) -> None:
    """For the audit trail and the log: what differs."""
    vault = services_of(request).vault
    told = changes(account_told(before, vault), account_told(after, vault))
    tell(request, after.id, told | more)
    _log.info("channel account changed", extra={"account": after.id, "changed": sorted(told["changed"])})


def no_account() -> InvalidRequest:
    """The 404."""
    return not_found("channel account", "account_id")
