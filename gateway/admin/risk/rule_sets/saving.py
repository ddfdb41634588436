"""Rule sets under /admin/v1: checked, and saved as a version; published in steps.py."""

from __future__ import annotations

from typing import Any, Final, cast

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.admin.risk.rule_sets.making import RuleSetRoute, made_of
from gateway.admin.risk.rule_sets.schemas import RuleSetCheckObject, RuleSetSummary
from gateway.admin.risk.rule_sets.views import SUBJECT, refused, rule_set_of, summary_json, told_json
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.http.services import services_of
from gateway.trail.recording import tell, tell_nothing
from risk.rules.document import RuleSetError
from risk.rules.store import save

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RuleSetRequest"}}},
    }
}

router = admin_router(RuleSetRoute)


@router.post(
    "/risk/rule_sets",
    status_code=201,
    response_model=RuleSetSummary,
    name="risk_rule_set.created",
    summary="Save a rule set",
    openapi_extra=_BODY,
)
async def post_rule_set(request: Request) -> Response:
    """Check a rule set and save it as a new version, a draft: nothing is screened by it before it is published.

    One with a problem is refused (`rule_set_refused`; the message has all of them).  Its tests are run; those that fail
    stand in `failed_tests`.
    """
    connection = cast("Connection", database_of(request))
    made = made_of(request)
    if isinstance(made, RuleSetError):
        raise refused(made)
    stored = await rule_set_of(connection, await save(connection, services_of(request).vault, made))
    tell(request, SUBJECT, told_json(stored))
    return json_answer(201, summary_json(stored)).to_response()


@router.post(
    "/risk/rule_sets/check", response_model=RuleSetCheckObject, summary="Check a rule set", openapi_extra=_BODY
)
async def post_check(request: Request) -> Response:
    """All that is wrong with a rule set; or where nothing is, which of its tests fail."""
    tell_nothing(request)
    made = made_of(request)
    answer: dict[str, Any]
    if isinstance(made, RuleSetError):
        answer = {"valid": False, "problems": made.problems, "rule_count": None, "test_count": None, "failed_tests": []}
    else:
        counts = {"rule_count": made.rule_count, "test_count": made.test_count}
        answer = {"valid": True, "problems": [], **counts, "failed_tests": made.failures}
    return json_answer(200, {"object": "risk_rule_set_check", **answer}).to_response()
