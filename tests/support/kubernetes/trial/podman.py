"""Podman as the kubelet of one pod, also on machines whose cgroups or limits it does not like."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtests.ending import start_tethered

_LIMITS: Final = '[containers]\ndefault_ulimits=["nofile=16384:16384","nproc=16384:16384"]\n'
"""Podman would raise them to its own ideas, which takes a capability that not everybody has."""
_HYBRID: Final = Path("/sys/fs/cgroup/unified")
"""Where both versions of cgroups are mounted, crun gives up: it is shown the first alone."""
_CALL_S: Final = 180.0


class PodmanTrouble(Exception):
    """Podman did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Podman:
    """Calls of podman on the store that `make image` builds in."""

    entering: tuple[str, ...]
    options: tuple[str, ...]
    environment: Mapping[str, str]

    def call(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """What it prints.  Raises PodmanTrouble with what it complains of."""
        command = [*self.entering, "podman", *self.options, *arguments]
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=_CALL_S,
            check=False,
            env={**os.environ, **self.environment},
        )
        if check and done.returncode:
            raise PodmanTrouble(f"podman {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def has_image(self, image: str) -> bool:
        """Whether the store has it."""
        return bool(self.call("images", "--quiet", image).strip())

    def inspected(self, container: str) -> dict[str, Any]:
        """A container as podman sees it."""
        [seen] = json.loads(self.call("inspect", container))
        return dict(seen)


def missing_programs() -> list[str]:
    """What has to be installed, in Debian's names."""
    needed = {"podman": "podman", "crun": "crun", "unshare": "util-linux", "nsenter": "util-linux"}
    return list(dict.fromkeys(package for program, package in needed.items() if shutil.which(program) is None))


@contextmanager
def podman() -> Iterator[Podman]:
    """Podman in a mount namespace of its own, where that is needed; nothing of the machine is changed."""
    store = Path(os.environ.get("CONTAINERS") or Path(tempfile.gettempdir()) / "mashang-containers")
    with tempfile.TemporaryDirectory(prefix="mashang-pod-") as folder:
        limits = Path(folder) / "containers.conf"
        limits.write_text(_LIMITS, "utf-8")
        options = (
            "--root", str(store / "store"), "--runroot", str(store / "run"), "--tmpdir", f"{folder}/tmp",
            "--storage-driver", os.environ.get("STORAGE_DRIVER", "overlay"), "--cgroup-manager", "cgroupfs",
        )  # fmt: skip
        with _namespace() as entering:
            yield Podman(entering, options, {"CONTAINERS_CONF": str(limits)})


@contextmanager
def _namespace() -> Iterator[tuple[str, ...]]:
    """How to enter a mount namespace without cgroups' second version; nothing where only one is mounted."""
    if not _HYBRID.is_mount():
        yield ()
        return
    script = f"umount {_HYBRID} && echo ready && exec sleep infinity"
    with start_tethered(("unshare", "--mount", "sh", "-c", script), stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline().strip() != b"ready":
                raise PodmanTrouble("cgroups are mounted in both versions here, and the second cannot be hidden")
            yield "nsenter", "--target", str(holder.pid), "--mount"
        finally:
            holder.terminate()
