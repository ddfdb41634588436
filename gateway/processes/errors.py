"""What can go wrong while processes are started and kept, as a message for the person at the terminal."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """The stack cannot start or go on; the message says why and what to do."""


def log_tail(log: Path | None, lines: int = 15) -> str:
    """The last lines of a process's log, introduced, to stand behind the message of a failure."""
    if log is None:
        return ""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return f"; its log {log} ends with:\n" + "\n".join(text.splitlines()[-lines:])
