"""The account PostgreSQL runs as: it refuses root, so root finds it another one that can reach program and data."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from gateway.processes.children import tethered
from gateway.processes.errors import StackError

_FOR_ROOT: Final = ("namespace", "65534:65534")
_PROBE: Final = ': > "$1/.probe" && rm "$1/.probe" && exec "$0" --version'


def choose_account(folder: Path, sockets: Path, program: Path) -> str:
    """The first account (see tether.py) that can write both folders and run the program; the folders become its own.

    A user namespace is best, for root's files stay root's.  Containers often forbid it: then an ordinary account, for
    which the folders above must be passable.  A folder that an ordinary user made keeps belonging to that user.
    """
    if os.geteuid() != 0:
        return _for_ordinary(folder, program)
    status = folder.stat()
    candidates = _FOR_ROOT if status.st_uid == 0 else (f"{status.st_uid}:{status.st_gid}",)
    for account in candidates:
        for own in (folder, sockets):
            _hand_over(own, account)
        if _works(account, folder, program):
            return account
    _hand_over(folder, f"{status.st_uid}:{status.st_gid}")
    raise StackError(
        f"PostgreSQL cannot run as root, and no other account here can both run {program} and write {folder}: user "
        "namespaces are forbidden and the folders are closed to others. Run this command as an ordinary user."
    )


def _for_ordinary(folder: Path, program: Path) -> str:
    """An ordinary user runs it as itself; one without a name, whom PostgreSQL refuses too, as nobody in a namespace."""
    if _has_name(os.geteuid()):
        return "same"
    if _works("namespace", folder, program):
        return "namespace"
    raise StackError(
        f"PostgreSQL cannot run as user {os.geteuid()}, which has no name in /etc/passwd, and user namespaces are "
        "forbidden here. Run this command as a user with a name."
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _hand_over(folder: Path, account: str) -> None:
    """Give a folder and all in it to the account, and let it pass through the folder above, which is ours too."""
    uid, _, gid = ("0:0" if account == "namespace" else account).partition(":")
    if uid != "0":
        folder.parent.chmod(0o711)  # passable, not listable; what lies there keeps its own protection
    if folder.stat().st_uid == int(uid):
        return
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, int(uid), int(gid))


def _works(account: str, folder: Path, program: Path) -> bool:
    command = ("/bin/sh", "-c", _PROBE, str(program), str(folder))
    probe = subprocess.run(
        tethered(command, account, signal.SIGKILL), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return probe.returncode == 0
