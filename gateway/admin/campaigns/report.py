"""`GET /admin/v1/campaigns/{id}/report`: what a campaign gave and brought in, as JSON or as a page to keep."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.refusals import no_campaign
from gateway.admin.campaigns.report_page import report_page
from gateway.admin.campaigns.report_schemas import CampaignReportObject
from gateway.admin.campaigns.schemas import CampaignId
from gateway.http.answers import json_answer
from gateway.http.pages import wants_page
from gateway.http.services import services_of
from gateway.kernel.clock import rfc3339, utc_now
from gateway.kernel.errors import InvalidRequest
from gateway.payments.schemas import Moment
from promotions.campaigns.balances import Balance, find_balance
from promotions.reporting.counting import What
from promotions.reporting.report import DAYS_MAX, Hour, Period, Report

router = admin_router()

_USUAL: Final = timedelta(days=7)
_DIGITS: Final = 4


@router.get(
    "/campaigns/{campaign_id}/report",
    response_model=CampaignReportObject,
    summary="Report what became of a campaign",
    responses={200: {"content": {"text/html": {}}}},
)
async def get_report(
    request: Request,
    campaign_id: CampaignId,
    *,
    start: Annotated[Moment | None, Query(alias="from", description="Seven days before the end by default.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Exclusive; now by default.")] = None,
    format: Annotated[  # noqa: A002  the parameter's name in the API
        Literal["json", "html"] | None, Query(description="JSON by default, a page for a browser.")
    ] = None,
) -> Response:
    """Payments, spend by sponsor and hour, new customers, turnover for each fen of subsidy, and why others had nothing.

    A redemption counts in the hour of its payment's intent. At most 92 days and 500,000 redemptions.
    """
    services = services_of(request)
    until = end or utc_now()
    period = Period(start or until - _USUAL, until)
    if not period.is_sound:
        raise InvalidRequest("invalid_field", f"“to” lies after “from”, at most {DAYS_MAX} days.", param="to")
    balance = await find_balance(services.pool, campaign_id)
    if balance is None:
        raise no_campaign()
    report = await services.campaign_reports.read(campaign_id, balance.campaign.timezone, period)
    document = report_json(balance, report)
    if format == "html" or (format is None and wants_page(request.headers.get("accept"))):
        return report_page(balance, document)
    return json_answer(200, document).to_response()


def report_json(balance: Balance, report: Report) -> dict[str, Any]:
    """CampaignReportObject."""
    campaign = balance.campaign
    quoted, redeemed = report.asked(What.QUOTED), report.total("redemptions")
    succeeded, held = report.total("succeeded"), report.total("held")
    return {
        "object": "campaign_report",
        "campaign_id": campaign.id,
        "name": campaign.written["name"],
        "status": campaign.status.value,
        "timezone": campaign.timezone,
        "from": rfc3339(report.period.start),
        "to": rfc3339(report.period.end),
        "made_at": rfc3339(report.made_at),
        "payments": {
            "considered": report.asked(What.CONSIDERED),
            "redeemed": redeemed,
            "succeeded": succeeded,
            "held": held,
            "given_back": redeemed - succeeded - held,
        },
        "spent": report.total("spent_fen"),
        "held": report.total("held_fen"),
        "returned": report.returned_fen,
        "turnover": report.total("turnover_fen"),
        "refunded": report.total("refunded_fen"),
        "turnover_per_fen": _rounded(report.turnover_per_fen),
        "customers": {"known": report.customers, "new": report.total("new_customers")},
        "quotes": {
            "offered": quoted,
            "refused": report.asked(What.QUOTE_REFUSED),
            "conversion": _rounded(report.conversion),
        },
        "sponsors": [
            {"sponsor": sponsor, "spent": spent, "returned": returned} for sponsor, spent, returned in report.sponsors
        ],
        "refusals": [{"reason": reason, "count": count} for reason, count in report.refusals],
        "hours": [_hour(hour) for hour in report.hours],
    }


def _hour(hour: Hour) -> dict[str, Any]:
    """ReportedHour."""
    asked = {what.value for what in What}
    return {
        "begins": rfc3339(hour.begins),
        "redemptions": hour.redemptions,
        "spent": hour.spent_fen,
        "held": hour.held_fen,
        "turnover": hour.turnover_fen,
        "new_customers": hour.new_customers,
        "sponsors": hour.sponsors,
        "considered": hour.asked.get(What.CONSIDERED, 0),
        "quoted": hour.asked.get(What.QUOTED, 0),
        "refusals": {reason: count for reason, count in hour.asked.items() if reason not in asked},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
