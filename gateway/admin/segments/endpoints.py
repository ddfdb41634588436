"""Customers' segments under /admin/v1: which there are, who is put in and taken out (docs/campaigns.md)."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.once import database_of
from gateway.admin.segments.schemas import (
    CustomerRequest,
    CustomersAdded,
    CustomerSegments,
    CustomersRemoved,
    CustomersRequest,
    DeletedSegment,
    OfCustomers,
    SegmentList,
    SegmentName,
)
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from gateway.trail.recording import tell, tell_nothing
from promotions.campaigns.store import Database
from promotions.coupons.campaigns import SQL
from promotions.coupons.taking import customer_key
from promotions.customers.segments import (
    SEGMENTS_MAX,
    SEGMENTS_PER_CUSTOMER_MAX,
    CustomerFull,
    Segment,
    TooManySegments,
    add_customers,
    delete_some,
    hold,
    hold_or_create,
    read_segments,
    remove_customers,
    segments_of,
)

router = admin_router()


@router.get("/segments", response_model=SegmentList, summary="List the segments of customers")
async def get_segments(request: Request) -> Response:
    """By name, with how many customers are in each."""
    data = [_segment_json(segment) for segment in await read_segments(database_of(request))]
    return json_answer(200, {"object": "list", "data": data, "has_more": False}).to_response()


@router.post("/segments/find", response_model=CustomerSegments, summary="Find out which segments a customer is in")
async def post_find(request: Request, wanted: CustomerRequest) -> Response:
    """The customer comes in a body, so that nobody's id stands in the address of a request."""
    tell_nothing(request)
    database = database_of(request)
    realm = await _realm(database, wanted)
    customer = customer_key(services_of(request).vault, realm, wanted.customer)
    found = {"object": "customer_segments", "segments": await segments_of(database, customer)}
    return json_answer(200, found).to_response()


@router.put(
    "/segments/{name}/customers",
    response_model=CustomersAdded,
    name="segment.customers_added",
    summary="Put customers into a segment",
)
async def put_customers(request: Request, name: SegmentName, wanted: CustomersRequest) -> Response:
    """Up to 1,000, all or none of them; it counts from their next payment on.

    A segment that is not there is made.  Whoever is in it already stays, so a request can be sent again.  Somebody who
    has not paid yet can be put in, too.
    """
    connection = transaction_of(request)
    customers = await _keys(request, connection, wanted)
    try:
        before = await hold_or_create(connection, name)
        added = await add_customers(connection, name, customers)
    except TooManySegments:
        message = f"There are {SEGMENTS_MAX:,} segments: delete one that is no longer needed."
        raise Conflict("too_many_segments", message, param="name") from None
    except CustomerFull:
        message = f"One of these customers is in {SEGMENTS_PER_CUSTOMER_MAX} segments: nobody was put in."
        raise Conflict("customer_full", message, param="customers") from None
    if added:
        tell(request, name, {"asked": len(wanted.customers), "added": added})
    else:
        tell_nothing(request)
    told = {"object": "segment_customers_added", "segment": name, "added": added, "customers": before + added}
    return json_answer(200, told).to_response()


@router.post(
    "/segments/{name}/customers/remove",
    response_model=CustomersRemoved,
    name="segment.customers_removed",
    summary="Take customers out of a segment",
)
async def post_remove(request: Request, name: SegmentName, wanted: CustomersRequest) -> Response:
    """Up to 1,000; whoever is not in it is passed over.  The segment stays, also without customers."""
    connection = transaction_of(request)
    customers = await _keys(request, connection, wanted)
    before = await _held(connection, name)
    removed = await remove_customers(connection, name, customers)
    if removed:
        tell(request, name, {"asked": len(wanted.customers), "removed": removed})
    else:
        tell_nothing(request)
    told = {"object": "segment_customers_removed", "segment": name, "removed": removed, "customers": before - removed}
    return json_answer(200, told).to_response()


@router.delete("/segments/{name}", response_model=DeletedSegment, name="segment.deleted", summary="Delete a segment")
async def delete_segment(request: Request, name: SegmentName) -> Response:
    """Take out who is in it, up to 1,000 a request, and with the last one delete it.

    Send it again until `deleted` is true.  Campaigns and rules that name the segment stay, and find nobody in it.
    """
    connection = transaction_of(request)
    before = await _held(connection, name)
    removed, is_gone = await delete_some(connection, name)
    tell(request, name, {"removed": removed, "deleted": is_gone})
    told = {"object": "segment", "name": name, "deleted": is_gone, "removed": removed, "customers": before - removed}
    return json_answer(200, told).to_response()


async def _held(connection: Connection, name: str) -> int:
    """Raises the 404."""
    held = await hold(connection, name)
    if held is None:
        raise not_found("segment", "name")
    return held


async def _keys(request: Request, database: Database, wanted: CustomersRequest) -> list[bytes]:
    """The customers' keyed hashes.  Raises InvalidRequest."""
    realm, vault = await _realm(database, wanted), services_of(request).vault
    return [customer_key(vault, realm, customer) for customer in wanted.customers]


async def _realm(database: Database, wanted: OfCustomers) -> str:
    """What the customers' ids belong to.  Raises InvalidRequest for nobody, for two, and for an unknown merchant."""
    if wanted.merchant_id is None:
        if wanted.realm is None:
            raise InvalidRequest("missing_field", "Name the `merchant_id` or the `realm`.", param="merchant_id")
        return wanted.realm
    if wanted.realm is not None:
        message = "“realm” does not go with “merchant_id”."
        raise InvalidRequest("invalid_field", message, param="realm", status=422)
    realm: str | None = await database.fetchval(SQL["realm_of"], wanted.merchant_id)
    if realm is None:
        message = "“merchant_id” names no merchant."
        raise InvalidRequest("invalid_field", message, param="merchant_id", status=422)
    return realm


def _segment_json(segment: Segment) -> dict[str, Any]:
    """SegmentObject."""
    return {
        "object": "segment",
        "name": segment.name,
        "customers": segment.customers,
        "created_at": rfc3339(segment.created_at),
        "changed_at": rfc3339(segment.changed_at),
    }
