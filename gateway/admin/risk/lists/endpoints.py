"""The risk check's lists under /admin/v1: which there are, what stands on them and why (docs/risk-lists.md)."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.once import database_of
from gateway.admin.risk.lists.schemas import (
    AfterEntry,
    DeletedList,
    EntriesPut,
    EntriesRemoved,
    EntriesRequest,
    EntryId,
    EntryList,
    ListName,
    ListObject,
    NewListRequest,
    OfField,
    RiskListList,
    ValueRequest,
    ValuesRequest,
)
from gateway.admin.risk.lists.views import (
    Scopes,
    entry_json,
    entry_key,
    expiry_wanted,
    held_list,
    list_full,
    list_json,
    no_list,
    value_wanted,
)
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.errors import Conflict, not_found
from gateway.trail.recording import person_of, tell, tell_nothing
from risk.lists.entry import Hasher
from risk.lists.keeping import (
    BUILT_IN,
    LISTS_MAX,
    ListFull,
    count_by_field,
    create_list,
    delete_list,
    entries_of,
    find_value,
    put_entries,
    read_entries,
    read_lists,
    remove_entries,
)
from risk.rules.store import asks_in_force

_PAGE_MAX: Final = 200

router = admin_router()


@router.get("/risk/lists", response_model=RiskListList, summary="List the lists of the risk check")
async def get_lists(request: Request) -> Response:
    """By name, with how many entries of each field they have."""
    database = database_of(request)
    rows = await read_lists(database)
    counts = await count_by_field(database, [row.edition for row in rows])
    data = [list_json(row, counts.get(row.edition, {})) for row in rows]
    return json_answer(200, {"object": "list", "data": data, "has_more": False}).to_response()


@router.post("/risk/lists", status_code=201, response_model=ListObject, name="risk_list.created", summary="Make a list")
async def post_list(request: Request, wanted: NewListRequest) -> Response:
    """A rule asks for it as `listed('NAME', 'customer')`."""
    connection = transaction_of(request)
    if len(await read_lists(connection)) >= LISTS_MAX:
        raise Conflict("list_exists", f"There are {LISTS_MAX} lists: delete one that is no longer needed.")
    if not await create_list(connection, wanted.name, wanted.description):
        raise Conflict("list_exists", f"There is a list {wanted.name} already.", param="name")
    tell(request, wanted.name, {"description": wanted.description})
    [row] = await read_lists(connection, wanted.name)
    return json_answer(201, list_json(row, {})).to_response()


@router.post("/risk/lists/find", response_model=EntryList, summary="Find out why something is listed")
async def post_find(request: Request, wanted: ValueRequest) -> Response:
    """On which lists a value stands and why: itself, the ranges that hold an address, the BINs that a card begins with.

    It comes in a body, so that no customer's id stands in the address of a request.
    """
    tell_nothing(request)
    database, vault = database_of(request), services_of(request).vault
    value = value_wanted(await Scopes.of(database, [wanted]), wanted, wanted.value, "")
    found = await find_value(database, vault, value.field, Hasher(vault).holding(value))
    return json_answer(
        200, {"object": "list", "data": [entry_json(each) for each in found], "has_more": False}
    ).to_response()


@router.get("/risk/lists/{name}", response_model=ListObject, summary="Read a list")
async def get_list(request: Request, name: ListName) -> Response:
    """How many entries it has."""
    database = database_of(request)
    rows = await read_lists(database, name)
    if not rows:
        raise no_list()
    counts = await count_by_field(database, [rows[0].edition])
    return json_answer(200, list_json(rows[0], counts.get(rows[0].edition, {}))).to_response()


@router.delete("/risk/lists/{name}", response_model=DeletedList, name="risk_list.deleted", summary="Delete a list")
async def delete(request: Request, name: ListName) -> Response:
    """With all that stands on it.  As long as the rules in force ask for it, it stays."""
    connection = transaction_of(request)
    held = await held_list(connection, name)
    if name in BUILT_IN:
        raise Conflict("list_built_in", f"The list {name} is always there; an empty import with `replace` empties it.")
    in_this_process = any(asked == name for _, asked, _ in services_of(request).risk.rules.current.listed)
    if in_this_process or await asks_in_force(connection, name):
        raise Conflict("list_in_use", f"The rules in force ask for the list {name}: publish others first.")
    await delete_list(connection, name)
    tell(request, name, {"entries": held.entries})
    return json_answer(200, {"object": "risk_list", "name": name, "deleted": True}).to_response()


@router.get("/risk/lists/{name}/entries", response_model=EntryList, summary="Read what stands on a list")
async def get_entries(
    request: Request,
    name: ListName,
    *,
    field: OfField = None,
    limit: Annotated[int, Query(ge=1, le=_PAGE_MAX)] = 20,
    starting_after: AfterEntry = None,
) -> Response:
    """A page; persons' values are masked."""
    database = database_of(request)
    if not await read_lists(database, name):
        raise no_list()
    after = None if starting_after is None else entry_key(starting_after)
    found = await read_entries(database, services_of(request).vault, name, field=field, after=after, limit=limit + 1)
    data = [entry_json(each) for each in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.post(
    "/risk/lists/{name}/entries",
    status_code=201,
    response_model=EntriesPut,
    name="risk_list.entries_put",
    summary="Put entries on a list",
)
async def post_entries(request: Request, name: ListName, wanted: EntriesRequest) -> Response:
    """Up to 1,000.  Every process knows within a second."""
    connection, vault = transaction_of(request), services_of(request).vault
    held = await held_list(connection, name)
    scopes = await Scopes.of(connection, wanted.entries)
    values = (
        (value_wanted(scopes, each, each.value, where), expiry_wanted(each.expires_at, where), each.reason)
        for where, each in ((f"entries.{number}", each) for number, each in enumerate(wanted.entries))
    )
    entries = await entries_of(Hasher(vault), values)
    try:
        put = await put_entries(connection, vault, held, entries, person=person_of(request), reason=wanted.reason)
    except ListFull:
        raise list_full() from None
    fields = Counter(entry.field for entry in entries)
    tell(request, name, {"added": put.added, "renewed": put.renewed, "fields": dict(fields)})
    return json_answer(
        201, {"object": "risk_list_entries_put", "list": name, "added": put.added, "renewed": put.renewed}
    ).to_response()


@router.post(
    "/risk/lists/{name}/entries/remove",
    response_model=EntriesRemoved,
    name="risk_list.entries_removed",
    summary="Take entries off a list",
)
async def post_remove(request: Request, name: ListName, wanted: ValuesRequest) -> Response:
    """Each as it was put there: a range as that range.  What does not stand there is passed over."""
    connection, hasher = transaction_of(request), Hasher(services_of(request).vault)
    held = await held_list(connection, name)
    scopes = await Scopes.of(connection, wanted.entries)
    values = [value_wanted(scopes, each, each.value, f"entries.{number}") for number, each in enumerate(wanted.entries)]
    removed = await remove_entries(connection, held, [(value.field, hasher.of(value)) for value in values])
    if removed:
        tell(request, name, {"removed": removed, "fields": dict(Counter(value.field for value in values))})
    else:
        tell_nothing(request)
    return json_answer(200, {"object": "risk_list_entries_removed", "list": name, "removed": removed}).to_response()


@router.delete(
    "/risk/lists/{name}/entries/{entry_id}",
    response_model=EntriesRemoved,
    name="risk_list.entry_removed",
    summary="Take an entry off a list",
)
async def delete_entry(request: Request, name: ListName, entry_id: EntryId) -> Response:
    """By its id, as the list shows it."""
    connection, key = transaction_of(request), entry_key(entry_id)
    removed = await remove_entries(connection, await held_list(connection, name), [key])
    if not removed:
        raise not_found("entry", "entry_id")
    tell(request, name, {"removed": removed, "fields": {key[0]: 1}})
    return json_answer(200, {"object": "risk_list_entries_removed", "list": name, "removed": removed}).to_response()
