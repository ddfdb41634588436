"""Every route of the admin API stands behind the door; each change has a name that the audit trail can tell."""

from __future__ import annotations

import re
from typing import Final

from fastapi.routing import APIRoute

from gateway.admin import api
from gateway.admin.access import CHANGING, AdminRoute

CHANGES_NOTHING: Final = {
    "/routing/policy/check",
    "/routing/explain",
    "/campaigns/check",
    "/risk/rule_sets/check",
    "/risk/lists/find",
    "/segments/find",
}
"""POST only because they take much; they leave no entry (tell_nothing)."""


def routes() -> list[APIRoute]:
    return [route for part in api._PARTS for route in part.router.routes if isinstance(route, APIRoute)]


def test_every_route_looks_at_the_token_and_records_changes() -> None:
    assert len(routes()) > 20
    assert [route.path for route in routes() if not isinstance(route, AdminRoute)] == []


def test_every_change_has_an_action_of_its_own() -> None:
    changes = [route for route in routes() if route.methods & CHANGING and route.path not in CHANGES_NOTHING]
    names = [route.name for route in changes]
    assert len(names) >= 12
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z_]+\.[a-z_]+", name)] == []


def test_what_changes_nothing_exists() -> None:
    assert {route.path for route in routes()} >= CHANGES_NOTHING
