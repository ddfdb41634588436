"""Rendered Kubernetes resources, read: what each overlay would apply, and what it says is made elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import yaml

Body = Mapping[str, Any]

_TEMPLATED: Final = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it would be applied."""

    body: Body

    @property
    def kind(self) -> str:
        """Such as Deployment."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Unique within its kind and namespace."""
        return str(self.body["metadata"]["name"])

    @property
    def title(self) -> str:
        """How a finding names it."""
        return f"{self.kind} {self.name}"

    @property
    def spec(self) -> Body:
        """Empty where there is none."""
        return self.body.get("spec") or {}

    @property
    def keys(self) -> frozenset[str]:
        """The keys that a Secret or ConfigMap has, or that an ExternalSecret makes."""
        if self.kind == "ExternalSecret":
            return frozenset(entry["secretKey"] for entry in self.spec.get("data", ()))
        return frozenset((self.body.get("data") or {}).keys() | (self.body.get("stringData") or {}).keys())


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods, and how it makes them."""

    resource: Resource

    @property
    def title(self) -> str:
        """How a finding names it."""
        return self.resource.title

    @property
    def labels(self) -> Mapping[str, str]:
        """Of its pods."""
        return self._template["metadata"].get("labels") or {}

    @property
    def pod(self) -> Body:
        """The specification of its pods."""
        spec: Body = self._template["spec"]
        return spec

    @property
    def _template(self) -> Body:
        maker = self.resource.spec["jobTemplate"]["spec"] if self.resource.kind == "CronJob" else self.resource.spec
        template: Body = maker["template"]
        return template

    @property
    def containers(self) -> list[Body]:
        """Of its pods, those that run first included."""
        return [*self.pod.get("initContainers", ()), *self.pod["containers"]]

    @property
    def ports(self) -> list[Body]:
        """Every port that a container says it has."""
        return [port for container in self.pod["containers"] for port in container.get("ports", ())]

    @property
    def is_ours(self) -> bool:
        """Whether it runs Mashang's image."""
        return any(is_ours(container) for container in self.containers)


@dataclass(frozen=True, slots=True)
class Rendering:
    """An overlay's resources; `external` is what its external.yaml says is made elsewhere."""

    name: str
    resources: tuple[Resource, ...]
    external: Body

    @classmethod
    def of(cls, name: str, text: str, external: str = "") -> Self:
        """Read the output of kustomize."""
        bodies = [body for body in yaml.safe_load_all(text) if body]
        return cls(name, tuple(map(Resource, bodies)), yaml.safe_load(external) or {})

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        """Those of some kinds."""
        return (resource for resource in self.resources if resource.kind in kinds)

    @property
    def workloads(self) -> list[Workload]:
        """Everything that makes pods."""
        return [Workload(resource) for resource in self.of_kind(*_TEMPLATED)]

    def keys_of(self, kind: str, name: str) -> frozenset[str] | None:
        """The keys of a Secret or ConfigMap, wherever it is made; None where nobody makes it."""
        declared = (self.external.get(kind) or {}).get(name)
        if declared is not None:
            return frozenset(declared)
        makers = (kind, "ExternalSecret") if kind == "Secret" else (kind,)
        return next((made.keys for made in self.of_kind(*makers) if made.name == name), None)


def is_ours(container: Body) -> bool:
    """Whether a container runs Mashang's image, from whatever registry."""
    return image_name(str(container["image"])).rpartition("/")[2] == "mashang"


def image_name(image: str) -> str:
    """An image's name without its tag and digest."""
    name = image.partition("@")[0]
    before, _, last = name.rpartition("/")
    return f"{before}/{last.partition(':')[0]}".lstrip("/")


def selects(selector: Body, labels: Mapping[str, str]) -> bool:
    """Whether a label selector with matchLabels and matchExpressions chooses these labels; an empty one chooses all."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        _meets(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def _meets(expression: Body, labels: Mapping[str, str]) -> bool:
    value, operator = labels.get(expression["key"]), expression["operator"]
    if operator == "In":
        return value in set(expression["values"])
    if operator == "NotIn":
        return value not in set(expression["values"])
    return (value is not None) is (operator == "Exists")
