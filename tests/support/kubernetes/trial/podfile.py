"""The rendered gateway as a pod that podman plays: what had to be changed for it is told, and nothing else is."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.support.kubernetes.rendering import committed
from tests.support.kubernetes.resources import Rendering, is_ours

GATEWAY: Final = "mashang-gateway"
_PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")
_KEPT: Final = {"io.podman.annotations.init.container.type": "always"}
"""Init containers stay where they ended: podman 4.3 would remove them before it knows that they have."""
CHANGES: Final = (
    "image: from this machine's store",
    "port: a free one of the host's network",
    "ConfigMap: MASHANG_PUBLIC_URL; Secret: the addresses and keys of the processes beside it",
    "the optional volume `ca`: taken out (podman wants its secret)",
    "probes: asked by this command (podman would ask with curl, which the image has not)",
    "preStop, spread, requests, service account: the cluster's work, not podman's",
)


@dataclass(frozen=True, slots=True)
class PodFile:
    """What podman is given, and what the cluster would have done besides."""

    pod: str
    settings: str
    secret_name: str
    secret: str
    name: str
    container: str
    probes: Mapping[str, str]
    """Path by probe."""
    grace_s: int


def pod_file(image: str, port: int, secrets: Mapping[str, str]) -> PodFile:
    """The gateway of the development overlay, for one machine.  `secrets` are settings by their variables."""
    rendering = committed("development")
    [workload] = [one for one in rendering.workloads if one.resource.name == GATEWAY]
    spec: dict[str, Any] = copy.deepcopy(dict(workload.pod))
    [serving] = spec["containers"]
    probes = {kind: serving[kind]["httpGet"]["path"] for kind in _PROBES}
    secret_name = next(one["valueFrom"]["secretKeyRef"]["name"] for one in serving["env"] if "valueFrom" in one)
    for container in filter(is_ours, [*spec["initContainers"], serving]):
        container["image"] = image
    for field in (*_PROBES, "lifecycle", "ports"):
        serving.pop(field)
    serving["args"] = [str(port) if argument == "8000" else argument for argument in serving["args"]]
    spec.pop("serviceAccountName")
    _without_optional_secrets(spec)
    name = f"mashang-try-{port}"
    metadata = {"name": name, "labels": dict(workload.labels), "annotations": _KEPT}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return PodFile(
        pod=yaml.safe_dump(pod),
        settings=_settings(rendering, f"http://127.0.0.1:{port}"),
        secret_name=secret_name,
        secret=json.dumps({key: base64.b64encode(value.encode()).decode() for key, value in secrets.items()}),
        name=name,
        container=f"{name}-{serving['name']}",
        probes=probes,
        grace_s=spec["terminationGracePeriodSeconds"],
    )


def _without_optional_secrets(spec: dict[str, Any]) -> None:
    """Volumes of secrets that need not be there are taken out: podman wants them."""
    optional = {one["name"] for one in spec["volumes"] if one.get("secret", {}).get("optional")}
    spec["volumes"] = [one for one in spec["volumes"] if one["name"] not in optional]
    for container in [*spec["initContainers"], *spec["containers"]]:
        container["volumeMounts"] = [one for one in container["volumeMounts"] if one["name"] not in optional]


def _settings(rendering: Rendering, public_url: str) -> str:
    [settings] = [copy.deepcopy(dict(one.body)) for one in rendering.of_kind("ConfigMap")]
    settings["data"]["MASHANG_PUBLIC_URL"] = public_url
    return yaml.safe_dump(settings)
