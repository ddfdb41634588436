"""Each of our checks of the manifests finds the faults that are planted for it, and nothing in what we ship."""

from __future__ import annotations

import copy
import re

import pytest

from tests.support.kubernetes.checks import CHECKS, findings
from tests.support.kubernetes.rendering import COMMITTED, committed
from tests.support.kubernetes.resources import Rendering, Resource
from tests.unit.k8s.planted import FAULTS, Bodies, Planted

_HASH = re.compile(r"-[0-9a-z]{10}$")


@pytest.mark.parametrize("name", COMMITTED)
def test_nothing_is_wrong_with_what_we_ship(name: str) -> None:
    assert findings(committed(name)) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}: {fault.says}")
def test_a_planted_fault_is_found(fault: Planted) -> None:
    rendering = committed(fault.overlay)
    bodies: Bodies = {_title(one): copy.deepcopy(one.body) for one in rendering.resources}
    fault.plant(bodies)
    planted = Rendering(rendering.name, tuple(map(Resource, bodies.values())), rendering.external)
    [check] = [check for check in CHECKS if check.__name__ == fault.check]
    found = list(check(planted))
    assert any(fault.says in finding for finding in found), found


def test_every_check_has_a_fault_planted_for_it() -> None:
    assert {check.__name__ for check in CHECKS} == {fault.check for fault in FAULTS}


def _title(resource: Resource) -> str:
    """ "Kind name", without the hash of the content that kustomize gives ConfigMaps and Secrets."""
    if resource.kind in {"ConfigMap", "Secret"}:
        return f"{resource.kind} {_HASH.sub('', resource.name)}"
    return resource.title
