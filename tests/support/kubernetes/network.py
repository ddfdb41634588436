"""Checks of who reaches whom: Ingress and NetworkPolicies."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from tests.support.kubernetes.application import gateway_routes, is_inner
from tests.support.kubernetes.resources import Body, Rendering, Resource, Workload, selects

_INSIDE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
_LOCAL_DNS: Final = "169.254.20.10/32"
"""NodeLocal DNSCache listens there (kubernetes.io/docs/tasks/administer-cluster/nodelocaldns)."""


def ingress_shows_what_is_public(rendering: Rendering) -> Iterator[str]:
    """Each public route is reachable, none of the inner ones is, and all of it over TLS."""
    for ingress in rendering.of_kind("Ingress"):
        hosts = {host for tls in ingress.spec.get("tls", ()) for host in tls["hosts"]}
        for rule in ingress.spec["rules"]:
            if rule.get("host") not in hosts:
                yield f"{ingress.title} serves {rule.get('host', 'any host')} without TLS"
            paths = rule["http"]["paths"]
            for route in sorted(gateway_routes()):
                shown = any(_covers(path, route) for path in paths)
                if shown and is_inner(route):
                    yield f"{ingress.title} shows {route} to the world"
                if not shown and not is_inner(route):
                    yield f"{ingress.title} leaves {route} out"
        if ingress.spec.get("defaultBackend"):
            yield f"{ingress.title} has a default backend: it shows every path"


def ingress_leads_to_services(rendering: Rendering) -> Iterator[str]:
    """Each path's Service is there, with the port."""
    services = {service.name: service for service in rendering.of_kind("Service")}
    for ingress in rendering.of_kind("Ingress"):
        for path in (path for rule in ingress.spec["rules"] for path in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            service, port = services.get(backend["name"]), backend["port"]
            if service is None:
                yield f"{ingress.title} sends {path['path']} to Service {backend['name']}, which is not there"
            elif not any(port in ({"name": one["name"]}, {"number": one["port"]}) for one in service.spec["ports"]):
                yield f"{ingress.title} sends {path['path']} to a port that {service.title} has not"


def nothing_is_open_by_default(rendering: Rendering) -> Iterator[str]:
    """One policy denies everything both ways, and every pod has one of its own besides."""
    policies = list(rendering.of_kind("NetworkPolicy"))
    if not any(_denies_all(policy) for policy in policies):
        yield "no NetworkPolicy denies everything by default"
    for workload in rendering.workloads:
        if not any(one.spec["podSelector"] and selects(one.spec["podSelector"], workload.labels) for one in policies):
            yield f"{workload.title} has no NetworkPolicy of its own"


def policies_choose_pods(rendering: Rendering) -> Iterator[str]:
    """Each policy, and each peer that it names in this namespace, chooses pods that are there; so do named ports."""
    operated = rendering.external.get("Pods") or ()
    for policy in rendering.of_kind("NetworkPolicy"):
        selector = policy.spec["podSelector"]
        chosen = _chosen(rendering, selector)
        if not chosen and not any(selects(selector, labels) for labels in operated):
            yield f"{policy.title} selects no pods"
        for rule in policy.spec.get("ingress", ()):
            yield from _missing_ports(policy, rule, chosen)
        for rule in policy.spec.get("egress", ()):
            for peer in rule.get("to", ()):
                yield from _faults_of_peer(rendering, policy, rule, peer)


def the_public_net_is_public(rendering: Rendering) -> Iterator[str]:
    """An egress rule that names the whole internet leaves private, link-local and carriers' blocks out."""
    for policy in rendering.of_kind("NetworkPolicy"):
        for rule in policy.spec.get("egress", ()):
            for peer in rule.get("to", ()):
                block = peer.get("ipBlock", {})
                if block.get("cidr") == "::/0":
                    yield f"{policy.title} lets out to every IPv6 address; the public ones are 2000::/3"
                if block.get("cidr") != "0.0.0.0/0":
                    continue
                left_out = [ip_network(one) for one in block.get("except", ())]
                for inside in map(ip_network, _INSIDE):
                    if not any(inside.version == one.version and inside.subnet_of(one) for one in left_out):  # type: ignore[arg-type]
                        yield f"{policy.title} lets out to {inside}, which is inside"


def gateways_are_not_open_to_everybody(rendering: Rendering) -> Iterator[str]:
    """Each rule into our pods names who may come and to which port."""
    for policy in rendering.of_kind("NetworkPolicy"):
        ours = [one for one in _chosen(rendering, policy.spec["podSelector"]) if one.is_ours]
        for rule in policy.spec.get("ingress", ()) if ours else ():
            if not rule.get("from") or {"namespaceSelector": {}} in rule["from"] or {"podSelector": {}} in rule["from"]:
                yield f"{policy.title} lets everybody in"
            if not rule.get("ports"):
                yield f"{policy.title} lets in to every port"


def names_are_looked_up(rendering: Rendering) -> Iterator[str]:
    """Each pod of ours reaches the cluster's DNS by UDP and TCP, and a machine's own cache where there is one."""
    policies = list(rendering.of_kind("NetworkPolicy"))
    for workload in rendering.workloads:
        chosen = [one for one in policies if workload.is_ours and selects(one.spec["podSelector"], workload.labels)]
        rules = [rule for one in chosen for rule in one.spec.get("egress", ())]
        asked = [rule for rule in rules if {("UDP", 53), ("TCP", 53)} <= _ports(rule)]
        peers = [peer for rule in asked for peer in rule.get("to", ())]
        if chosen and not any("podSelector" in peer for peer in peers):
            yield f"{workload.title} cannot ask the cluster's DNS"
        if chosen and {"ipBlock": {"cidr": _LOCAL_DNS}} not in peers:
            yield f"{workload.title} cannot ask a machine's own DNS cache"


def _ports(rule: Body) -> set[tuple[str, object]]:
    return {(port.get("protocol", "TCP"), port.get("port")) for port in rule.get("ports", ())}


def _covers(path: Body, route: str) -> bool:
    """Whether an Ingress path leads requests for a route to the gateway."""
    whole: str = path["path"]
    wanted = whole.rstrip("/")
    if path["pathType"] == "Exact":
        return route == whole
    return route == wanted or route.startswith(f"{wanted}/")


def _denies_all(policy: Resource) -> bool:
    spec = policy.spec
    both_ways: bool = set(spec["policyTypes"]) == {"Ingress", "Egress"}
    return both_ways and not any(spec.get(field) for field in ("podSelector", "ingress", "egress"))


def _chosen(rendering: Rendering, selector: Body) -> list[Workload]:
    return [workload for workload in rendering.workloads if selects(selector, workload.labels)]


def _missing_ports(policy: Resource, rule: Body, chosen: list[Workload]) -> Iterator[str]:
    for port in rule.get("ports", ()):
        wanted = port["port"]
        if isinstance(wanted, str) and not any(one.get("name") == wanted for pod in chosen for one in pod.ports):
            yield f"{policy.title} names port {wanted}, which none of its pods has"


def _faults_of_peer(rendering: Rendering, policy: Resource, rule: Body, peer: Body) -> Iterator[str]:
    if "namespaceSelector" in peer or "podSelector" not in peer:
        return
    chosen = _chosen(rendering, peer["podSelector"])
    if not chosen:
        labels = dict(peer["podSelector"].get("matchLabels") or {})
        yield f"{policy.title} lets out to pods that are not there: {labels}"
    yield from _missing_ports(policy, rule, chosen)
