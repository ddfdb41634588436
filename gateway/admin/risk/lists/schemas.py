"""What the endpoints of the risk check's lists take and give."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field

from gateway.admin.access import AdminRequest, example
from gateway.admin.merchants.endpoints import MERCHANT_ID_PATTERN
from gateway.payments.schemas import Moment, Text
from risk.fields import LIST_NAME
from risk.lists.entry import VALUE_LENGTH_MAX
from risk.lists.importing import BATCH_MAX, GROUPS_MAX, IMPORT_ID_PATTERN, Mode, Status

ENTRIES_AT_ONCE_MAX: Final = 1_000
ListedField = Literal["customer", "device", "ip", "card", "merchant", "store", "terminal", "region", "payer"]
ENTRY_ID_PATTERN: Final = r"^(customer|device|ip|card|merchant|store|terminal|region|payer)-[0-9a-f]{16}$"
_NAME: Final = f"^{LIST_NAME.pattern}$"

ListName = Annotated[str, Path(pattern=_NAME)]
ImportId = Annotated[str, Path(pattern=IMPORT_ID_PATTERN)]
EntryId = Annotated[str, Path(pattern=ENTRY_ID_PATTERN)]
AfterEntry = Annotated[str | None, Query(pattern=ENTRY_ID_PATTERN)]
OfField = Annotated[ListedField | None, Query(description="Entries of this field only.")]
Reason = Annotated[Text, Field(min_length=1, max_length=200)]
OwnReason = Annotated[Reason | None, Field(description="Where it is another one than that of the request.")]
MerchantOf = Annotated[
    str | None,
    Field(
        pattern=MERCHANT_ID_PATTERN,
        description="Whose it is: for `store` and `terminal`; for `customer` and `device` this or `realm`.",
    ),
]
RealmOf = Annotated[
    str | None,
    Field(
        pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$",
        description="Whose it is: the realm of merchants that share their customers' ids.",
    ),
]
Expiry = Annotated[Moment | None, Field(description="It counts until then, to the second; null: for ever.")]
Given = Annotated[
    str,
    Field(
        min_length=1,
        max_length=VALUE_LENGTH_MAX,
        description="The till's own id of a customer, device, store or terminal; an address or a range (CIDR) of /8 or "
        "narrower, v6 of /16; the first 6 to 8 digits of cards; a merchant's id; a region; the wallet's id of a payer.",
    ),
]

LIST: Final[dict[str, Any]] = {
    "object": "risk_list",
    "name": "block",
    "description": "Not to be taken.",
    "entries": 2,
    "by_field": {"customer": 1, "ip": 1},
    "created_at": "2026-11-22T01:02:03.004Z",
}
_VALUE: Final[dict[str, Any]] = {"field": "customer", "value": "c-42", "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"}
ENTRY: Final[dict[str, Any]] = {
    "object": "risk_list_entry",
    "id": "ip-8f14e45fceea167a",
    "list": "block",
    "field": "ip",
    "value": "203.0.…/24",
    "scope": None,
    "reason": "card testing of 2026-11-21",
    "expires_at": "2026-12-22T00:00:00.000Z",
    "added_by": "li.wei",
    "added_at": "2026-11-22T01:02:03.004Z",
}
IMPORT: Final[dict[str, Any]] = {
    "object": "risk_list_import",
    "id": "imp_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "list": "block",
    "mode": "replace",
    "status": "open",
    "batches": 2,
    "added": 10000,
    "renewed": 0,
    "parts_left": None,
    "source": "sanctions-2026-11.csv",
    "reason": "list of the bank, November",
    "begun_at": "2026-11-22T01:02:03.004Z",
}


class NewListRequest(AdminRequest):
    """A list to be made."""

    model_config = example({"name": "grey", "description": "Known to ask for refunds."})

    name: Annotated[str, Field(pattern=_NAME)]
    description: Annotated[Text, Field(max_length=200)] = ""


class ListObject(BaseModel):
    """A list; what has expired is counted until it is swept, an hour or so later."""

    model_config = example(LIST)

    object: Literal["risk_list"]
    name: str
    description: str
    entries: int
    by_field: Annotated[dict[str, int], Field(description="As payments see it; an import's entries at its end.")]
    created_at: str


class RiskListList(BaseModel):
    """All lists by name."""

    model_config = example({"object": "list", "data": [LIST], "has_more": False})

    object: Literal["list"]
    data: list[ListObject]
    has_more: bool


class DeletedList(BaseModel):
    """A list that is gone, with all that stood on it."""

    model_config = example({"object": "risk_list", "name": "grey", "deleted": True})

    object: Literal["risk_list"]
    name: str
    deleted: Literal[True]


class ValueRequest(AdminRequest):
    """A value of a field."""

    model_config = example(_VALUE)

    field: ListedField
    value: Given
    merchant_id: MerchantOf = None
    realm: RealmOf = None


class EntryRequest(ValueRequest):
    """A value that is to stand on a list."""

    model_config = example({**_VALUE, "expires_at": "2026-12-22T00:00:00Z"})

    expires_at: Expiry = None
    reason: OwnReason = None


class EntriesRequest(AdminRequest):
    """Put these on the list; what stands there already is renewed, with its expiry and its reason."""

    model_config = example({"reason": "card testing of 2026-11-21", "entries": [_VALUE]})

    reason: Reason
    entries: Annotated[list[EntryRequest], Field(min_length=1, max_length=ENTRIES_AT_ONCE_MAX)]


class EntriesPut(BaseModel):
    """How many of the entries are new, and how many stood there."""

    model_config = example({"object": "risk_list_entries_put", "list": "block", "added": 1, "renewed": 0})

    object: Literal["risk_list_entries_put"]
    list: str
    added: int
    renewed: int


class ValuesRequest(AdminRequest):
    """Take these off the list."""

    model_config = example({"entries": [_VALUE]})

    entries: Annotated[list[ValueRequest], Field(min_length=1, max_length=ENTRIES_AT_ONCE_MAX)]


class EntriesRemoved(BaseModel):
    """How many of them stood on the list."""

    model_config = example({"object": "risk_list_entries_removed", "list": "block", "removed": 1})

    object: Literal["risk_list_entries_removed"]
    list: str
    removed: int


class EntryObject(BaseModel):
    """An entry, its value masked where it is a person's."""

    model_config = example(ENTRY)

    object: Literal["risk_list_entry"]
    id: str
    list: str
    field: ListedField
    value: Annotated[str | None, Field(description="Null where only a keyed hash is known.")]
    scope: Annotated[str | None, Field(description="The realm or merchant that it belongs to.")]
    reason: str
    expires_at: Annotated[str | None, Field(description="Past: it has expired, and is swept soon.")]
    added_by: Annotated[str | None, Field(description="Who put it there last (`Mashang-Actor`).")]
    added_at: str


