"""`python -m loadtests.container`: the image on trial, in a network of its own; `make image-try` builds it first."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from gateway.devstack.folders import private_folder, socket_folder
from gateway.devstack.postgres import Postgres
from gateway.devstack.stores import make_database
from gateway.devstack.valkey import Valkey
from gateway.processes.errors import StackError
from loadtests.container.engine import USER_ID, Podman
from loadtests.container.relay import Relay
from loadtests.container.trial import Results, Trial, write_facts

_CONTAINERS: Final = Path(tempfile.gettempdir()) / "mashang-containers"
_INSIDE: Final = "MASHANG_TRY_INSIDE"
# crun refuses a machine that mounts both generations of cgroups; in here nothing but the mounts' view changes.
_SCRIPT: Final = 'umount /sys/fs/cgroup/unified 2>/dev/null; ip link set lo up && exec "$@"'


def main(
    image: Annotated[str, typer.Option(envvar="IMAGE", help="The image, as `make image` named it.")],
    containers: Annotated[
        Path, typer.Option(envvar="CONTAINERS", help="Where buildah and podman keep theirs.")
    ] = _CONTAINERS,
    driver: Annotated[
        str, typer.Option(envvar="STORAGE_DRIVER", help="Of that store; vfs where overlay fails.")
    ] = "overlay",
    report: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("results/container/image.json"),
) -> None:
    """Try the image: every command of it, payments, a drain and the audit."""
    if _INSIDE not in os.environ:
        _go_inside()
    with _stores() as (state, environment):
        podman = Podman(containers, driver, image, state, environment)
        results = Results()
        try:
            Trial(podman, results).run()
        finally:
            _show(podman, results)
        write_facts(report, podman, results)
    raise typer.Exit(0 if results.all_hold else 1)


def _go_inside() -> None:
    """Begin again in a network and a view of the mounts of its own: the usual ports are free there."""
    for program in ("podman", "unshare", "ip"):
        if shutil.which(program) is None:
            raise StackError(f"The trial needs {program}: apt install podman util-linux iproute2")
    if os.geteuid() != 0:
        raise StackError("The trial gives its containers a network of their own, which takes root: sudo make image-try")
    command = ("unshare", "--mount", "--net", "sh", "-c", _SCRIPT, "sh", sys.executable, "-m", "loadtests.container")
    os.execvpe(command[0], (*command, *sys.argv[1:]), {**os.environ, _INSIDE: "1"})  # noqa: S606 - no shell is wanted


@contextmanager
def _stores() -> Iterator[tuple[Path, dict[str, str]]]:
    """PostgreSQL and Valkey as processes beside the containers; their state's folder, and the settings."""
    folder = private_folder(Path(tempfile.mkdtemp(prefix="mashang-try-")))
    sockets = socket_folder(folder)
    postgres = Postgres(folder / "postgres", sockets, folder / "postgres.log")
    valkey = Valkey(folder / "valkey", sockets, folder / "valkey.log")
    state = Path(tempfile.mkdtemp(prefix="mashang-try-state-"))
    os.chown(state, USER_ID, USER_ID)
    try:
        postgres.start()
        valkey.start()
        postgres.wait_ready()
        valkey.wait_ready()
        asyncio.run(make_database(postgres))
        yield state, _settings(Relay(), sockets)
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(state, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _settings(relay: Relay, sockets: Path) -> dict[str, str]:
    database = relay.open(sockets / "postgres" / ".s.PGSQL.5432")
    valkey = relay.open(sockets / "valkey.sock")
    return {
        "MASHANG_DATABASE_URL": f"postgresql://mashang@127.0.0.1:{database}/mashang",
        "MASHANG_REDIS_URL": f"redis://127.0.0.1:{valkey}/0",
        "MASHANG_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "MASHANG_ADMIN_TOKEN": f"adm_test_{secrets.token_urlsafe(24)}",
    }


def _show(podman: Podman, results: Results) -> None:
    console = Console(soft_wrap=True, width=180)
    layers = Table(title=f"{podman.image}: {podman.size_bytes() / 1e6:.1f} MB", title_justify="left")
    layers.add_column("MB", justify="right")
    layers.add_column("layer")
    for made_by, size in podman.layers():
        layers.add_row(f"{size / 1e6:.1f}", made_by[:120])
    checks = Table(title="The trial", title_justify="left")
    for heading in ("", "check", "seen"):
        checks.add_column(heading)
    for what, holds, seen in results.checks:
        checks.add_row("yes" if holds else "NO", what, seen)
    console.print(layers)
    console.print(checks)
    for name, values in (("s", results.starts_s), ("CPU s", results.starts_cpu_s)):
        console.print(f"start to ready, {name}: {' '.join(f'{value:.2f}' for value in values)}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except StackError as error:
        sys.stderr.write(f"image-try: {error}\n")
        sys.exit(2)
