"""What the endpoints of campaigns take and give."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Header, Path, Query
from pydantic import BaseModel, Field, SkipValidation

from gateway.admin.access import AdminRequest, example
from gateway.admin.campaigns.document import DOCUMENT, CampaignDocument
from gateway.kernel.money import AMOUNT_FEN_MAX
from gateway.payments.schemas import Text
from promotions.campaigns.campaign import Status
from promotions.campaigns.store import VERSION_MAX

CAMPAIGN_ID_PATTERN: Final = r"^cam_[0-9A-HJKMNP-TV-Z]{26}$"
EXAMPLE_ID: Final = "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
PAYMENTS_MAX: Final = 1_000
"""A check looks at so many payments at most: some milliseconds."""
NAME_LENGTH_MAX: Final = 64

_BUDGET: Final[dict[str, Any]] = {
    "total": 1000000,
    "spent": 41500,
    "held": 1000,
    "left": 957500,
    "returned_to_sponsor": 0,
    "count": {"total": None, "used": 85, "held": 2, "left": None},
    "today": {
        "day": "2026-11-22",
        "budget": 200000,
        "used": 42500,
        "left": 157500,
        "count": None,
        "count_used": 85,
        "count_left": None,
    },
}
_OBJECT: Final[dict[str, Any]] = {
    "id": EXAMPLE_ID,
    "object": "campaign",
    "status": "active",
    "version": 2,
    "revision": 4,
    **DOCUMENT,
    "budget": _BUDGET,
    "created_at": "2026-11-22T01:02:03.004Z",
    "updated_at": "2026-11-22T01:12:03.004Z",
    "activated_at": "2026-11-22T01:12:03.004Z",
    "ended_at": None,
}
_VERSION: Final[dict[str, Any]] = {
    "object": "campaign_version",
    "version": 1,
    "in_force": False,
    "created_at": "2026-11-22T01:02:03.004Z",
    "campaign": DOCUMENT,
}
_CHECK: Final[dict[str, Any]] = {
    "object": "campaign_check",
    "valid": False,
    "problems": [
        {
            "path": "condition",
            "message": "there is no field payment.hours",
            "line": 1,
            "column": 1,
            "hint": "did you mean payment.hour?",
        }
    ],
    "payments": None,
}


class CampaignRequest(CampaignDocument):
    """A campaign's next version, whole."""

    model_config = example({**DOCUMENT, "base_version": 1})

    base_version: Annotated[
        int | None,
        Field(ge=1, le=VERSION_MAX, description="Refused with `campaign_changed` where another version is in force."),
    ] = None


class CampaignChange(BaseModel):
    """What to change of a campaign: a JSON merge patch (RFC 7396), so null takes a field away."""

    model_config = example({"limits": {"budget_per_day": 300000}, "base_version": 2}) | {"extra": "allow"}

    base_version: Annotated[int | None, Field(ge=1, le=VERSION_MAX)] = None


GivenCampaign = Annotated[CampaignDocument, SkipValidation]
GivenVersion = Annotated[CampaignRequest, SkipValidation]
GivenChange = Annotated[CampaignChange, SkipValidation]
"""Documented as the models, and read by promotions.campaigns."""


class TopUpRequest(AdminRequest):
    """How much to add to the budget."""

    model_config = example({"amount": 500000})

    amount: Annotated[int, Field(strict=True, ge=1, le=AMOUNT_FEN_MAX, description="Fen.")]


class CountBalance(BaseModel):
    """Payments that got the discount and still have it; `held` of them are not decided."""

    total: int | None
    used: int
    held: int
    left: int | None


class DayBalance(BaseModel):
    """What became of the campaign's present day, in its time zone; null is no limit."""

    day: date
    budget: int | None
    used: int
    left: Annotated[int | None, Field(description="Never more than what is left in all.")]
    count: int | None
    count_used: int
    count_left: int | None


class BudgetObject(BaseModel):
    """total = spent + held + left + returned_to_sponsor, in fen; without a budget the others are null."""

    model_config = example(_BUDGET)

    total: int | None
    spent: Annotated[int, Field(description="By payments that succeeded, less what refunds gave back.")]
    held: Annotated[int, Field(description="By payments that are not decided.")]
    left: int | None
    returned_to_sponsor: Annotated[int | None, Field(description="Once it has ended.")]
    count: CountBalance
    today: DayBalance


class CampaignObject(CampaignDocument):
    """A campaign: the version in force, and its budget."""

    model_config = example(_OBJECT)

    id: str
    object: Literal["campaign"]
    status: Status
    version: Annotated[int, Field(description="Rises with every edit.")]
    revision: Annotated[int, Field(description="Rises with every change; the `ETag`, for `If-Match`.")]
    budget: BudgetObject
    created_at: datetime
    updated_at: datetime
    activated_at: datetime | None
    ended_at: datetime | None


class CampaignList(BaseModel):
    """Campaigns, the newest first."""

    model_config = example({"object": "list", "data": [_OBJECT], "has_more": False})

    object: Literal["list"]
    data: list[CampaignObject]
    has_more: bool


class CampaignVersionObject(BaseModel):
    """A version as it was written; top-ups since do not show in it."""

    model_config = example(_VERSION)

    object: Literal["campaign_version"]
    version: int
    in_force: bool
    created_at: datetime
    campaign: CampaignDocument


class CampaignVersions(BaseModel):
    """Versions, the newest first."""

    model_config = example({"object": "list", "data": [_VERSION], "has_more": False})

    object: Literal["list"]
    data: list[CampaignVersionObject]
    has_more: bool


class CampaignProblem(BaseModel):
    """What is wrong, and where; line and column (from 1) in a condition."""

    path: str
    message: str
    line: int | None
    column: int | None
    hint: str


class ConditionMatches(BaseModel):
    """How many of the newest payments the condition would match, at the time at which each was made."""

    model_config = example({"looked_at": 500, "matched": 212, "needs_history": False})

    looked_at: int
    matched: int
    needs_history: Annotated[
        bool,
        Field(description="It asks what the customer did before, which nobody knows of past payments: null there."),
    ]


class CampaignCheckObject(BaseModel):
    """Whether a campaign would be taken, and what its condition would match."""

    model_config = example(_CHECK)

    object: Literal["campaign_check"]
    valid: bool
    problems: list[CampaignProblem]
    payments: ConditionMatches | None


class CampaignExample(BaseModel):
    """A campaign to begin from."""

    name: str
    campaign: CampaignDocument


class CampaignExamples(BaseModel):
    """The examples that come with the gateway."""

    model_config = example(
        {"object": "list", "data": [{"name": "spend_and_save", "campaign": DOCUMENT}], "has_more": False}
    )

    object: Literal["list"]
    data: list[CampaignExample]
    has_more: bool


CampaignId = Annotated[str, Path(pattern=CAMPAIGN_ID_PATTERN)]
AfterCampaignId = Annotated[str | None, Query(pattern=CAMPAIGN_ID_PATTERN)]
OfName = Annotated[Text | None, Query(min_length=1, max_length=NAME_LENGTH_MAX, description="With this in their name.")]
BelowVersion = Annotated[int | None, Query(ge=1, le=VERSION_MAX, description="Versions below this one.")]
PaymentsLookedAt = Annotated[int, Query(ge=0, le=PAYMENTS_MAX, description="How many of the newest payments to match.")]
IfMatch = Annotated[
    str | None, Header(description="The `ETag` of what was read: refused with `campaign_changed` if it is another now.")
]
