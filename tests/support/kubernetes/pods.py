"""Checks of the pods themselves: images, settings, probes, times, resources, rights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from gateway.production.reasons import refusals
from gateway.production.rules import settings_reasons
from gateway.settings import Environment, Settings
from tests.support.kubernetes.application import (
    fault_of_command,
    gateway_routes,
    gateway_stop_s,
    setting_names,
    settings_of,
    worker_routes,
    worker_stop_s,
)
from tests.support.kubernetes.resources import Body, Rendering, Workload, image_name, is_ours

_PLACEHOLDER: Final = "https://pay.example.com"
_COMPONENT: Final = "app.kubernetes.io/component"
_USER: Final = 10001
_REFERENCE: Final = re.compile(r"\$\(([A-Z_]+)\)")


def images_have_versions(rendering: Rendering) -> Iterator[str]:
    """Each image says its version: `latest` is another one at each start.  All of ours are the same."""
    ours = set()
    for workload in rendering.workloads:
        for container in workload.containers:
            image = str(container["image"])
            version = image.removeprefix(image_name(image)).lstrip(":@")
            if version in {"", "latest"}:
                yield f"{workload.title} runs {image}, which says no version"
            if is_ours(container):
                ours.add(image)
    if len(ours) > 1:
        yield f"several images of Mashang: {', '.join(sorted(ours))}"


def arguments_are_commands(rendering: Rendering) -> Iterator[str]:
    """What our containers are started with is a command of `mashang`, with options that it has."""
    for workload in rendering.workloads:
        for container in filter(is_ours, workload.containers):
            fault = fault_of_command(container.get("args", ()))
            if fault is not None:
                yield f"{workload.title} ({container['name']}): {fault}"


def variables_are_settings(rendering: Rendering) -> Iterator[str]:
    """Each variable of our containers is a setting, or part of one; each setting has a value that it can have."""
    for workload in rendering.workloads:
        for container in filter(is_ours, workload.containers):
            environment, parts = environment_of(rendering, container), _parts(container)
            for name in sorted(environment.keys() - setting_names() - parts):
                yield f"{workload.title} ({container['name']}) sets {name}, which is no setting"
            try:
                settings_of(environment)
            except ValidationError as error:
                for fault in error.errors():
                    place = "/".join(map(str, fault["loc"]))
                    yield f"{workload.title} ({container['name']}): {place}: {fault['msg']}"


def production_is_production(rendering: Rendering) -> Iterator[str]:
    """Whatever stands in front of the world runs with MASHANG_ENV=production and counts its proxies."""
    if not any(rendering.of_kind("Ingress")):
        return
    for workload in rendering.workloads:
        for container in filter(is_ours, workload.containers):
            settings = _settings(rendering, container)
            if settings is None:
                continue
            if settings.environment is not Environment.PRODUCTION:
                yield f"{workload.title} ({container['name']}) is behind an Ingress without MASHANG_ENV=production"
            if settings.trusted_proxies < 1:
                yield f"{workload.title} ({container['name']}) is behind an Ingress without MASHANG_TRUSTED_PROXIES"


def production_takes_its_settings(rendering: Rendering) -> Iterator[str]:
    """What runs in production starts there: none of production's own rules refuses the settings."""
    for workload in rendering.workloads:
        for container in filter(is_ours, workload.containers):
            settings = _settings(rendering, container)
            if settings is None or settings.environment is not Environment.PRODUCTION:
                continue
            if settings.public_url == _PLACEHOLDER:  # which every reader of the guide replaces
                settings = settings.model_copy(update={"public_url": "https://pay.your-bank.cn"})
            for reason in refusals(settings_reasons(settings)):
                yield f"{workload.title} ({container['name']}): {reason.subject}: {reason.told}"


def probes_ask_real_routes(rendering: Rendering) -> Iterator[str]:
    """What serves HTTP is asked at paths that it has, at ports that it has; liveness asks no database."""
    for workload in rendering.workloads:
        routes = _ROUTES.get(workload.labels.get(_COMPONENT, ""))
        for container in workload.pod["containers"]:
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                yield from _faults_of_probe(workload, container, kind, routes() if routes else None)


def grace_is_long_enough(rendering: Rendering) -> Iterator[str]:
    """From the order to stop until it is enforced: the preStop's sleep, and the longest stop by the settings."""
    for workload in rendering.workloads:
        times = _STOPS.get(workload.labels.get(_COMPONENT, ""))
        container = workload.pod["containers"][0]
        settings = _settings(rendering, container) if is_ours(container) else None
        if times is None or settings is None:
            continue
        needed = _pre_stop_s(container) + times(settings)
        granted = workload.pod.get("terminationGracePeriodSeconds", 30)
        if granted < needed:
            yield f"{workload.title} is granted {granted} s to stop and can take {needed:.0f}"


def gateways_leave_before_they_stop(rendering: Rendering) -> Iterator[str]:
    """A gateway goes on serving for some seconds after it left the Service, and none stops before another serves."""
    for workload in rendering.workloads:
        if workload.labels.get(_COMPONENT) != "gateway":
            continue
        if _pre_stop_s(workload.pod["containers"][0]) < _PRE_STOP_S_MIN:
            yield f"{workload.title} has no preStop of {_PRE_STOP_S_MIN} s: proxies would still send it payments"
        rolling = workload.resource.spec.get("strategy", {}).get("rollingUpdate", {})
        if rolling.get("maxUnavailable") not in {0, "0%"}:
            yield f"{workload.title} may have fewer pods during a roll-out: maxUnavailable must be 0"


