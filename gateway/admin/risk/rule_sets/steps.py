"""Which version of the risk rules is in force: published, put in force again; every process follows within a second."""

from __future__ import annotations

import logging
from typing import Final, cast

from fastapi import Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.admin.risk.rule_sets.schemas import Publish, PublishRequest, RuleSetSummary, RuleSetVersion
from gateway.admin.risk.rule_sets.views import SUBJECT, refusals, summary_json, told_json
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.kernel.errors import InvalidRequest
from gateway.trail.recording import tell, tell_nothing
from risk.rules.lifecycle import Publication, publish, roll_back

_log: Final = logging.getLogger("mashang.admin")

router = admin_router()


@router.post(
    "/risk/rule_sets/{version}/publish",
    response_model=RuleSetSummary,
    name="risk_rule_set.published",
    summary="Publish a version of the risk rules",
)
async def post_publish(request: Request, version: RuleSetVersion, wanted: Publish = None) -> Response:
    """Put a version in force: within a second everywhere, one of more than 1,000 rules within half a minute.

    Until then the present one stays in force.  Refused with `tests_failed` where a test of its rules fails, and with
    `rule_set_changed` where another version than `base_version` is in force; with `rule_set_outdated` where a list or a
    model that it names was deleted meanwhile.  The one in force again changes nothing.
    """
    connection = cast("Connection", database_of(request))
    with refusals():
        published = await publish(connection, version, await _base_version(request, wanted))
    return _published(request, published)


@router.post(
    "/risk/rule_sets/{version}/roll_back",
    response_model=RuleSetSummary,
    name="risk_rule_set.rolled_back",
    summary="Put a version of the risk rules in force again",
)
async def post_roll_back(request: Request, version: RuleSetVersion, wanted: Publish = None) -> Response:
    """Go back to a version that was in force before; to 0 to end all rules.

    Refused with `rule_set_outdated` where a list or a model that it names was deleted meanwhile.
    """
    connection = cast("Connection", database_of(request))
    with refusals():
        published = await roll_back(connection, version, await _base_version(request, wanted))
    return _published(request, published)


async def _base_version(request: Request, wanted: PublishRequest | None) -> int | None:
    """None where it is not said.  Raises InvalidRequest for a body of null: to say nothing is to send none."""
    if wanted is not None:
        return wanted.base_version
    if await request.body():
        raise InvalidRequest("invalid_json", "The body is not a JSON object.", param="body")
    return None


def _published(request: Request, published: Publication) -> Response:
    """RuleSetSummary, told in the trail where something has changed."""
    stored, before = published
    if stored.version == before:
        tell_nothing(request)
    else:
        tell(request, SUBJECT, {**told_json(stored), "version": {"before": before, "after": stored.version}})
        _log.info("risk rules published", extra={"rule_set": stored.version, "replaces": before})
    return json_answer(200, summary_json(stored)).to_response()
