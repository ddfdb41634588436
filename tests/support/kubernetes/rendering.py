"""What there is to render, by kubectl's kustomize or, without one, as it was committed in k8s/rendered."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support.kubernetes.resources import Rendering

ROOT: Final = Path(__file__).parents[3] / "k8s"
COMMITTED: Final = ("development", "production")
"""Overlays whose rendering is in the repository: for who has no kustomize, and for the tests where no kubectl is."""
_HEADER: Final = "# k8s/overlays/{name} as kustomize renders it: made by `make k8s-render`, never edited by hand.\n"
_TIMEOUT_S: Final = 60


def has_kubectl() -> bool:
    """Whether anything can be rendered here."""
    return shutil.which("kubectl") is not None


def folders() -> list[Path]:
    """Every overlay and example that can be rendered, overlays first."""
    found = [path.parent for kind in ("overlays", "examples") for path in (ROOT / kind).glob("*/kustomization.yaml")]
    return sorted(found, key=lambda folder: (folder.parent.name != "overlays", folder.name))


def rendered(folder: Path) -> Rendering:
    """An overlay as kubectl renders it now.  Raises CalledProcessError with kustomize's words in stderr."""
    command = ["kubectl", "kustomize", str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S).stdout
    return Rendering.of(f"{folder.parent.name}/{folder.name}", text, _external(folder))


def rendered_text(name: str) -> str:
    """A committed overlay as it should be."""
    command = ["kubectl", "kustomize", str(ROOT / "overlays" / name)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT_S).stdout
    return _HEADER.format(name=name) + text


def committed_path(name: str) -> Path:
    """Where an overlay's rendering is kept."""
    return ROOT / "rendered" / f"{name}.yaml"


def committed(name: str) -> Rendering:
    """An overlay as it was rendered when it was committed."""
    text = committed_path(name).read_text("utf-8")
    return Rendering.of(f"overlays/{name}", text, _external(ROOT / "overlays" / name))


def write_committed() -> list[Path]:
    """Render the overlays that are kept, and keep them."""
    (ROOT / "rendered").mkdir(exist_ok=True)
    for name in COMMITTED:
        committed_path(name).write_text(rendered_text(name), "utf-8")
    return [committed_path(name) for name in COMMITTED]


def _external(folder: Path) -> str:
    path = folder / "external.yaml"
    return path.read_text("utf-8") if path.exists() else ""
