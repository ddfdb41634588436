"""The risk rules under /admin/v1: versions are listed, read and compared."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from gateway.admin.access import admin_router
from gateway.admin.once import database_of
from gateway.admin.risk.rule_sets.schemas import (
    INLINE_RULES_MAX,
    AfterCode,
    AgainstVersion,
    BelowVersion,
    FirstRule,
    PageOfRules,
    RuleList,
    RuleSetDiff,
    RuleSetList,
    RuleSetObject,
    RuleSetVersion,
    WithRules,
)
from gateway.admin.risk.rule_sets.views import rule_set_of, summary_json
from gateway.http.answers import json_answer
from risk.rules import store
from risk.rules.diff import diff_json
from risk.rules.store import Database, StoredRuleSet

router = admin_router()


@router.get("/risk/rule_sets", response_model=RuleSetList, summary="List versions of the risk rules")
async def get_rule_sets(
    request: Request,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: BelowVersion = None,
) -> Response:
    """The newest first, without their rules."""
    found = await store.history(database_of(request), limit + 1, below=starting_after)
    data = [summary_json(stored) for stored in found[:limit]]
    return json_answer(200, {"object": "list", "data": data, "has_more": len(found) > limit}).to_response()


@router.get("/risk/rule_sets/live", response_model=RuleSetObject, summary="Read the risk rules in force")
async def get_live(request: Request, *, rules: WithRules = True) -> Response:
    """The version that was published last; 0, without rules, where none was."""
    database = database_of(request)
    return await _shown(database, await store.in_force(database), rules=rules)


@router.get("/risk/rule_sets/{version}", response_model=RuleSetObject, summary="Read a version of the risk rules")
async def get_rule_set(request: Request, version: RuleSetVersion, *, rules: WithRules = True) -> Response:
    """As it was saved, every field of a rule written out."""
    database = database_of(request)
    return await _shown(database, await rule_set_of(database, version), rules=rules)


@router.get("/risk/rule_sets/{version}/rules", response_model=RuleList, summary="List the rules of a version")
async def get_rules(
    request: Request, version: RuleSetVersion, *, first: FirstRule = 0, limit: PageOfRules = 100
) -> Response:
    """In the order in which they were written."""
    database = database_of(request)
    stored = await rule_set_of(database, version)
    data = await store.rules_of(database, version, first, limit)
    has_more = first + limit < stored.rule_count
    return json_answer(200, {"object": "list", "data": data, "has_more": has_more}).to_response()


@router.get(
    "/risk/rule_sets/{version}/diff", response_model=RuleSetDiff, summary="Compare two versions of the risk rules"
)
async def get_diff(
    request: Request,
    version: RuleSetVersion,
    *,
    against: AgainstVersion = None,
    limit: PageOfRules = 100,
    starting_after: AfterCode = None,
) -> Response:
    """What the version has otherwise than the one in force, or than another: rules added, removed, changed and how."""
    database = database_of(request)
    after = await rule_set_of(database, version)
    before = await store.in_force(database) if against is None else await rule_set_of(database, against)
    difference = await store.difference(database, after.version, before.version, limit + 1, beyond=starting_after)
    told = diff_json(after, before, difference)
    answer = {"object": "risk_rule_set_diff", **told, "rules": told["rules"][:limit]}
    return json_answer(200, {**answer, "has_more": len(told["rules"]) > limit}).to_response()


async def _shown(database: Database, stored: StoredRuleSet, *, rules: bool) -> Response:
    """RuleSetObject."""
    inline = rules and stored.rule_count <= INLINE_RULES_MAX
    found = await store.rules_of(database, stored.version, 0, stored.rule_count) if inline else None
    return json_answer(200, {**summary_json(stored), "rules": found}).to_response()
