"""What the report of a campaign answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from gateway.admin.access import example
from gateway.admin.campaigns.schemas import EXAMPLE_ID

_HOUR: Final[dict[str, Any]] = {
    "begins": "2026-11-22T04:00:00.000Z",
    "redemptions": 85,
    "spent": 41500,
    "held": 1000,
    "turnover": 211800,
    "new_customers": 12,
    "sponsors": {"bank": 29050, "merchant": 12450},
    "considered": 130,
    "quoted": 97,
    "refusals": {"below_spend": 41, "limit_reached": 4},
}
_REPORT: Final[dict[str, Any]] = {
    "object": "campaign_report",
    "campaign_id": EXAMPLE_ID,
    "name": "满20减5",
    "status": "active",
    "timezone": "Asia/Shanghai",
    "from": "2026-11-22T04:00:00.000Z",
    "to": "2026-11-22T05:00:00.000Z",
    "made_at": "2026-11-22T05:10:03.004Z",
    "payments": {"considered": 130, "redeemed": 85, "succeeded": 83, "held": 2, "given_back": 0},
    "spent": 41500,
    "held": 1000,
    "returned": 500,
    "turnover": 211800,
    "refunded": 2599,
    "turnover_per_fen": 5.1024,
    "customers": {"known": 80, "new": 12},
    "quotes": {"offered": 97, "refused": 45, "conversion": 0.8763},
    "sponsors": [
        {"sponsor": "bank", "spent": 29050, "returned": 350},
        {"sponsor": "merchant", "spent": 12450, "returned": 150},
    ],
    "refusals": [{"reason": "below_spend", "count": 41}, {"reason": "limit_reached", "count": 4}],
    "hours": [_HOUR],
}


class ReportedPayments(BaseModel):
    """Payments whose intent lies in the time; `given_back` came to nothing, and the campaign has its money again."""

    considered: Annotated[int, Field(description="For how many the campaign was looked at.")]
    redeemed: int
    succeeded: int
    held: Annotated[int, Field(description="Not decided yet.")]
    given_back: int


class ReportedCustomers(BaseModel):
    """Customers of payments that succeeded: different ones that are known, and those for whom it was the first."""

    known: int
    new: int


class ReportedQuotes(BaseModel):
    """Quotes, and redemptions for each quote that offered the campaign: above 1 where tills pay without asking."""

    offered: int
    refused: int
    conversion: float | None


class ReportedSponsor(BaseModel):
    """What a sponsor paid for payments that succeeded, and what refunds of them gave back, in fen."""

    sponsor: str
    spent: int
    returned: int


class ReportedRefusal(BaseModel):
    """Why payments did not get it, as in `pricing` of a payment."""

    reason: str
    count: int


class ReportedHour(BaseModel):
    """An hour of the campaign's clock; amounts in fen."""

    model_config = example(_HOUR)

    begins: datetime
    redemptions: int
    spent: int
    held: int
    turnover: int
    new_customers: int
    sponsors: dict[str, int]
    considered: int
    quoted: int
    refusals: dict[str, int]


class CampaignReportObject(BaseModel):
    """What became of a campaign in a time; amounts in fen.  Hours in which nothing happened are left out.

    What was paid is exact.  `considered`, `quotes` and `refusals` are counted on the side: the last seconds before a
    crash may be missing.
    """

    model_config = example(_REPORT)

    object: Literal["campaign_report"]
    campaign_id: str
    name: str
    status: str
    timezone: str
    start: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="to")]
    made_at: datetime
    payments: ReportedPayments
    spent: Annotated[int, Field(description="For payments that succeeded; refunds not taken off.")]
    held: int
    returned: Annotated[int, Field(description="By refunds of these payments, whenever that was.")]
    turnover: Annotated[int, Field(description="Goods of payments that succeeded.")]
    refunded: Annotated[int, Field(description="Goods of these that were refunded.")]
    turnover_per_fen: Annotated[
        float | None, Field(description="Goods that were kept, for each fen of subsidy that did not come back.")
    ]
    customers: ReportedCustomers
    quotes: ReportedQuotes
    sponsors: list[ReportedSponsor]
    refusals: list[ReportedRefusal]
    hours: list[ReportedHour]
