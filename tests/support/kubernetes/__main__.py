"""`python -m tests.support.kubernetes [--write]`: render k8s/, hold it against schemas and our checks."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.support.kubernetes import schemas
from tests.support.kubernetes.checks import CHECKS, findings
from tests.support.kubernetes.rendering import (
    COMMITTED,
    committed,
    committed_path,
    folders,
    has_kubectl,
    rendered,
    rendered_text,
    write_committed,
)
from tests.support.kubernetes.resources import Rendering


def main(arguments: Sequence[str]) -> int:
    """Check, or with --write render what is kept; 1 where anything is wrong."""
    if "--write" in arguments:
        for path in write_committed():
            _say(f"written: {path}")
        return 0
    faults = _stale() if has_kubectl() else []
    for rendering in _renderings():
        found = [*_schema_faults(rendering), *findings(rendering)]
        faults += [f"{rendering.name}: {fault}" for fault in found]
        _say(
            f"{rendering.name:<28} {len(rendering.resources):>3} resources  {len(found):>3} faults"
            + "".join(f"\n    no schema: {title}" for title in schemas.left_out(rendering))
        )
    _say(f"schemas of Kubernetes {', '.join(schemas.versions())}, strict; {len(CHECKS)} checks of our own")
    for fault in faults:
        _say(f"FAULT {fault}")
    return 1 if faults else 0


def _renderings() -> list[Rendering]:
    if has_kubectl():
        return [rendered(folder) for folder in folders()]
    known = [f"{folder.parent.name}/{folder.name}" for folder in folders()]
    skipped = [name for name in known if name.rpartition("/")[2] not in COMMITTED]
    _say(f"left out, for there is no kubectl here: whether k8s/rendered is up to date, and {', '.join(skipped)}")
    return [committed(name) for name in COMMITTED]


def _stale() -> list[str]:
    return [
        f"{committed_path(name)} is not what kustomize renders now: make k8s-render"
        for name in COMMITTED
        if not committed_path(name).exists() or committed_path(name).read_text("utf-8") != rendered_text(name)
    ]


def _schema_faults(rendering: Rendering) -> list[str]:
    return [fault for version in schemas.versions() for fault in schemas.faults(rendering, version)]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
