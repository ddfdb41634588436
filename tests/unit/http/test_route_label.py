"""The label by which HTTP metrics know a route: a closed set, and a small one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.http.edge import _area_of, _route_of


@pytest.mark.parametrize(
    ("template", "label"),
    [
        ("/v1/payments/{payment_id}", "/v1/payments/{payment_id}"),
        ("/admin/v1/campaigns", "/admin/v1/campaigns"),
        ("/admin/v1/campaigns/{campaign_id}/top_up", "/admin/v1/campaigns"),
        ("/admin/v1/risk/rule_sets/{version}/publish", "/admin/v1/risk/rule_sets"),
        ("/admin/v1/routing/policy/roll_back", "/admin/v1/routing/policy"),
    ],
)
def test_a_route_is_known_by_its_template_and_one_of_the_admin_api_by_its_noun(template: str, label: str) -> None:
    assert _route_of({"route": SimpleNamespace(path=template)}) == label


def test_what_no_route_takes_has_a_label_too() -> None:
    assert _route_of({}) == "none"


@pytest.mark.parametrize(
    ("label", "area"),
    [
        ("/v1/payments/{payment_id}/cancel", "payments"),
        ("/admin/v1/risk/rule_sets", "admin"),
        ("/callbacks/{channel}/{account_id}", "callbacks"),
        ("/livez", "livez"),
        ("none", "none"),
    ],
)
def test_its_time_is_told_with_those_that_begin_like_it(label: str, area: str) -> None:
    assert _area_of(label) == area
