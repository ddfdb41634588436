"""What podman plays is the rendered gateway, changed only where a machine is no cluster."""

from __future__ import annotations

import base64
import json
from typing import Any

import yaml

from tests.support.kubernetes.rendering import committed
from tests.support.kubernetes.trial.podfile import GATEWAY, pod_file

SECRETS = {"MASHANG_DATABASE_URL": "postgresql://mashang@127.0.0.1:15432/mashang"}
FILE = pod_file("localhost/mashang:0.1.0", 18000, SECRETS)


def test_the_gateway_listens_where_it_is_told_to_and_nothing_else_of_its_command_changes() -> None:
    assert _played()["args"] == ["18000" if one == "8000" else one for one in _rendered()["args"]]
    assert "18000" in _played()["args"]


def test_the_rights_of_the_container_are_those_of_the_cluster() -> None:
    assert _played()["securityContext"] == _rendered()["securityContext"]
    assert _pod()["securityContext"] == _rendered_pod()["securityContext"]
    assert _played()["resources"] == _rendered()["resources"]


def test_its_variables_are_those_of_the_cluster() -> None:
    assert _played()["env"] == _rendered()["env"]
    assert _played()["envFrom"] == _rendered()["envFrom"]
    assert yaml.safe_load(FILE.settings)["metadata"]["name"] == _rendered()["envFrom"][0]["configMapRef"]["name"]
    assert FILE.secret_name == _rendered()["env"][0]["valueFrom"]["secretKeyRef"]["name"]


def test_the_probes_are_asked_from_outside_at_the_paths_of_the_manifest() -> None:
    assert FILE.probes == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert not any(name.endswith("Probe") for name in _played())


def test_only_the_optional_volume_is_left_out() -> None:
    left_out = {one["name"] for one in _rendered_pod()["volumes"]} - {one["name"] for one in _pod()["volumes"]}
    assert left_out == {"ca"}
    assert {one["name"] for one in _played()["volumeMounts"]} == {one["name"] for one in _pod()["volumes"]}


def test_the_secret_is_in_the_form_that_podman_reads() -> None:
    assert {key: base64.b64decode(value).decode() for key, value in json.loads(FILE.secret).items()} == SECRETS


def _pod() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.pod)["spec"])


def _played() -> dict[str, Any]:
    return dict(_pod()["containers"][0])


def _rendered_pod() -> dict[str, Any]:
    [workload] = [one for one in committed("development").workloads if one.resource.name == GATEWAY]
    return dict(workload.pod)


def _rendered() -> dict[str, Any]:
    return dict(_rendered_pod()["containers"][0])
