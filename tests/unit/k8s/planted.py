"""Faults to plant in a rendering, one by one: for each of our checks what it must find, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Bodies = dict[str, Any]
"""Resources by "Kind name", free to be changed; the ConfigMap's and Secrets' hashes are left out of their names."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault: which check must find it, in which overlay, how it is planted, and what the finding says."""

    check: str
    overlay: str
    plant: Callable[[Bodies], Any]
    says: str


def pod(bodies: Bodies, title: str) -> Any:
    """A workload's pod specification."""
    return bodies[title]["spec"]["template"]["spec"]


def first(bodies: Bodies, title: str) -> Any:
    """Its first container."""
    return pod(bodies, title)["containers"][0]


def data(bodies: Bodies) -> Any:
    """The settings."""
    return bodies["ConfigMap mashang-settings"]["data"]


def paths(bodies: Bodies) -> Any:
    """Of the ingress."""
    return bodies["Ingress mashang"]["spec"]["rules"][0]["http"]["paths"]


def egress(bodies: Bodies, name: str) -> Any:
    """The rules of a policy."""
    return bodies[f"NetworkPolicy {name}"]["spec"]["egress"]


def _twice(bodies: Bodies) -> None:
    bodies["again"] = bodies["Service mashang"]


def _scaled_object(bodies: Bodies) -> None:
    target = bodies["HorizontalPodAutoscaler mashang-gateway"]["spec"]["scaleTargetRef"]
    bodies["KEDA"] = {
        "kind": "ScaledObject",
        "metadata": {"name": "x"},
        "spec": {"scaleTargetRef": {**target, "name": "gone"}},
    }


def _monitor(*ports: str) -> Callable[[Bodies], None]:
    def plant(bodies: Bodies) -> None:
        selector = {
            "matchExpressions": [
                {"key": "app.kubernetes.io/component", "operator": "In", "values": ["gateway", "worker"]}
            ]
        }
        endpoints = [{"port": port} for port in ports]
        spec = {"selector": selector, "podMetricsEndpoints": endpoints}
        bodies["PodMonitor"] = {"kind": "PodMonitor", "metadata": {"name": "mashang"}, "spec": spec}

    return plant


def _secret(bodies: Bodies) -> None:
    bodies["Secret"] = {
        "kind": "Secret",
        "metadata": {"name": "mashang-secrets"},
        "data": {"MASHANG_MASTER_KEY": "eA=="},
    }


def _unused(bodies: Bodies) -> None:
    bodies["left"] = {"kind": "ConfigMap", "metadata": {"name": "left-over"}, "data": {}}


_GATEWAY: Final = "Deployment mashang-gateway"
_WORKER: Final = "Deployment mashang-worker"
_BUDGET: Final = "PodDisruptionBudget mashang-gateway"
_SCALER: Final = "HorizontalPodAutoscaler mashang-gateway"


def production(check: str, plant: Callable[[Bodies], Any], says: str) -> Planted:
    """A fault in production."""
    return Planted(check, "production", plant, says)


def development(check: str, plant: Callable[[Bodies], Any], says: str) -> Planted:
    """A fault in development."""
    return Planted(check, "development", plant, says)


