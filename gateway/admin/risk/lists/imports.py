"""Imports into the risk check's lists: begun, sent in numbered batches, finished (docs/risk-lists.md)."""

from __future__ import annotations

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.once import database_of
from gateway.admin.risk.lists.schemas import BatchRequest, ImportId, ImportObject, ImportRequest, ListName
from gateway.admin.risk.lists.views import Scopes, held_list, import_json, list_full, values_of_groups
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from gateway.trail.recording import person_of, tell, tell_nothing
from risk.lists.entry import Hasher
from risk.lists.importing import (
    BATCH_MAX,
    Import,
    ImportOpen,
    Status,
    WrongBatch,
    WrongStatus,
    abandon,
    add_batch,
    begin_import,
    find_import,
    finish_some,
)
from risk.lists.keeping import Database, ListFull, entries_of

router = admin_router()


@router.post(
    "/risk/lists/{name}/imports",
    status_code=201,
    response_model=ImportObject,
    name="risk_list.import_begun",
    summary="Begin an import",
)
async def post_import(request: Request, name: ListName, wanted: ImportRequest) -> Response:
    """Of any length up to ten million entries.  One import of a list is under way at a time."""
    connection = transaction_of(request)
    held = await held_list(connection, name)
    try:
        begun = await begin_import(
            connection, held, wanted.mode, person=person_of(request), reason=wanted.reason, source=wanted.source
        )
    except ImportOpen as error:
        message = f"The import {error.import_id} of this list is under way: finish or abandon it."
        raise Conflict("import_open", message) from None
    if begun.batches or begun.status is not Status.OPEN:
        tell_nothing(request)
    else:
        tell(request, name, {"import": begun.id, "mode": begun.mode})
    return json_answer(201, import_json(begun)).to_response()


@router.get("/risk/lists/{name}/imports/{import_id}", response_model=ImportObject, summary="Read an import")
async def get_import(request: Request, name: ListName, import_id: ImportId) -> Response:
    """How many of its batches have arrived, and what is left to be done."""
    return json_answer(200, import_json(await _found(database_of(request), name, import_id))).to_response()


@router.post(
    "/risk/lists/{name}/imports/{import_id}/batches",
    name="risk_list.batch_put",
    response_model=ImportObject,
    summary="Send a batch of an import",
)
async def post_batch(request: Request, name: ListName, import_id: ImportId, wanted: BatchRequest) -> Response:
    """Batches are numbered from 1 and come in their order.  One that is sent again changes nothing."""
    tell_nothing(request)
    if sum(len(group.values) for group in wanted.groups) > BATCH_MAX:
        raise InvalidRequest("invalid_field", f"“groups” have more than {BATCH_MAX} values.", param="groups")
    connection, vault = transaction_of(request), services_of(request).vault
    scopes = await Scopes.of(connection, wanted.groups)
    entries = await entries_of(Hasher(vault), values_of_groups(scopes, wanted.groups))
    await held_list(connection, name)
    import_ = await _found(connection, name, import_id)
    try:
        import_ = await add_batch(connection, vault, import_, number=wanted.number, entries=entries)
    except WrongBatch as error:
        raise Conflict("import_batch", f"The next batch is number {error.wanted}.", param="number") from None
    except WrongStatus:
        raise _wrong_status(import_) from None
    except ListFull:
        raise list_full() from None
    return json_answer(200, import_json(import_)).to_response()


@router.post(
    "/risk/lists/{name}/imports/{import_id}/finish",
    response_model=ImportObject,
    name="risk_list.imported",
    summary="Finish an import",
)
async def post_finish(request: Request, name: ListName, import_id: ImportId) -> Response:
    """Goes on for half a second; call it, each time with another `Idempotency-Key`, until `status` is `done`.

    From then on a list that is replaced counts as a whole; entries that are merged count as their parts are compiled.
    """
    connection = transaction_of(request)
    import_ = await _held(connection, name, import_id)
    try:
        done = await finish_some(connection, import_)
    except WrongStatus:
        raise _wrong_status(import_) from None
    if done.status is Status.DONE and import_.status is not Status.DONE:
        counts = {"batches": done.batches, "added": done.added, "renewed": done.renewed}
        tell(request, name, {"import": import_id, "mode": done.mode, **counts})
    else:
        tell_nothing(request)
    return json_answer(200, import_json(done)).to_response()


@router.delete(
    "/risk/lists/{name}/imports/{import_id}",
    response_model=ImportObject,
    name="risk_list.import_abandoned",
    summary="Abandon an import",
)
async def delete_import(request: Request, name: ListName, import_id: ImportId) -> Response:
    """What was merged so far stays on the list, and counts within a minute or so; a replacement is dropped."""
    connection = transaction_of(request)
    import_ = await _held(connection, name, import_id)
    try:
        abandoned = await abandon(connection, import_)
    except WrongStatus:
        raise _wrong_status(import_) from None
    tell(request, name, {"import": import_id, "mode": abandoned.mode, "batches": abandoned.batches})
    return json_answer(200, import_json(abandoned)).to_response()


async def _held(connection: Connection, name: str, import_id: str) -> Import:
    """With its list held.  Raises the 404s."""
    await held_list(connection, name)
    return await _found(connection, name, import_id)


async def _found(database: Database, name: str, import_id: str) -> Import:
    """Raises the 404."""
    found = await find_import(database, name, import_id)
    if found is None:
        raise not_found("import", "import_id")
    return found


def _wrong_status(import_: Import) -> Conflict:
    return Conflict("import_status", f"The import is {import_.status}: this cannot be done any more.")
