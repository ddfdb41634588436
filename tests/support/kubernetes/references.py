"""Checks of what resources say about each other: names, selectors, ports, Secrets, ConfigMaps, targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from tests.support.kubernetes.application import STAND_INS
from tests.support.kubernetes.resources import Body, Rendering, Resource, Workload, selects


def names_are_unique(rendering: Rendering) -> Iterator[str]:
    """No two resources of one kind share a name: the second would overwrite the first."""
    for title, count in Counter(resource.title for resource in rendering.resources).items():
        if count > 1:
            yield f"{title} is there {count} times"


def selectors_match_templates(rendering: Rendering) -> Iterator[str]:
    """A workload's selector chooses its own pods, and no other workload's."""
    for workload in rendering.workloads:
        selector = workload.resource.spec.get("selector")
        if selector is None:
            continue  # a Job's is made by the server
        if not selects(selector, workload.labels):
            yield f"{workload.title} does not select its own pods"
        for other in rendering.workloads:
            if other != workload and selects(selector, other.labels):
                yield f"{workload.title} selects the pods of {other.title}"


def services_lead_somewhere(rendering: Rendering) -> Iterator[str]:
    """A Service chooses the pods of one workload, and each target port is one of theirs."""
    for service in rendering.of_kind("Service"):
        chosen = _chosen(rendering, {"matchLabels": service.spec.get("selector")})
        if len(chosen) != 1:
            yield f"{service.title} selects {len(chosen)} workloads, not one"
        for port in service.spec["ports"]:
            target = port.get("targetPort", port["port"])
            for workload in chosen:
                if not _has_port(workload, target):
                    yield f"{service.title} leads to port {target}, which {workload.title} has not"


def budgets_let_machines_be_drained(rendering: Rendering) -> Iterator[str]:
    """A PodDisruptionBudget chooses pods and lets at least one of them go."""
    for budget in rendering.of_kind("PodDisruptionBudget"):
        chosen = _chosen(rendering, budget.spec.get("selector") or {})
        if not chosen:
            yield f"{budget.title} selects no pods"
        if budget.spec.get("maxUnavailable") in {0, "0%"}:
            yield f"{budget.title} lets no pod go: no machine could be drained"
        keeps = budget.spec.get("minAvailable")
        if keeps == "100%" or (isinstance(keeps, int) and any(keeps >= _least(rendering, one) for one in chosen)):
            yield f"{budget.title} keeps {keeps} pods and lets none go: no machine could be drained"


def autoscalers_have_their_target(rendering: Rendering) -> Iterator[str]:
    """What is scaled exists and leaves its number of pods to the autoscaler."""
    for scaler in rendering.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler.spec["scaleTargetRef"]
        kind, name = target.get("kind", "Deployment"), target["name"]
        found = next((one for one in rendering.of_kind(kind) if one.name == name), None)
        if found is None:
            yield f"{scaler.title} scales {kind} {name}, which is not there"
        elif "replicas" in found.spec:
            yield f"{found.title} says replicas, and each roll-out would undo what {scaler.title} has decided"


def references_resolve(rendering: Rendering) -> Iterator[str]:
    """Each ConfigMap, Secret and key that a pod refers to is here, or declared in external.yaml."""
    for workload in rendering.workloads:
        for kind, name, key in _referred(workload):
            keys = rendering.keys_of(kind, name)
            if keys is None:
                yield f"{workload.title} refers to {kind} {name}, which is neither here nor in external.yaml"
            elif key is not None and key not in keys:
                yield f"{workload.title} refers to {key} of {kind} {name}, which has no such key"
    for ingress in rendering.of_kind("Ingress"):
        for tls in ingress.spec.get("tls", ()):
            name = tls["secretName"]
            if rendering.keys_of("Secret", name) is None:
                yield f"{ingress.title} refers to Secret {name}, which is neither here nor in external.yaml"


def no_secret_is_in_the_repository(rendering: Rendering) -> Iterator[str]:
    """Only a rendering for development may hold secrets of its own."""
    if any(one.body.get("data", {}).get("MASHANG_ENV") == "development" for one in rendering.of_kind("ConfigMap")):
        return
    for secret in rendering.of_kind("Secret"):
        yield f"{secret.title} stands in the repository"
    for workload in rendering.workloads:
        for container in workload.containers:
            for variable in container.get("env", ()):
                if variable["name"] in STAND_INS and _holds_a_secret(variable):
                    yield f"{workload.title} holds {variable['name']} itself"


def volumes_are_there(rendering: Rendering) -> Iterator[str]:
    """Each mount has its volume and each volume its mount; claims are resources of the same rendering."""
    claims = {claim.name for claim in rendering.of_kind("PersistentVolumeClaim")}
    for workload in rendering.workloads:
        templates = workload.resource.spec.get("volumeClaimTemplates", ())
        volumes = [*workload.pod.get("volumes", ())]
        there = {volume["name"] for volume in volumes} | {claim["metadata"]["name"] for claim in templates}
        mounted = {mount["name"] for one in workload.containers for mount in one.get("volumeMounts", ())}
        for name in sorted(mounted - there):
            yield f"{workload.title} mounts {name}, which is no volume of it"
        for name in sorted(there - mounted):
            yield f"{workload.title} has the volume {name}, which nothing mounts"
        for volume in volumes:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim is not None and claim not in claims:
                yield f"{workload.title} claims {claim}, which is not there"


def spread_constraints_choose_their_pods(rendering: Rendering) -> Iterator[str]:
    """A topology spread constraint counts the pods that it stands on."""
    for workload in rendering.workloads:
        for constraint in workload.pod.get("topologySpreadConstraints", ()):
            if not selects(constraint.get("labelSelector") or {}, workload.labels):
                yield f"{workload.title} is spread over {constraint['topologyKey']} by the labels of other pods"


def monitors_find_their_ports(rendering: Rendering) -> Iterator[str]:
    """A PodMonitor scrapes ports that the pods it selects have, and leaves none of ours out."""
    for monitor in rendering.of_kind("PodMonitor"):
        chosen = _chosen(rendering, monitor.spec["selector"])
        asked = {endpoint["port"] for endpoint in monitor.spec["podMetricsEndpoints"]}
        for port in sorted(asked - {port["name"] for one in chosen for port in one.ports}):
            yield f"{monitor.title} scrapes port {port}, which none of its pods has"
        for workload in chosen:
            if not asked & {port["name"] for port in workload.ports}:
                yield f"{monitor.title} scrapes no port of {workload.title}"


def _chosen(rendering: Rendering, selector: Body) -> list[Workload]:
    return [workload for workload in rendering.workloads if selects(selector, workload.labels)]


def _has_port(workload: Workload, target: int | str) -> bool:
    return any(target in (port.get("name"), port["containerPort"]) for port in workload.ports)


def _least(rendering: Rendering, workload: Workload) -> int:
    """How many pods there are at the least."""
    for scaler in rendering.of_kind("HorizontalPodAutoscaler"):
        if scaler.spec["scaleTargetRef"]["name"] == workload.resource.name:
            return int(scaler.spec.get("minReplicas", 1))
    return int(workload.resource.spec.get("replicas", 1))


def _referred(workload: Workload) -> Iterator[tuple[str, str, str | None]]:
    """Kind, name and key (none: all of it) of what a pod cannot start without."""
    for container in workload.containers:
        for source in container.get("envFrom", ()):
            yield from _named(source, {"configMapRef": "ConfigMap", "secretRef": "Secret"})
        for variable in container.get("env", ()):
            kinds = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
            yield from _named(variable.get("valueFrom", {}), kinds)
    for volume in workload.pod.get("volumes", ()):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], None
        if "secret" in volume and not volume["secret"].get("optional"):
            yield "Secret", volume["secret"]["secretName"], None


def _named(source: Body, kinds: Mapping[str, str]) -> Iterator[tuple[str, str, str | None]]:
    for field, kind in kinds.items():
        if field in source and not source[field].get("optional"):
            yield kind, source[field]["name"], source[field].get("key")


def _holds_a_secret(variable: Body) -> bool:
    """Whether the value is written out; one that is put together from other variables is not."""
    return "value" in variable and "$(" not in variable["value"]


def used_resources(rendering: Rendering) -> Iterator[str]:
    """No ConfigMap or Secret is here that nothing refers to."""
    referred = {(kind, name) for workload in rendering.workloads for kind, name, _ in _referred(workload)}
    for made in rendering.of_kind("ConfigMap", "Secret"):
        if (made.kind, made.name) not in referred and not _is_looked_for_by_label(made):
            yield f"{made.title} is referred to by nothing"


def _is_looked_for_by_label(made: Resource) -> bool:
    """Dashboards and the like are found by others."""
    return "grafana_dashboard" in (made.body["metadata"].get("labels") or {})
