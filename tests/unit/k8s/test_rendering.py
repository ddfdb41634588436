"""What is committed is what kustomize renders, and every example renders without a fault; where kubectl is."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.kubernetes.checks import findings
from tests.support.kubernetes.rendering import (
    COMMITTED,
    ROOT,
    committed,
    committed_path,
    folders,
    has_kubectl,
    rendered,
    rendered_text,
)
from tests.support.kubernetes.resources import is_ours

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


@pytest.mark.parametrize("name", COMMITTED)
def test_the_overlays_run_the_version_that_this_is(name: str) -> None:
    version = tomllib.loads((ROOT.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    images = {str(one["image"]) for work in committed(name).workloads for one in work.containers if is_ours(one)}
    assert {image.rpartition(":")[2] for image in images} == {version}


@needs_kubectl
def test_the_guide_s_own_overlay_renders_without_a_fault(tmp_path: Path) -> None:
    guide = (ROOT.parent / "docs" / "kubernetes.md").read_text("utf-8")
    [overlay] = re.findall(r"```yaml\n(# kustomization.yaml\n.+?)```", guide, re.DOTALL)
    ours = os.path.relpath(ROOT / "overlays" / "production", tmp_path)
    text = re.sub(r"https://your-git\.example/\S+", ours, overlay)
    (tmp_path / "kustomization.yaml").write_text(text, "utf-8")
    external = (ROOT / "overlays" / "production" / "external.yaml").read_text("utf-8")
    (tmp_path / "external.yaml").write_text(external, "utf-8")
    rendering = rendered(tmp_path)
    assert findings(rendering) == []
    [settings] = rendering.of_kind("ConfigMap")
    assert settings.body["data"]["MASHANG_PUBLIC_URL"] == "https://pay.your-bank.cn"
    [ingress] = rendering.of_kind("Ingress")
    assert ingress.spec["rules"][0]["host"] == "pay.your-bank.cn"
    images = {str(one["image"]) for work in rendering.workloads for one in work.containers}
    assert images == {"registry.your-bank.cn/mashang:0.1.0"}
