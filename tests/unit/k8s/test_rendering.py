"""What is committed is what kustomize renders, and every example renders without a fault; where kubectl is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kubernetes.checks import findings
from tests.support.kubernetes.rendering import (
    COMMITTED,
    committed_path,
    folders,
    has_kubectl,
    rendered,
    rendered_text,
)

needs_kubectl = pytest.mark.skipif(
    not has_kubectl(),
    reason="left out: whether k8s/rendered is up to date and the examples render (there is no kubectl)",
)


@needs_kubectl
@pytest.mark.parametrize("name", COMMITTED)
def test_what_is_committed_is_what_kustomize_renders(name: str) -> None:
    assert committed_path(name).read_text("utf-8") == rendered_text(name), "make k8s-render"


@needs_kubectl
@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_each_overlay_and_example_renders_without_a_fault(folder: Path) -> None:
    assert findings(rendered(folder)) == []


def test_every_overlay_is_committed() -> None:
    assert {folder.name for folder in folders() if folder.parent.name == "overlays"} == set(COMMITTED)
