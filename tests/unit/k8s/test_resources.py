"""Label selectors and image names are read as Kubernetes reads them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kubernetes.resources import image_name, selects

LABELS = {"app": "mashang", "part": "gateway"}


@pytest.mark.parametrize(
    ("selector", "chooses"),
    [
        ({}, True),
        ({"matchLabels": {"app": "mashang"}}, True),
        ({"matchLabels": {"app": "mashang", "part": "worker"}}, False),
        ({"matchLabels": {"zone": "a"}}, False),
        ({"matchExpressions": [{"key": "part", "operator": "In", "values": ["gateway", "worker"]}]}, True),
        ({"matchExpressions": [{"key": "part", "operator": "NotIn", "values": ["gateway"]}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "mashang"}, "matchExpressions": [{"key": "zone", "operator": "Exists"}]}, False),
    ],
)
def test_a_selector_chooses_what_kubernetes_would_choose(selector: dict[str, Any], chooses: bool) -> None:
    assert selects(selector, LABELS) is chooses


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("mashang", "mashang"),
        ("mashang:0.1.0", "mashang"),
        ("registry:5000/team/mashang:0.1.0", "registry:5000/team/mashang"),
        ("registry:5000/mashang", "registry:5000/mashang"),
        ("r.io/mashang:0.1.0@sha256:0123", "r.io/mashang"),
        ("r.io/mashang@sha256:0123", "r.io/mashang"),
    ],
)
def test_an_image_s_name_is_what_is_left_without_its_version(image: str, name: str) -> None:
    assert image_name(image) == name