class EntryList(BaseModel):
    """Entries, in no order that means anything."""

    model_config = example({"object": "list", "data": [ENTRY], "has_more": False})

    object: Literal["list"]
    data: list[EntryObject]
    has_more: bool


class ImportRequest(AdminRequest):
    """An import to begin."""

    model_config = example({"mode": "replace", "reason": IMPORT["reason"], "source": IMPORT["source"]})

    mode: Annotated[Mode, Field(description="`merge` adds and renews; `replace` also removes whatever is not in it.")]
    reason: Reason
    source: Annotated[
        Text | None,
        Field(
            min_length=1,
            max_length=200,
            description="What is imported, such as a file's name and digest. Who begins an import of the same mode and "
            "source while it is under way is given that one, and goes on behind its last batch.",
        ),
    ] = None


class Group(AdminRequest):
    """Values of one field that have everything else in common."""

    model_config = example({**{k: v for k, v in _VALUE.items() if k != "value"}, "values": ["c-42", "c-43"]})

    field: ListedField
    values: Annotated[list[Given], Field(min_length=1, max_length=BATCH_MAX)]
    merchant_id: MerchantOf = None
    realm: RealmOf = None
    expires_at: Expiry = None
    reason: OwnReason = None


class BatchRequest(AdminRequest):
    """A batch of an import.  One that has arrived before changes nothing, whatever is in it."""

    model_config = example(
        {"number": 3, "groups": [{"field": "ip", "values": ["203.0.113.0/24", "198.51.100.7"], "expires_at": None}]}
    )

    number: Annotated[int, Field(ge=1, le=2**31 - 1, description="1, 2, 3 …")]
    groups: Annotated[
        list[Group], Field(min_length=1, max_length=GROUPS_MAX, description=f"Together at most {BATCH_MAX} values.")
    ]


class ImportObject(BaseModel):
    """An import.  Send batches while it is `open`, then `finish` until it is `done`."""

    model_config = example(IMPORT)

    object: Literal["risk_list_import"]
    id: str
    list: str
    mode: Mode
    status: Status
    batches: Annotated[int, Field(description="How many have arrived: the next is one more.")]
    added: int
    renewed: int
    parts_left: Annotated[int | None, Field(description="Of the list's parts, to be compiled; null before `finish`.")]
    source: str | None
    reason: str
    begun_at: str
