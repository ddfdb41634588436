"""Between what the endpoints of lists take and give, and what stands in the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias

from gateway.admin.risk.lists.schemas import Group
from gateway.database.pool import Connection
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from risk.lists.entry import EXPIRES_BEFORE, OF_REALMS, Value, ValueRefused, masked, value_of
from risk.lists.importing import Import
from risk.lists.keeping import ENTRIES_MAX, Database, Found, ListRow, hold, realms_of

Listed: TypeAlias = tuple[Value, datetime | None, str | None]
"""A value, until when it counts, and a reason of its own."""
_SIGN: Final = 1 << 64


class Owned(Protocol):
    """What names the merchant or realm that a value belongs to (ValueRequest, Group)."""

    @property
    def field(self) -> str: ...

    @property
    def merchant_id(self) -> str | None: ...

    @property
    def realm(self) -> str | None: ...


class Scopes:
    """Finds what the values of a request belong to."""

    def __init__(self, realms: Mapping[str, str]) -> None:
        self._realms = realms

    @classmethod
    async def of(cls, database: Database, wanted: Sequence[Owned]) -> Scopes:
        """The realms of all merchants that are named are read at once."""
        named = {each.merchant_id for each in wanted if each.merchant_id is not None}
        return cls(await realms_of(database, named) if named else {})

    def scope_of(self, wanted: Owned, where: str) -> str | None:
        """Raises InvalidRequest for an unknown merchant, or where two owners are named."""
        if wanted.merchant_id is None:
            if wanted.realm is not None and wanted.field not in OF_REALMS:
                raise _refused(f"{where}.realm", "goes with a customer or a device only")
            return wanted.realm
        if wanted.realm is not None:
            raise _refused(f"{where}.realm", "does not go with “merchant_id”")
        if wanted.merchant_id not in self._realms:
            raise _refused(f"{where}.merchant_id", "names no merchant")
        return self._realms[wanted.merchant_id] if wanted.field in OF_REALMS else wanted.merchant_id


def value_wanted(scopes: Scopes, wanted: Owned, text: str, where: str, *, name: str = "value") -> Value:
    """The value at that place of the request.  Raises InvalidRequest."""
    try:
        return value_of(wanted.field, text, scopes.scope_of(wanted, where))
    except ValueRefused as error:
        raise _refused(f"{where}.{name}".lstrip("."), str(error)) from None


def expiry_wanted(expires_at: datetime | None, where: str) -> datetime | None:
    """Raises InvalidRequest for a time that is farther away than is kept."""
    if expires_at is not None and expires_at >= EXPIRES_BEFORE:
        raise _refused(f"{where}.expires_at", f"lies before {EXPIRES_BEFORE.year}; null is for ever")
    return expires_at


def values_of_groups(scopes: Scopes, groups: Sequence[Group]) -> Iterator[Listed]:
    """One after the other: the caller lets others have their turn.  Raises InvalidRequest."""
    for number, group in enumerate(groups):
        expires_at = expiry_wanted(group.expires_at, f"groups.{number}")
        for place, text in enumerate(group.values):
            value = value_wanted(scopes, group, text, f"groups.{number}", name=f"values.{place}")
            yield value, expires_at, group.reason


async def held_list(connection: Connection, name: str) -> ListRow:
    """The list, which nobody else changes until the transaction ends.  Raises the 404."""
    held = await hold(connection, name)
    if held is None:
        raise no_list()
    return held


def no_list() -> InvalidRequest:
    """The 404."""
    return not_found("list", "name")


def list_full() -> Conflict:
    """The 409 of a list with all the entries that it can have."""
    return Conflict("list_full", f"The list would have more than {ENTRIES_MAX:,} entries.")


def entry_key(entry_id: str) -> tuple[str, int]:
    """Field and hash of an entry's id."""
    field, _, hexed = entry_id.partition("-")
    number = int(hexed, 16)
    return field, number - _SIGN if number >= _SIGN // 2 else number


def list_json(row: ListRow, by_field: Mapping[str, int]) -> dict[str, Any]:
    """ListObject."""
    return {
        "object": "risk_list",
        "name": row.name,
        "description": row.description,
        "entries": row.entries,
        "by_field": dict(by_field),
        "created_at": rfc3339(row.created_at),
    }


def entry_json(found: Found) -> dict[str, Any]:
    """EntryObject."""
    return {
        "object": "risk_list_entry",
        "id": f"{found.field}-{found.hash % _SIGN:016x}",
        "list": found.list,
        "field": found.field,
        "value": None if found.value is None else masked(found.value),
        "scope": None if found.value is None else found.value.scope,
        "reason": found.reason,
        "expires_at": None if found.expires_at is None else rfc3339(found.expires_at),
        "added_by": found.person,
        "added_at": rfc3339(found.at),
    }


def import_json(import_: Import) -> dict[str, Any]:
    """ImportObject."""
    return {
        "object": "risk_list_import",
        **{name: getattr(import_, name) for name in ("id", "list", "mode", "status", "batches", "added", "renewed")},
        "parts_left": import_.left,
        "source": import_.source,
        "reason": import_.reason,
        "begun_at": rfc3339(import_.at),
    }


def _refused(param: str, said: str) -> InvalidRequest:
    param = param.lstrip(".")
    return InvalidRequest("invalid_field", f"“{param}” {said}.", param=param, status=422)
