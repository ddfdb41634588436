"""The queue of risk cases under /admin/v1, one case with all its evidence, and when cases are due."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.campaigns.endpoints import transaction_of
from gateway.admin.once import database_of
from gateway.admin.risk.cases.evidence import case_detail
from gateway.admin.risk.cases.page import case_page
from gateway.admin.risk.cases.queue_page import queue_page
from gateway.admin.risk.cases.schemas import (
    AfterCaseId,
    CaseDetail,
    CaseId,
    CaseList,
    OfMerchant,
    OfPayment,
    TermsList,
    TermsRequest,
)
from gateway.admin.risk.cases.views import case_json
from gateway.http.answers import json_answer
from gateway.http.pages import wants_page
from gateway.http.services import services_of
from gateway.kernel.errors import InvalidRequest
from gateway.payments.schemas import Text
from gateway.trail.entry import changes
from gateway.trail.recording import tell
from risk.cases.case import Kind, Terms
from risk.cases.gauges import measured
from risk.cases.store import CaseFilter, Database, Order, all_terms, find_case, page_of_cases, set_terms

router = admin_router()

Format = Annotated[Literal["json", "html"] | None, Query(description="JSON by default, a page for a browser.")]
By = Annotated[
    Text | None, Query(min_length=1, max_length=64, description="Who holds it, or of decided ones who decided it.")
]


@router.get(
    "/risk/cases",
    response_model=CaseList,
    summary="List risk cases",
    responses={200: {"content": {"text/html": {}}}},
)
async def get_cases(
    request: Request,
    *,
    status: Literal["open", "decided"] = "open",
    order: Annotated[Order, Query(description="Of open cases; decided ones come newest first.")] = Order.DUE,
    kind: Kind | None = None,
    merchant_id: OfMerchant = None,
    payment_id: OfPayment = None,
    by: By = None,
    unclaimed: Annotated[bool, Query(description="Only open ones that nobody works on.")] = False,
    overdue: Annotated[bool, Query(description="Only open ones that should have been decided.")] = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: AfterCaseId = None,
    format: Format = None,  # noqa: A002  the parameter's name in the API
) -> Response:
    """What waits for a verdict: what is due first (or what most is at stake in) stands first."""
    wanted = CaseFilter(status == "decided", order, kind, merchant_id, payment_id, by, unclaimed, overdue)
    database = database_of(request)
    after = None if starting_after is None else await find_case(database, starting_after)
    if starting_after is not None and (after is None or (wanted.decided and after.is_open)):
        raise InvalidRequest(
            "invalid_field", "“starting_after” is no case of this list any more.", param="starting_after"
        )
    found = await page_of_cases(database, wanted, limit + 1, after)
    page, has_more = [case_json(each) for each in found[:limit]], len(found) > limit
    if format == "html" or (format is None and wants_page(request.headers.get("accept"))):
        return queue_page(page, await measured(database), status, has_more=has_more)
    return json_answer(200, {"object": "list", "data": page, "has_more": has_more}).to_response()


@router.get(
    "/risk/cases/{case_id}",
    response_model=CaseDetail,
    summary="Read a risk case with its evidence",
    responses={200: {"content": {"text/html": {}}}},
)
async def get_case(
    request: Request,
    case_id: CaseId,
    *,
    format: Format = None,  # noqa: A002  the parameter's name in the API
) -> Response:
    """The payment and its attempts, the decision and what it saw, refunds, the customer's recent payments, complaints,
    labels, and what was done about it; what names the customer is masked."""
    detail = await case_detail(services_of(request), case_id)
    if format == "html" or (format is None and wants_page(request.headers.get("accept"))):
        return case_page(detail)
    return json_answer(200, detail).to_response()


@router.get("/risk/case_terms", response_model=TermsList, summary="Read when risk cases are due")
async def get_terms(request: Request) -> Response:
    """Of each kind of case: the hours until its verdict is due, and the minutes that a claim holds."""
    return await _terms_answer(database_of(request))


@router.put("/risk/case_terms", response_model=TermsList, name="risk_case.terms", summary="Change when cases are due")
async def put_terms(request: Request, wanted: TermsRequest) -> Response:
    """They hold for what is opened, reopened or claimed from then on."""
    connection = transaction_of(request)
    before = {terms.kind: terms for terms in await all_terms(connection)}[wanted.kind]
    await set_terms(connection, Terms(wanted.kind, wanted.due_hours, wanted.claim_minutes))
    told = changes(_terms_json(before), wanted.model_dump())
    tell(request, wanted.kind, told)
    return await _terms_answer(connection)


async def _terms_answer(database: Database) -> Response:
    data = [_terms_json(terms) for terms in await all_terms(database)]
    return json_answer(200, {"object": "list", "data": data, "has_more": False}).to_response()


def _terms_json(terms: Terms) -> dict[str, Any]:
    return {"kind": terms.kind, "due_hours": terms.due_hours, "claim_minutes": terms.claim_minutes}
