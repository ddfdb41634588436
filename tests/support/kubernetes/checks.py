"""The list of our own checks: each takes a rendering and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tests.support.kubernetes import network, pods, references
from tests.support.kubernetes.resources import Rendering

Check = Callable[[Rendering], Iterator[str]]

CHECKS: Final[tuple[Check, ...]] = (
    references.names_are_unique,
    references.selectors_match_templates,
    references.services_lead_somewhere,
    references.budgets_let_machines_be_drained,
    references.autoscalers_have_their_target,
    references.references_resolve,
    references.no_secret_is_in_the_repository,
    references.used_resources,
    references.volumes_are_there,
    references.spread_constraints_choose_their_pods,
    references.monitors_find_their_ports,
    pods.images_have_versions,
    pods.arguments_are_commands,
    pods.variables_are_settings,
    pods.production_is_production,
    pods.production_takes_its_settings,
    pods.probes_ask_real_routes,
    pods.grace_is_long_enough,
    pods.gateways_leave_before_they_stop,
    pods.resources_are_asked_for,
    pods.pods_are_restricted,
    pods.folders_are_writable,
    pods.new_code_waits_for_its_schema,
    network.ingress_shows_what_is_public,
    network.ingress_leads_to_services,
    network.nothing_is_open_by_default,
    network.policies_choose_pods,
    network.the_public_net_is_public,
    network.gateways_are_not_open_to_everybody,
    network.names_are_looked_up,
)


def findings(rendering: Rendering) -> list[str]:
    """Everything that is wrong, each with the check that says so."""
    return [f"{check.__name__}: {finding}" for check in CHECKS for finding in check(rendering)]
