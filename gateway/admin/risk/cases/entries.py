"""Puts values of a case's payment on lists: whom a verdict blocks, watches or allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.database.pool import Connection
from gateway.http.services import Services
from gateway.kernel.errors import InvalidRequest
from risk.cases.case import Case
from risk.cases.store import SQL
from risk.lists.entry import OF_MERCHANTS, OF_REALMS, Entry, Hasher, Value, value_of
from risk.lists.keeping import ListFull, hold_all, put_entries

_OF_CUSTOMER: Final = {"customer": "id", "device": "device_id", "ip": "ip", "card": "card_bin"}
_OF_PAYMENT: Final = {"store": "store_id", "terminal": "terminal_id"}


@dataclass(frozen=True, slots=True)
class Listing:
    """Which fields' values go on which lists, and for how many days; None: for ever."""

    fields: Mapping[str, Sequence[str]]
    expires_in_days: int | None

    def __bool__(self) -> bool:
        return any(self.fields.values())

    def told(self) -> dict[str, Any]:
        """For the case's steps and the audit trail: names of fields, no values."""
        named = {name: list(fields) for name, fields in self.fields.items() if fields}
        return {**named, "expires_in_days": self.expires_in_days} if named else {}


async def list_values(
    services: Services, connection: Connection, case: Case, listing: Listing, *, by: str, reason: str
) -> None:
    """In the transaction that is open.

    Raises InvalidRequest for a field that the payment does not name, or a list that is full.
    """
    request = await _request_of(services, case)
    realm: str = await connection.fetchval(SQL["realm"], case.merchant_id)
    hasher, expires_at = Hasher(services.vault), _expiry(case.read_at, listing.expires_in_days)
    wanted = {name: fields for name, fields in sorted(listing.fields.items()) if fields}
    held = await hold_all(connection, wanted)
    for name, fields in wanted.items():
        values = [_value(case, request, realm, name, field) for field in sorted(set(fields))]
        entries = [Entry(value.field, hasher.of(value), value, expires_at) for value in values]
        try:
            await put_entries(connection, services.vault, held[name], entries, person=by, reason=reason)
        except ListFull:
            raise InvalidRequest("invalid_field", f"The list {name} is full.", param=name, status=422) from None


async def _request_of(services: Services, case: Case) -> Mapping[str, Any]:
    payment = await services.store.find(case.merchant_id, case.payment_id)
    assert payment is not None, "payments are never deleted"
    return await services.store.request_fields(payment) or {}


def _expiry(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else (now + timedelta(days=days)).replace(microsecond=0)


def _value(case: Case, request: Mapping[str, Any], realm: str, name: str, field: str) -> Value:
    """The payment's own value.  Raises InvalidRequest where its till did not say it."""
    if field == "merchant":
        return value_of(field, case.merchant_id, None)
    text = (request.get("customer") or {}).get(_OF_CUSTOMER.get(field)) or request.get(_OF_PAYMENT.get(field, ""))
    if text is None:
        raise InvalidRequest("invalid_field", f"The payment names no {field}: leave it out of “{name}”.", param=name)
    scope = realm if field in OF_REALMS else case.merchant_id if field in OF_MERCHANTS else None
    return value_of(field, text, scope)
