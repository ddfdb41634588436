"""A merchant's stores under /admin/v1: category and region, which campaigns look at, and where they lie."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

import asyncpg
from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field, model_validator

from gateway.admin.access import AdminRequest, admin_router, example
from gateway.admin.merchants.endpoints import Label, MerchantId
from gateway.admin.once import database_of
from gateway.http.answers import json_answer
from gateway.kernel.errors import InvalidRequest, not_found
from gateway.merchants.settings import find_settings
from gateway.merchants.store import Database
from gateway.merchants.stores import STORE_ID_LENGTH_MAX, Store, delete_store, find_store, list_stores, put_stores
from gateway.payments.schemas import Latitude, Longitude, ShortText
from gateway.trail.entry import changes
from gateway.trail.recording import tell, tell_nothing

AT_ONCE_MAX: Final = 1_000

_STORE: Final[dict[str, Any]] = {
    "store_id": "s-1",
    "name": "人民广场店",
    "category": "cafe",
    "region": "上海",
    "latitude": 31.2304,
    "longitude": 121.4737,
}
_OBJECT: Final[dict[str, Any]] = {"object": "store", **_STORE}

router = admin_router()


class StoreRequest(AdminRequest):
    """What is known of a store; what is null or left out is as its merchant's."""

    model_config = example({name: value for name, value in _STORE.items() if name != "store_id"})

    name: Label | None = None
    category: Label | None = None
    region: Label | None = None
    latitude: Annotated[
        Latitude | None, Field(description="Where it lies (WGS 84), for risk rules; with the other.")
    ] = None
    longitude: Longitude | None = None

    @model_validator(mode="after")
    def _is_a_place(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")
        return self


class NamedStoreRequest(StoreRequest):
    """The same with the id that the tills send."""

    model_config = example(_STORE)

    store_id: ShortText


class StoresRequest(AdminRequest):
    """Stores to be written at once."""

    model_config = example({"stores": [_STORE]})

    stores: Annotated[list[NamedStoreRequest], Field(min_length=1, max_length=AT_ONCE_MAX)]


class StoreObject(BaseModel):
    """A store as it is known."""

    model_config = example(_OBJECT)

    object: Literal["store"]
    store_id: str
    name: str | None
    category: Annotated[str | None, Field(description="Null: its merchant's.")]
    region: Annotated[str | None, Field(description="Null: its merchant's.")]
    latitude: Annotated[float | None, Field(description="Degrees (WGS 84).")]
    longitude: float | None


class StoreList(BaseModel):
    """Stores by id."""

    model_config = example({"object": "list", "data": [_OBJECT], "has_more": False})

    object: Literal["list"]
    data: list[StoreObject]
    has_more: bool


class StoresWritten(BaseModel):
    """How many stores were written."""

    model_config = example({"object": "stores_written", "stores": 1})

    object: Literal["stores_written"]
    stores: int


StoreId = Annotated[ShortText, Path(max_length=STORE_ID_LENGTH_MAX)]


@router.get("/merchants/{merchant_id}/stores", response_model=StoreList, summary="List a merchant's stores")
async def get_stores(
    request: Request,
    merchant_id: MerchantId,
    *,
    limit: Annotated[int, Query(ge=1, le=AT_ONCE_MAX)] = 20,
    starting_after: Annotated[ShortText | None, Query()] = None,
) -> Response:
    """By id."""
    database = database_of(request)
    await _is_merchant(database, merchant_id)
    found = await list_stores(database, merchant_id, limit + 1, after=starting_after)
    data = [_json(store) for store in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.put(
    "/merchants/{merchant_id}/stores", response_model=StoresWritten, name="stores.written", summary="Write many stores"
)
async def put_many(request: Request, merchant_id: MerchantId, wanted: StoresRequest) -> Response:
    """Write stores over what is known of them; others stay."""
    stores = {each.store_id: Store(**each.model_dump()) for each in wanted.stores}
    if len(stores) < len(wanted.stores):
        raise InvalidRequest("invalid_field", "“stores” has a store twice.", param="stores")
    await _put(database_of(request), merchant_id, list(stores.values()))
    tell(request, merchant_id, {"stores": sorted(stores)})
    return json_answer(200, {"object": "stores_written", "stores": len(stores)}).to_response()


@router.get("/merchants/{merchant_id}/stores/{store_id}", response_model=StoreObject, summary="Read a store")
async def get_store(request: Request, merchant_id: MerchantId, store_id: StoreId) -> Response:
    """A store of a merchant."""
    found = await find_store(database_of(request), merchant_id, store_id)
    if found is None:
        raise _no_store()
    return json_answer(200, _json(found)).to_response()


@router.put(
    "/merchants/{merchant_id}/stores/{store_id}",
    response_model=StoreObject,
    name="store.written",
    summary="Write a store",
)
async def put_store(request: Request, merchant_id: MerchantId, store_id: StoreId, wanted: StoreRequest) -> Response:
    """Write a store, whole; every process follows within a second."""
    database, store = database_of(request), Store(store_id, **wanted.model_dump())
    before = await find_store(database, merchant_id, store_id)
    if before == store:
        tell_nothing(request)
    else:
        await _put(database, merchant_id, [store])
        known = {} if before is None else before._asdict()
        tell(request, merchant_id, {"store": store_id, **changes(known, store._asdict())})
    return json_answer(200, _json(store)).to_response()


@router.delete(
    "/merchants/{merchant_id}/stores/{store_id}", status_code=204, name="store.deleted", summary="Delete a store"
)
async def delete(request: Request, merchant_id: MerchantId, store_id: StoreId) -> Response:
    """Forget what is known of a store; payments can still be taken there."""
    if not await delete_store(database_of(request), merchant_id, store_id):
        raise _no_store()
    tell(request, merchant_id, {"store": store_id})
    return Response(status_code=204)


async def _put(database: Database, merchant_id: str, stores: list[Store]) -> None:
    """Raises the 404 where there is no such merchant."""
    try:
        await put_stores(database, merchant_id, stores)
    except asyncpg.ForeignKeyViolationError:
        raise not_found("merchant", "merchant_id") from None


async def _is_merchant(database: Database, merchant_id: str) -> None:
    if await find_settings(database, merchant_id) is None:
        raise not_found("merchant", "merchant_id")


def _no_store() -> InvalidRequest:
    return not_found("store", "store_id")


def _json(store: Store) -> dict[str, Any]:
    """StoreObject."""
    return {"object": "store", **store._asdict()}
