"""What can be changed about a merchant under /admin/v1: name, time zone, receipts, what campaigns and risk look at."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field, field_validator

from gateway.admin.access import AdminRequest, admin_router, example
from gateway.admin.merchants.endpoints import EXAMPLE_ID, MERCHANT_ID_PATTERN, Label, MerchantId, Realm, TimeZone
from gateway.admin.once import database_of
from gateway.http.answers import json_answer
from gateway.kernel.errors import InvalidRequest, not_found
from gateway.kernel.money import AMOUNT_FEN_MAX
from gateway.merchants.quota import QUOTA_MAX
from gateway.merchants.settings import MerchantSettings, find_settings, hold_settings, list_settings, save_settings
from gateway.payments.schemas import Text
from gateway.receipts.receipt import ShownDiscounts
from gateway.trail.entry import changes
from gateway.trail.recording import tell

router = admin_router()

_SETTINGS: dict[str, Any] = {
    "id": EXAMPLE_ID,
    "name": "Corner Café",
    "status": "active",
    "timezone": "Asia/Shanghai",
    "signing_required": False,
    "receipt_discounts": "by_funder",
    "customer_realm": "corner_group",
    "category": "cafe",
    "region": "上海",
    "risk_tier": "new",
    "risk_open_amount_max": 500_000,
    "payments_per_s": 50,
    "payments_burst": 100,
    "payments_in_flight_max": 200,
}


_Count = Annotated[int, Field(ge=1, le=QUOTA_MAX, strict=True)]


class MerchantChange(AdminRequest):
    """What to change; what is left out stays.  Null takes the realm, the category, the region, the tier or a quota
    away."""

    model_config = example({"receipt_discounts": "total"})

    name: Annotated[Text, Field(min_length=1, max_length=64)] | None = None
    timezone: TimeZone | None = None
    status: Annotated[
        Literal["active", "suspended"] | None,
        Field(description="A suspended merchant's keys do not work, and its codes cannot be paid."),
    ] = None
    signing_required: Annotated[
        bool | None, Field(strict=True, description="Whether requests have to be signed; bearer keys are refused then.")
    ] = None
    receipt_discounts: Annotated[
        ShownDiscounts | None,
        Field(description="On receipts: by funder, as a total, or only what the customer paid."),
    ] = None

    customer_realm: Annotated[
        Realm | None,
        Field(
            description="Merchants of one realm share their customers' ids; what customers took so far stays behind."
        ),
    ] = None
    category: Label | None = None
    region: Label | None = None
    risk_tier: Annotated[Label | None, Field(description="What risk rules see as `merchant.tier`.")] = None
    risk_open_amount_max: Annotated[
        Annotated[int, Field(ge=0, le=AMOUNT_FEN_MAX, strict=True)] | None,
        Field(
            description="Fen: payments up to this are taken while what risk rules look at is away or late; 0: none, "
            "null: any. Rules that look at the request alone go on in any case."
        ),
    ] = None

    payments_per_s: Annotated[
        _Count | None,
        Field(description="Payments it may begin a second, over all processes; null: the installation's default."),
    ] = None
    payments_burst: Annotated[_Count | None, Field(description="How many of them at once; null: a second's worth.")] = (
        None
    )
    payments_in_flight_max: Annotated[
        _Count | None,
        Field(description="Payments it may have in flight at once; null: the installation's default."),
    ] = None

    @field_validator("name", "timezone", "status", "signing_required", "receipt_discounts")
    @classmethod
    def _is_something(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("must not be null: leave it out to keep it as it is")
        return value


class MerchantSettingsObject(BaseModel):
    """A merchant as it stands, without secrets."""

    model_config = example(_SETTINGS)

    id: str
    name: str
    status: Literal["active", "suspended"]
    timezone: str
    signing_required: bool
    receipt_discounts: ShownDiscounts
    customer_realm: str | None
    category: Annotated[str | None, Field(description="What campaigns look at, where a store has none of its own.")]
    region: str | None
    risk_tier: str | None
    risk_open_amount_max: int | None
    payments_per_s: int | None
    payments_burst: int | None
    payments_in_flight_max: int | None


class MerchantList(BaseModel):
    """A page of merchants, the newest first."""

    model_config = example({"object": "list", "data": [_SETTINGS], "has_more": False})

    object: Literal["list"]
    data: list[MerchantSettingsObject]
    has_more: bool


@router.get("/merchants", response_model=MerchantList, summary="List merchants")
async def get_merchants(
    request: Request,
    *,
    name: Annotated[str | None, Query(min_length=1, max_length=64, description="A part of it, in any case.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[str | None, Query(pattern=MERCHANT_ID_PATTERN)] = None,
) -> Response:
    """Merchants with their settings, the newest first."""
    found = await list_settings(database_of(request), limit + 1, below=starting_after, name=name)
    data = [asdict(each) for each in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.get("/merchants/{merchant_id}", response_model=MerchantSettingsObject, summary="Read a merchant")
async def get_merchant(request: Request, merchant_id: MerchantId) -> Response:
    """A merchant with its settings."""
    return _answer(await find_settings(database_of(request), merchant_id))


@router.patch(
    "/merchants/{merchant_id}",
    response_model=MerchantSettingsObject,
    name="merchant.changed",
    summary="Change a merchant",
)
async def patch_merchant(request: Request, merchant_id: MerchantId, change: MerchantChange) -> Response:
    """Change what is given; every process follows within a second."""
    database = database_of(request)
    before = await hold_settings(database, merchant_id)
    if before is None:
        raise _no_merchant()
    after = replace(before, **change.model_dump(exclude_unset=True))
    await save_settings(database, after)
    tell(request, merchant_id, changes(asdict(before), asdict(after)))
    return _answer(after)


def _answer(found: MerchantSettings | None) -> Response:
    if found is None:
        raise _no_merchant()
    return json_answer(200, asdict(found)).to_response()


def _no_merchant() -> InvalidRequest:
    return not_found("merchant", "merchant_id")