REFERENCES: Final = (
    production("names_are_unique", _twice, "Service mashang is there 2 times"),
    production(
        "selectors_match_templates",
        lambda b: b[_GATEWAY]["spec"]["template"]["metadata"]["labels"].update({"app.kubernetes.io/component": "till"}),
        "does not select its own pods",
    ),
    production(
        "selectors_match_templates",
        lambda b: b[_GATEWAY]["spec"]["selector"]["matchLabels"].pop("app.kubernetes.io/component"),
        "selects the pods of Deployment mashang-worker",
    ),
    production(
        "services_lead_somewhere",
        lambda b: b["Service mashang"]["spec"]["ports"][0].update(targetPort=8080),
        "leads to port 8080",
    ),
    production(
        "services_lead_somewhere",
        lambda b: b["Service mashang"]["spec"]["selector"].pop("app.kubernetes.io/component"),
        "selects 4 workloads",
    ),
    production(
        "budgets_let_machines_be_drained", lambda b: b[_BUDGET]["spec"].update(maxUnavailable=0), "lets no pod go"
    ),
    production(
        "budgets_let_machines_be_drained",
        lambda b: (b[_BUDGET]["spec"].pop("maxUnavailable"), b[_BUDGET]["spec"].update(minAvailable=3)),
        "keeps 3 pods and lets none go",
    ),
    production(
        "budgets_let_machines_be_drained",
        lambda b: b[_BUDGET]["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/component": "till"}),
        "selects no pods",
    ),
    production(
        "autoscalers_have_their_target",
        lambda b: b[_SCALER]["spec"]["scaleTargetRef"].update(name="gone"),
        "scales Deployment gone, which is not there",
    ),
    production("autoscalers_have_their_target", _scaled_object, "ScaledObject x scales Deployment gone"),
    production("autoscalers_have_their_target", lambda b: b[_GATEWAY]["spec"].update(replicas=3), "says replicas"),
    production(
        "references_resolve",
        lambda b: first(b, _GATEWAY)["envFrom"][0]["configMapRef"].update(name="gone"),
        "refers to ConfigMap gone",
    ),
    production(
        "references_resolve",
        lambda b: first(b, _GATEWAY)["env"][0]["valueFrom"]["secretKeyRef"].update(key="MASHANG_DATABASE"),
        "has no such key",
    ),
    production(
        "references_resolve",
        lambda b: b["Ingress mashang"]["spec"]["tls"][0].update(secretName="gone"),
        "Ingress mashang refers to Secret gone",
    ),
    development(
        "references_resolve",
        lambda b: pod(b, "Deployment mashang-simulators")["initContainers"][0]["envFrom"][1]["secretRef"].update(
            name="x"
        ),
        "refers to Secret x",
    ),
    production("no_secret_is_in_the_repository", _secret, "Secret mashang-secrets stands in the repository"),
    production(
        "no_secret_is_in_the_repository",
        lambda b: first(b, _GATEWAY)["env"].append(
            {"name": "MASHANG_ADMIN_TOKEN", "value": "open sesame, open sesame"}
        ),
        "holds MASHANG_ADMIN_TOKEN itself",
    ),
    production("used_resources", _unused, "ConfigMap left-over is referred to by nothing"),
    production(
        "volumes_are_there", lambda b: pod(b, _GATEWAY)["volumes"].pop(0), "mounts tmp, which is no volume of it"
    ),
    production(
        "volumes_are_there",
        lambda b: pod(b, _GATEWAY)["volumes"].append({"name": "cache", "emptyDir": {}}),
        "has the volume cache, which nothing mounts",
    ),
    development("volumes_are_there", lambda b: b.pop("PersistentVolumeClaim mashang-simulators"), "which is not there"),
    production(
        "spread_constraints_choose_their_pods",
        lambda b: pod(b, _WORKER)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "gateway"}
        ),
        "by the labels of other pods",
    ),
    production("monitors_find_their_ports", _monitor("http", "ops", "metrics"), "scrapes port metrics, which none"),
    production("monitors_find_their_ports", _monitor("http"), "scrapes no port of Deployment mashang-worker"),
)

