"""What the endpoints of customers' segments take and give."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path
from pydantic import BaseModel, Field

from gateway.admin.access import AdminRequest, example
from gateway.admin.merchants.endpoints import EXAMPLE_ID, MERCHANT_ID_PATTERN, Realm
from gateway.coupons.schemas import CustomerId
from promotions.customers.segments import CUSTOMERS_AT_ONCE_MAX, SEGMENT_PATTERN

SegmentName = Annotated[str, Path(pattern=SEGMENT_PATTERN)]

SEGMENT: Final[dict[str, Any]] = {
    "object": "segment",
    "name": "vip",
    "customers": 2,
    "created_at": "2026-11-22T01:02:03.004Z",
    "changed_at": "2026-11-22T01:02:03.004Z",
}


class OfCustomers(AdminRequest):
    """Whose customers' ids they are: `merchant_id` or `realm`, one of them."""

    merchant_id: Annotated[
        str | None, Field(pattern=MERCHANT_ID_PATTERN, description="Whose customers; or those of its realm.")
    ] = None
    realm: Annotated[
        Realm | None, Field(description="Whose customers, where merchants share them; instead of `merchant_id`.")
    ] = None


class CustomersRequest(OfCustomers):
    """Customers to put in or to take out; whoever stands there twice counts once."""

    model_config = example({"merchant_id": EXAMPLE_ID, "customers": ["c-42", "c-43"]})

    customers: Annotated[
        list[CustomerId], Field(min_length=1, max_length=CUSTOMERS_AT_ONCE_MAX, description="The till's own ids.")
    ]


class CustomerRequest(OfCustomers):
    """One customer."""

    model_config = example({"merchant_id": EXAMPLE_ID, "customer": "c-42"})

    customer: Annotated[CustomerId, Field(description="The till's own id.")]


class SegmentObject(BaseModel):
    """A segment, and how many customers of all merchants are in it."""

    model_config = example(SEGMENT)

    object: Literal["segment"]
    name: str
    customers: int
    created_at: str
    changed_at: Annotated[str, Field(description="When somebody came in or went out last.")]


class SegmentList(BaseModel):
    """All segments by name."""

    model_config = example({"object": "list", "data": [SEGMENT], "has_more": False})

    object: Literal["list"]
    data: list[SegmentObject]
    has_more: bool


class CustomersAdded(BaseModel):
    """How many of them were not in it before, and how many customers are in it now."""

    model_config = example({"object": "segment_customers_added", "segment": "vip", "added": 1, "customers": 2})

    object: Literal["segment_customers_added"]
    segment: str
    added: int
    customers: int


class CustomersRemoved(BaseModel):
    """How many of them were in it, and how many customers still are."""

    model_config = example({"object": "segment_customers_removed", "segment": "vip", "removed": 1, "customers": 1})

    object: Literal["segment_customers_removed"]
    segment: str
    removed: int
    customers: int


class CustomerSegments(BaseModel):
    """The segments that a customer is in, by name."""

    model_config = example({"object": "customer_segments", "segments": ["staff", "vip"]})

    object: Literal["customer_segments"]
    segments: list[str]


class DeletedSegment(BaseModel):
    """What a step of deleting has done; until `deleted` is true, send it again."""

    model_config = example({"object": "segment", "name": "vip", "deleted": True, "removed": 2, "customers": 0})

    object: Literal["segment"]
    name: str
    deleted: Annotated[bool, Field(description="False: there are more customers in it than one request takes out.")]
    removed: int
    customers: Annotated[int, Field(description="How many are still in it.")]