def resources_are_asked_for(rendering: Rendering) -> Iterator[str]:
    """Each container asks for CPU and memory, and is bounded in memory."""
    for workload in rendering.workloads:
        for container in workload.containers:
            resources = container.get("resources", {})
            for name in ("cpu", "memory"):
                if name not in resources.get("requests", {}):
                    yield f"{workload.title} ({container['name']}) asks for no {name}"
            if "memory" not in resources.get("limits", {}):
                yield f"{workload.title} ({container['name']}) has no limit of memory"


def pods_are_restricted(rendering: Rendering) -> Iterator[str]:
    """The restricted Pod Security Standard, and more: a read-only root, no token, memory-bounded folders, our user."""
    for workload in rendering.workloads:
        pod, security = workload.pod, workload.pod.get("securityContext", {})
        wanted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        if workload.is_ours:
            wanted["runAsUser"] = _USER
        for field, value in wanted.items():
            if security.get(field) != value:
                yield f"{workload.title}: securityContext.{field} is not {value}"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{workload.title} mounts a service account's token"
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(field):
                yield f"{workload.title} has {field}"
        for container in workload.containers:
            yield from _faults_of_rights(workload, container)
        for volume in pod.get("volumes", ()):
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{workload.title}: the folder {volume['name']} has no limit"
            if "hostPath" in volume:
                yield f"{workload.title}: the volume {volume['name']} is the machine's"


def folders_are_writable(rendering: Rendering) -> Iterator[str]:
    """Where a container of ours writes there is a volume: /tmp, and the folder of the metrics."""
    for workload in rendering.workloads:
        for container in filter(is_ours, workload.containers):
            mounts = {mount["mountPath"] for mount in container.get("volumeMounts", ()) if not mount.get("readOnly")}
            settings = _settings(rendering, container)
            wanted = {"/tmp"} | ({str(settings.metrics_dir)} if settings and settings.metrics_dir else set())
            for folder in sorted(wanted - mounts):
                yield f"{workload.title} ({container['name']}) writes to {folder}, where no volume is"


def new_code_waits_for_its_schema(rendering: Rendering) -> Iterator[str]:
    """There is a migration, and gateways and workers wait for it with the very image that they run."""
    if not any(workload.labels.get(_COMPONENT) == "migrate" for workload in rendering.workloads):
        yield "there is no migration"
    for workload in rendering.workloads:
        if workload.labels.get(_COMPONENT) not in {"gateway", "worker"}:
            continue
        waiting = [
            one for one in workload.pod.get("initContainers", ()) if one.get("args", [])[:2] == ["migrate", "--wait"]
        ]
        if not waiting:
            yield f"{workload.title} does not wait for the schema"


def environment_of(rendering: Rendering, container: Body) -> dict[str, str]:
    """The variables of a container whose values are known; a secret's are left to the stand-ins."""
    known: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            known |= _data(rendering, source["configMapRef"]["name"])
    for variable in container.get("env", ()):
        known.pop(variable["name"], None)
        if "value" in variable:
            known[variable["name"]] = variable["value"]
    return known


def _data(rendering: Rendering, name: str) -> Mapping[str, str]:
    return next((one.body.get("data") or {} for one in rendering.of_kind("ConfigMap") if one.name == name), {})


def _settings(rendering: Rendering, container: Body) -> Settings | None:
    """None where they cannot be read, which `variables_are_settings` tells."""
    try:
        return settings_of(environment_of(rendering, container))
    except ValidationError:
        return None


def _parts(container: Body) -> set[str]:
    """Variables of which others are put together."""
    return {part for one in container.get("env", ()) for part in _REFERENCE.findall(one.get("value", ""))}


def _faults_of_probe(workload: Workload, container: Body, kind: str, routes: frozenset[str] | None) -> Iterator[str]:
    probe = container.get(kind)
    title = f"{workload.title} ({container['name']})"
    if probe is None:
        if routes is not None:
            yield f"{title} has no {kind}"
        return
    if "httpGet" not in probe:
        return
    path, port = probe["httpGet"]["path"], probe["httpGet"]["port"]
    if not any(port in (one.get("name"), one["containerPort"]) for one in container.get("ports", ())):
        yield f"{title}: {kind} asks port {port}, which it has not"
    if routes is not None and path not in routes:
        yield f"{title}: {kind} asks {path}, which is no route"
    if kind != "readinessProbe" and path == "/readyz":
        yield f"{title}: {kind} asks /readyz: it would be restarted because PostgreSQL is away"


def _faults_of_rights(workload: Workload, container: Body) -> Iterator[str]:
    security = container.get("securityContext", {})
    wanted: dict[str, Any] = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True}
    for field, value in wanted.items():
        if security.get(field) is not value:
            yield f"{workload.title} ({container['name']}): securityContext.{field} is not {value}"
    capabilities = security.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield f"{workload.title} ({container['name']}) keeps capabilities"


def _pre_stop_s(container: Body) -> float:
    """How long its preStop sleeps."""
    return float(container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))


_ROUTES: Final[Mapping[str, Callable[[], frozenset[str]]]] = {"gateway": gateway_routes, "worker": worker_routes}
_STOPS: Final[Mapping[str, Callable[[Settings], float]]] = {"gateway": gateway_stop_s, "worker": worker_stop_s}
_PRE_STOP_S_MIN: Final = 5
