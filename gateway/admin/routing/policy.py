"""The routing policy under /admin/v1: checked, published to every process at once, rolled back in one call."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Annotated, Any, Final, cast

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.admin.routing.matches import matches_of, recent_sales
from gateway.admin.routing.schemas import (
    BelowVersion,
    GivenPolicy,
    PaymentsLookedAt,
    PolicyCheckObject,
    PolicyObject,
    PolicyVersion,
    PolicyVersions,
    RollBackRequest,
)
from gateway.database.pool import Connection
from gateway.http.answers import json_answer
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from gateway.trail.recording import tell, tell_nothing
from routing.policy.compiled import CompiledPolicy
from routing.policy.document import parse
from routing.policy.reading import PolicyError
from routing.policy.rules import PolicyDocument
from routing.policy.store import (
    VERSION_MAX,
    NoSuchVersion,
    PolicyChanged,
    Publication,
    StoredPolicy,
    find,
    history,
    in_force,
    known_accounts,
    publish,
    roll_back,
)

_log: Final = logging.getLogger("mashang.admin")
_TOLD_MAX: Final = 20
"""So many problems stand in the message of a refusal; a check tells all."""
_SUBJECT: Final = "routing_policy"
_BASE_VERSION: Final = "base_version"

router = admin_router()


@router.get("/routing/policy", response_model=PolicyObject, summary="Read the routing policy in force")
async def get_policy(request: Request) -> Response:
    """The version that was published last."""
    stored = await in_force(database_of(request))
    return json_answer(200, _object(stored, stored.version)).to_response()


@router.put(
    "/routing/policy",
    response_model=PolicyObject,
    name="routing_policy.published",
    summary="Publish a routing policy",
)
async def put_policy(request: Request, wanted: GivenPolicy) -> Response:
    """Check a policy, save it as a new version, and put it in force; every process follows within a second.

    A policy with a problem is refused whole (`policy_refused`; the message has all of them) and the present one stays.
    The same policy again changes nothing.
    """
    connection = _transaction_of(request)
    given, base_version = _without_base_version(wanted)
    document = await _checked(connection, given)
    try:
        published = await publish(connection, document, base_version)
    except PolicyChanged as error:
        raise Conflict(
            "policy_changed", f"Version {error.version} is in force: look at it first.", param=_BASE_VERSION
        ) from None
    return _published(request, published)


@router.get("/routing/policy/versions", response_model=PolicyVersions, summary="List versions of the routing policy")
async def get_versions(
    request: Request,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: BelowVersion = None,
) -> Response:
    """The newest first."""
    database = database_of(request)
    current = (await in_force(database)).version
    found = await history(database, limit + 1, before=starting_after)
    data = [_summary(stored, current) for stored in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.get(
    "/routing/policy/versions/{version}", response_model=PolicyObject, summary="Read a version of the routing policy"
)
async def get_version(request: Request, version: PolicyVersion) -> Response:
    """As it was published."""
    database = database_of(request)
    stored = await find(database, version)
    if stored is None:
        raise not_found("version", "version")
    return json_answer(200, _object(stored, (await in_force(database)).version)).to_response()


@router.post(
    "/routing/policy/roll_back",
    response_model=PolicyObject,
    name="routing_policy.rolled_back",
    summary="Roll the routing policy back",
)
async def post_roll_back(request: Request, wanted: RollBackRequest) -> Response:
    """Put an earlier version in force again: the one that the present one replaced, or the one that is named."""
    connection = _transaction_of(request)
    try:
        published = await roll_back(connection, wanted.version)
    except NoSuchVersion:
        if wanted.version is None:
            raise Conflict("no_version_before", "The first version is in force.", param="version") from None
        raise not_found("version", "version") from None
    except PolicyError as error:
        raise _refused(error, "version") from None
    return _published(request, published)


@router.post("/routing/policy/check", response_model=PolicyCheckObject, summary="Check a routing policy")
async def post_check(request: Request, wanted: GivenPolicy, *, payments: PaymentsLookedAt = 500) -> Response:
    """All that is wrong with a policy; or where nothing is, how many of the newest payments each rule would match."""
    tell_nothing(request)
    database = database_of(request)
    given, _ = _without_base_version(wanted)
    accounts = await known_accounts(database)
    try:
        document = await asyncio.to_thread(parse, given, accounts)
    except PolicyError as error:
        problems = [asdict(problem) for problem in error.problems]
        return _check_answer(problems, None)
    sales = await recent_sales(database, payments)
    return _check_answer([], await asyncio.to_thread(lambda: matches_of(CompiledPolicy(document, 0), sales)))


def _transaction_of(request: Request) -> Connection:
    """The transaction in which every change of the admin API is carried out."""
    return cast("Connection", database_of(request))


def _without_base_version(wanted: object) -> tuple[object, int | None]:
    """The policy itself, and on which version it builds.  Raises InvalidRequest."""
    if not isinstance(wanted, dict):
        raise InvalidRequest("invalid_json", "The body is not a JSON object.", param="body")
    policy = {name: value for name, value in wanted.items() if name != _BASE_VERSION}
    base = wanted.get(_BASE_VERSION)
    if base is None or (type(base) is int and 0 <= base <= VERSION_MAX):
        return policy, base
    raise InvalidRequest("invalid_field", f"“{_BASE_VERSION}” is the number of a version.", param=_BASE_VERSION)


async def _checked(connection: Connection, given: object) -> PolicyDocument:
    """The policy.  Raises InvalidRequest with all that is wrong."""
    accounts = await known_accounts(connection)
    try:
        return await asyncio.to_thread(parse, given, accounts)
    except PolicyError as error:
        raise _refused(error, error.problems[0].path) from None


def _refused(error: PolicyError, param: str) -> InvalidRequest:
    told = "; ".join(map(str, error.problems[:_TOLD_MAX]))
    more = len(error.problems) - _TOLD_MAX
    return InvalidRequest("policy_refused", f"{told}{f'; and {more} more' if more > 0 else ''}", param=param)


def _published(request: Request, published: Publication) -> Response:
    """PolicyObject, told in the trail where something has changed."""
    stored, before = published
    if stored.version == before:
        tell_nothing(request)
    else:
        versions = {"before": before, "after": stored.version}
        tell(request, _SUBJECT, {"version": versions, "note": stored.note})
        _log.info("routing policy published", extra={"policy_version": stored.version, "replaces": before})
    return json_answer(200, _object(stored, stored.version)).to_response()


def _check_answer(problems: list[dict[str, Any]], matches: dict[str, Any] | None) -> Response:
    """PolicyCheckObject."""
    answer = {
        "object": "routing_policy_check",
        "valid": not problems,
        "problems": problems,
        "payments": matches,
    }
    return json_answer(200, answer).to_response()


def _object(stored: StoredPolicy, current: int) -> dict[str, Any]:
    """PolicyObject."""
    return {
        "object": "routing_policy",
        "version": stored.version,
        "in_force": stored.version == current,
        "created_at": rfc3339(stored.created_at),
        "published_at": rfc3339(stored.published_at),
        "policy": stored.document,
    }


def _summary(stored: StoredPolicy, current: int) -> dict[str, Any]:
    """PolicySummary."""
    return {
        "object": "routing_policy_version",
        "version": stored.version,
        "in_force": stored.version == current,
        "note": stored.note,
        "rules": stored.rule_count,
        "created_at": rfc3339(stored.created_at),
        "published_at": rfc3339(stored.published_at),
    }
