"""Podman as the trial uses it: every container as hardened as compose.yaml and the pods of k8s/base have it."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.processes.errors import StackError

USER_ID: Final = 10001
_STATE: Final = "/var/lib/mashang"
_RUN_S_MAX: Final = 180.0
_LIMITS: Final = (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))
_LIMIT_MAX: Final = 16_384


@dataclass(frozen=True, slots=True)
class Ended:
    """What a container, or a command in one, left behind."""

    status: int
    output: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Podman:
    """One image in one store of containers."""

    containers: Path
    driver: str
    image: str
    state: Path
    environment: Mapping[str, str]

    def run(self, *command: str, entrypoint: str | None = None) -> Ended:
        """Run a container to its end."""
        before = ("--no-healthcheck", *(() if entrypoint is None else ("--entrypoint", entrypoint)))
        return self._podman("run", "--rm", *self._hardened(), *before, self.image, *command)

    def start(self, name: str, *command: str, **environment: str) -> None:
        """Start a container that stays.  Raises StackError."""
        more = [f"--env={variable}={value}" for variable, value in environment.items()]
        self._need("run", "--detach", "--name", name, *self._hardened(), *more, self.image, *command)

    def stop(self, name: str, timeout_s: int) -> int:
        """Ask a container to end, kill it after the timeout, and remove it.  Returns its exit status."""
        self._need("stop", "--time", str(timeout_s), name)
        status = int(self._need("inspect", "--format", "{{.State.ExitCode}}", name))
        self._need("rm", name)
        return status

    def remove(self, *names: str) -> None:
        """Remove what is left of containers, running or not."""
        self._podman("rm", "--force", "--time", "0", "--ignore", *names)

    def inside(self, name: str, *command: str) -> Ended:
        """Run a command in a running container."""
        return self._podman("exec", name, *command)

    def is_healthy(self, name: str) -> bool:
        """The image's own health check, run once."""
        return self._podman("healthcheck", "run", name).status == 0

    def pid(self, name: str) -> int:
        """The process id of a container's first process, as this machine counts."""
        return int(self._need("inspect", "--format", "{{.State.Pid}}", name))

    def logs(self, name: str) -> str:
        """The last lines of what a container wrote."""
        return self._podman("logs", "--tail", "20", name).output

    def layers(self) -> list[tuple[str, int]]:
        """What made each layer of the image that is not empty, and its bytes; the lowest first."""
        layers = json.loads(self._need("history", "--no-trunc", "--human=false", "--format", "json", self.image))
        return [(_made_by(layer), layer["size"]) for layer in reversed(layers) if layer["size"]]

    def size_bytes(self) -> int:
        """The image's size, uncompressed."""
        return int(self._need("image", "inspect", "--format", "{{.Size}}", self.image))

    def _hardened(self) -> Sequence[str]:
        limits = [f"--ulimit={name}={_limit(which)}:{_limit(which)}" for name, which in _LIMITS]
        return (
            "--network=host", "--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp:mode=1777", "--cap-drop=ALL",
            "--security-opt=no-new-privileges", "--health-interval=disable", f"--volume={self.state}:{_STATE}", *limits,
            *[f"--env={name}={value}" for name, value in self.environment.items()],
        )  # fmt: skip

    def _need(self, *arguments: str) -> str:
        ended = self._podman(*arguments)
        if ended.status:
            raise StackError(f"podman {arguments[0]} failed: {ended.output}")
        return ended.output.strip()

    def _podman(self, *arguments: str) -> Ended:
        command = (
            "podman", "--root", str(self.containers / "store"), "--runroot", str(self.containers / "run"),
            "--storage-driver", self.driver, "--cgroup-manager", "cgroupfs", *arguments,
        )  # fmt: skip
        began = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_RUN_S_MAX, stdin=subprocess.DEVNULL
        )
        return Ended(done.returncode, done.stdout.strip() or done.stderr.strip(), time.monotonic() - began)


def _limit(which: int) -> int:
    """What podman sets, whose own wish may be more than this machine gives to whoever lacks CAP_SYS_RESOURCE."""
    hard = resource.getrlimit(which)[1]
    return _LIMIT_MAX if hard == resource.RLIM_INFINITY else min(hard, _LIMIT_MAX)


def _made_by(layer: Mapping[str, Any]) -> str:
    command = str(layer.get("CreatedBy", ""))
    return command.partition("#(nop) ")[2].strip() or command
