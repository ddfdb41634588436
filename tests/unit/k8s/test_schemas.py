"""What we ship is valid for the last four versions of Kubernetes, strictly; faults in it are found."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.support.kubernetes import schemas
from tests.support.kubernetes.rendering import COMMITTED, committed
from tests.support.kubernetes.resources import Rendering, Resource


@pytest.mark.parametrize("name", COMMITTED)
@pytest.mark.parametrize("version", schemas.versions())
def test_the_schemas_take_what_we_ship(name: str, version: str) -> None:
    rendering = committed(name)
    assert list(schemas.faults(rendering, version)) == []
    assert schemas.left_out(rendering) == [], "overlays that need no operator hold nothing of one"


def test_four_versions_are_looked_at() -> None:
    assert len(set(schemas.versions())) == 4


def test_a_misspelt_field_is_found() -> None:
    body = _deployment()
    body["spec"]["template"]["spec"]["terminationGracePeriod"] = 100
    [fault] = _faults(body)
    assert "terminationGracePeriod" in fault


def test_a_wrong_type_is_found() -> None:
    body = _deployment()
    body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = "100 seconds"
    [fault] = _faults(body)
    assert "terminationGracePeriodSeconds" in fault


def test_a_version_that_kubernetes_has_given_up_is_found() -> None:
    [fault] = _faults({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "old"}})
    assert "has no policy/v1beta1" in fault


def test_kinds_of_operators_are_left_out_by_name() -> None:
    cluster = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db"}}
    assert _faults(cluster) == []
    assert schemas.left_out(Rendering("one", (Resource(cluster),), {})) == ["Cluster db"]


def _deployment() -> dict[str, Any]:
    [gateway] = [one for one in committed("production").of_kind("Deployment") if one.name == "mashang-gateway"]
    return copy.deepcopy(dict(gateway.body))


def _faults(body: dict[str, Any]) -> list[str]:
    return list(schemas.faults(Rendering("one", (Resource(body),), {}), schemas.versions()[-1]))