PODS: Final = (
    production("images_have_versions", lambda b: first(b, _GATEWAY).update(image="mashang"), "says no version"),
    production(
        "images_have_versions", lambda b: first(b, _GATEWAY).update(image="r.io:5000/mashang:latest"), "says no version"
    ),
    production(
        "images_have_versions", lambda b: first(b, _WORKER).update(image="r.io/mashang:0.0.9"), "several images"
    ),
    production("arguments_are_commands", lambda b: first(b, _GATEWAY).update(args=["server"]), "no command server"),
    production("arguments_are_commands", lambda b: first(b, _GATEWAY)["args"].append("--reload"), "--reload"),
    development(
        "arguments_are_commands",
        lambda b: pod(b, "Deployment mashang-simulators")["initContainers"][1].update(args=["demo", "seed"]),
        "reached_as",
    ),
    production(
        "variables_are_settings", lambda b: data(b).update(MASHANG_PULBIC_URL="x"), "MASHANG_PULBIC_URL, which is no"
    ),
    production("variables_are_settings", lambda b: data(b).update(MASHANG_WAIT_MAX_S="soon"), "valid number"),
    production("production_is_production", lambda b: data(b).update(MASHANG_ENV="development"), "without MASHANG_ENV"),
    production("production_is_production", lambda b: data(b).pop("MASHANG_TRUSTED_PROXIES"), "without MASHANG_TRUSTED"),
    production("production_takes_its_settings", lambda b: data(b).update(MASHANG_LOG_JSON="false"), "MASHANG_LOG_JSON"),
    production(
        "probes_ask_real_routes",
        lambda b: first(b, _GATEWAY)["readinessProbe"]["httpGet"].update(path="/ready"),
        "asks /ready, which is no route",
    ),
    production(
        "probes_ask_real_routes",
        lambda b: first(b, _WORKER)["livenessProbe"]["httpGet"].update(path="/healthz"),
        "asks /healthz, which is no route",
    ),
    production(
        "probes_ask_real_routes",
        lambda b: first(b, _GATEWAY)["livenessProbe"]["httpGet"].update(port="web"),
        "asks port web, which it has not",
    ),
    production(
        "probes_ask_real_routes",
        lambda b: first(b, _GATEWAY)["livenessProbe"]["httpGet"].update(path="/readyz"),
        "restarted because PostgreSQL is away",
    ),
    production("probes_ask_real_routes", lambda b: first(b, _WORKER).pop("startupProbe"), "has no startupProbe"),
    production("grace_is_long_enough", lambda b: data(b).update(MASHANG_WAIT_MAX_S="45"), "and can take 115"),
    production(
        "grace_is_long_enough", lambda b: pod(b, _GATEWAY).update(terminationGracePeriodSeconds=60), "granted 60 s"
    ),
    production("grace_is_long_enough", lambda b: pod(b, _WORKER).pop("terminationGracePeriodSeconds"), "granted 30 s"),
    production("gateways_leave_before_they_stop", lambda b: first(b, _GATEWAY).pop("lifecycle"), "has no preStop"),
    production(
        "gateways_leave_before_they_stop",
        lambda b: b[_GATEWAY]["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
        "maxUnavailable must be 0",
    ),
    production(
        "resources_are_asked_for", lambda b: first(b, _GATEWAY)["resources"]["requests"].pop("cpu"), "asks for no cpu"
    ),
    development(
        "resources_are_asked_for", lambda b: first(b, "StatefulSet mashang-valkey").pop("resources"), "no limit of"
    ),
    production(
        "pods_are_restricted",
        lambda b: first(b, _GATEWAY)["securityContext"].update(readOnlyRootFilesystem=False),
        "readOnlyRootFilesystem is not True",
    ),
    production(
        "pods_are_restricted",
        lambda b: first(b, _WORKER)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
        "keeps capabilities",
    ),
    production(
        "pods_are_restricted", lambda b: pod(b, _GATEWAY)["securityContext"].update(runAsUser=0), "runAsUser is not"
    ),
    production(
        "pods_are_restricted", lambda b: pod(b, _GATEWAY)["securityContext"].pop("seccompProfile"), "seccompProfile"
    ),
    production("pods_are_restricted", lambda b: pod(b, _WORKER).pop("automountServiceAccountToken"), "account's token"),
    production("pods_are_restricted", lambda b: pod(b, _GATEWAY).update(hostNetwork=True), "has hostNetwork"),
    production("pods_are_restricted", lambda b: pod(b, _GATEWAY)["volumes"][0].update(emptyDir={}), "has no limit"),
    production(
        "pods_are_restricted",
        lambda b: pod(b, _GATEWAY)["volumes"][0].update(hostPath={"path": "/"}),
        "is the machine's",
    ),
    production("folders_are_writable", lambda b: first(b, _GATEWAY)["volumeMounts"].pop(0), "writes to /"),
    production("folders_are_writable", lambda b: data(b).update(MASHANG_METRICS_DIR="/srv/m"), "writes to /srv/m"),
    production("new_code_waits_for_its_schema", lambda b: pod(b, _GATEWAY).pop("initContainers"), "does not wait"),
    production("new_code_waits_for_its_schema", lambda b: b.pop("Job mashang-migrate"), "there is no migration"),
)

NETWORK: Final = (
    production(
        "ingress_shows_what_is_public",
        lambda b: paths(b)[0].update(path="/admin"),
        "shows /admin/v1/merchants to the world",
    ),
    production("ingress_shows_what_is_public", lambda b: paths(b)[0].update(path="/"), "shows /metrics to the world"),
    production("ingress_shows_what_is_public", lambda b: paths(b).pop(1), "leaves /q/{token} out"),
    production("ingress_shows_what_is_public", lambda b: b["Ingress mashang"]["spec"].pop("tls"), "without TLS"),
    production(
        "ingress_shows_what_is_public",
        lambda b: b["Ingress mashang"]["spec"].update(defaultBackend={"service": {}}),
        "has a default backend",
    ),
    production(
        "ingress_leads_to_services",
        lambda b: paths(b)[0]["backend"]["service"].update(name="gone"),
        "sends /v1 to Service gone",
    ),
    production(
        "ingress_leads_to_services",
        lambda b: paths(b)[0]["backend"]["service"].update(port={"number": 8080}),
        "a port that Service mashang has not",
    ),
    production(
        "nothing_is_open_by_default", lambda b: b.pop("NetworkPolicy mashang-default-deny"), "denies everything"
    ),
    production("nothing_is_open_by_default", lambda b: b.pop("NetworkPolicy mashang-worker"), "has no NetworkPolicy"),
    production(
        "policies_choose_pods",
        lambda b: b["NetworkPolicy mashang-worker"]["spec"]["podSelector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "till"}
        ),
        "NetworkPolicy mashang-worker selects no pods",
    ),
    production(
        "policies_choose_pods",
        lambda b: b["NetworkPolicy mashang-gateway"]["spec"]["ingress"][0]["ports"][0].update(port="web"),
        "names port web",
    ),
    development(
        "policies_choose_pods",
        lambda b: egress(b, "mashang-gateway-to-simulators")[0]["to"][0]["podSelector"]["matchLabels"].update(x="y"),
        "lets out to pods that are not there",
    ),
    production(
        "the_public_net_is_public",
        lambda b: egress(b, "mashang-worker")[2]["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16"),
        "lets out to 169.254.0.0/16",
    ),
    production(
        "the_public_net_is_public",
        lambda b: egress(b, "mashang-worker")[2]["to"][1]["ipBlock"].update(cidr="::/0"),
        "every IPv6 address",
    ),
    production(
        "gateways_are_not_open_to_everybody",
        lambda b: b["NetworkPolicy mashang-gateway"]["spec"]["ingress"][0].pop("from"),
        "lets everybody in",
    ),
    production(
        "gateways_are_not_open_to_everybody",
        lambda b: b["NetworkPolicy mashang-gateway"]["spec"]["ingress"][0].pop("ports"),
        "lets in to every port",
    ),
    production(
        "names_are_looked_up",
        lambda b: egress(b, "mashang-gateway")[0]["to"].pop(1),
        "Deployment mashang-gateway cannot ask a machine's own DNS cache",
    ),
    production(
        "names_are_looked_up",
        lambda b: egress(b, "mashang-migrate")[0]["ports"].pop(0),
        "Job mashang-migrate cannot ask the cluster's DNS",
    ),
)

FAULTS: Final = (*REFERENCES, *PODS, *NETWORK)
