"""`GET /v1/shift_report`: a till's day as JSON, as a page to print, or as a file for spreadsheets."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway.http.answers import json_answer, no_unknown_parameters
from gateway.http.authentication import authenticated
from gateway.http.pages import language_of, wants_page
from gateway.http.services import services_of
from gateway.kernel.clock import utc_now
from gateway.kernel.errors import InvalidRequest
from gateway.merchants.store import Merchant, Scope
from gateway.payments.schemas import Moment, Text
from gateway.reports.page import LINES_SHOWN, shift_page
from gateway.reports.schemas import ShiftReportObject, report_json
from gateway.reports.shift import DAYS_MAX, Period, ShiftReport, Till, period_of
from gateway.reports.spreadsheet import as_csv
from gateway.reports.store import LINES_MAX

router = APIRouter(prefix="/v1/shift_report", tags=["reports"], dependencies=[Depends(no_unknown_parameters)])

_PLACE: Final = Query(min_length=1, max_length=32)


@router.get(
    "",
    response_model=ShiftReportObject,
    summary="A till's day",
    responses={200: {"content": {"text/html": {}, "text/csv": {}}}},
)
async def get_shift_report(
    request: Request,
    *,
    start: Annotated[Moment | None, Query(alias="from", description="The local day's beginning by default.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Exclusive; the local day's end by default.")] = None,
    store_id: Annotated[Text | None, _PLACE] = None,
    terminal_id: Annotated[Text | None, _PLACE] = None,
    operator_id: Annotated[Text | None, _PLACE] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Of the lists in JSON; the sums are always of all.")] = 100,
    format: Annotated[  # noqa: A002  the parameter's name in the API
        Literal["json", "csv", "html"] | None,
        Query(description="JSON by default, a page for a browser; `csv` in UTF-8 with a byte order mark."),
    ] = None,
) -> Response:
    """Sums and lists of what was taken and given back at the tills, in fen, held against the ledger.

    A payment counts by the time and the till that made it, a refund by the time and the till of the refund; what has no
    end yet stands apart under `open`. At most 31 days; without `from` and `to` the merchant's local day.
    """
    services = services_of(request)
    merchant = (await authenticated(request, Scope.READ)).merchant
    period = period_of(start, end, ZoneInfo(merchant.timezone), utc_now())
    if not period.is_sound:
        raise InvalidRequest("invalid_field", f"“to” lies after “from”, at most {DAYS_MAX} days.", param="to")
    chosen = format or ("html" if wants_page(request.headers.get("accept")) else "json")
    lines_max = {"json": limit, "html": LINES_SHOWN, "csv": LINES_MAX}[chosen]
    report = await services.reports.read(merchant.id, period, Till(store_id, terminal_id, operator_id), lines_max)
    if chosen == "json":
        return json_answer(200, report_json(report, merchant)).to_response()
    if chosen == "html":
        return shift_page(report, merchant, language_of(request.headers.get("accept-language")))
    return await _file(report, merchant)


async def _file(report: ShiftReport, merchant: Merchant) -> Response:
    """Written in a thread: 20,000 lines take 0.2 s, in which payments would wait."""
    if report.lines.more_payments or report.lines.more_refunds:
        raise InvalidRequest(
            "report_too_large",
            f"A file holds at most {LINES_MAX} payments: ask for a shorter time, or one till.",
            param="from",
        )
    timezone = ZoneInfo(merchant.timezone)
    headers = {
        "Content-Disposition": f'attachment; filename="{_file_name(report.period, timezone)}"',
        "Cache-Control": "private, no-store",
    }
    file = await asyncio.to_thread(as_csv, report, timezone)
    return Response(file, 200, headers, media_type="text/csv; charset=utf-8")


def _file_name(period: Period, timezone: ZoneInfo) -> str:
    first, last = (f"{moment.astimezone(timezone):%Y-%m-%d}" for moment in period)
    return f"shift-{first}-{last}.csv"
