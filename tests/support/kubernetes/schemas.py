"""Strict validation against Kubernetes' own schemas in its last versions (the package kubernetes-validate)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import kubernetes_validate  # type: ignore[import-untyped]
from kubernetes_validate.utils import SchemaNotFoundError, all_versions  # type: ignore[import-untyped]

from tests.support.kubernetes.resources import Rendering

_LAST: Final = 4


def versions() -> list[str]:
    """The last four that the package has, such as 1.34.0, oldest first."""
    return list(dict.fromkeys(all_versions()))[-_LAST:]  # each is there twice: with and without strictness


def faults(rendering: Rendering, version: str) -> Iterator[str]:
    """What the schemas of one version refuse; a field that they do not know counts."""
    for resource in rendering.resources:
        if is_custom(resource.body["apiVersion"]):
            continue
        body: dict[str, Any] = dict(resource.body)
        try:
            kubernetes_validate.validate(body, version, strict=True)
        except SchemaNotFoundError:
            yield f"{resource.title}: Kubernetes {version} has no {body['apiVersion']}"
        except kubernetes_validate.ValidationError as error:
            place = "/".join(map(str, error.absolute_path))
            yield f"{resource.title}: Kubernetes {version}: {place}: {error.message}"


def left_out(rendering: Rendering) -> list[str]:
    """Resources of kinds that an operator brings: their schemas are the operator's."""
    return [resource.title for resource in rendering.resources if is_custom(resource.body["apiVersion"])]


def is_custom(api_version: str) -> bool:
    """Whether an API group is an operator's, not Kubernetes' own."""
    group = api_version.rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")
