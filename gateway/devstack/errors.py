"""What can go wrong while the stack starts, as a message for the person at the terminal."""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """The stack cannot start or go on; the message says why and what to do."""


def log_tail(log: Path, lines: int = 15) -> str:
    """The last lines of a process's log, to show beside the failure."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
