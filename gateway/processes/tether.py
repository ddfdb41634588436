"""Start a program so that it cannot outlive its parent.  Run as a file by `processes.py`; imports nothing of ours.

Usage: python -I -S tether.py SIGNAL PARENT ACCOUNT PROGRAM ARGUMENT…

ACCOUNT is `same`, `namespace` (a user namespace in which root is nobody, which is how PostgreSQL agrees to start as
root while its files stay root's) or `UID:GID`.  The kernel forgets the parent-death signal whenever credentials change,
so it is asked for after the account is settled; it survives exec because no program here is set-uid.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000


def enter_account(account: str) -> None:
    """Become the account that the program shall run as.  Raises OSError where that is not allowed."""
    if account == "same":
        return
    if account == "namespace":
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
        return
    uid, gid = account.split(":")
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))


def die_with_parent(death_signal: int, parent: int) -> None:
    """Have the kernel send the signal once the parent is gone, and notice if it went before we asked."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit("the parent is gone already")


def main() -> None:
    """Settle account and tether, then become the program."""
    death_signal, parent, account, *command = sys.argv[1:]
    try:
        enter_account(account)
        die_with_parent(int(death_signal), int(parent))
        os.execvp(command[0], command)  # noqa: S606 - replacing ourselves is the purpose
    except OSError as error:
        raise SystemExit(f"{command[0]}: {error.strerror}") from error


if __name__ == "__main__":
    main()
