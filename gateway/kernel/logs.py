"""Structured logs: one JSON object a line in production, a readable line in a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import orjson

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_HELD_LINES_MAX: Final = 200
_HELD_S: Final = 0.2


class JsonFormatter(logging.Formatter):
    """Time, level, logger, event, and the fields that were given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **extra_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TerminalFormatter(logging.Formatter):
    """`12:30:01 info  payment status=succeeded …`"""

    def format(self, record: logging.LogRecord) -> str:
        """One line for people."""
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = " ".join(f"{name}={value}" for name, value in extra_fields(record).items() if value is not None)
        line = f"{moment} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class HoldingHandler(logging.Handler):
    """Writes many lines at once: when there are 200, when one is a warning or worse, and every 0.2 s.

    That saves the payments their system calls.  A process that is killed loses at most that 0.2 s.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []
        threading.Thread(target=self._flush_for_ever, name="log flusher", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hold the line back, unless it is one that somebody should see at once."""
        try:
            self._lines.append(self.format(record))
        except Exception:  # a line that cannot be written must not stop a payment
            self.handleError(record)
        if record.levelno >= logging.WARNING or len(self._lines) >= _HELD_LINES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        with self.lock or contextlib.nullcontext():
            lines, self._lines = self._lines, []
            if lines:
                with contextlib.suppress(OSError, ValueError):  # nobody reads the stream any more
                    self._stream.write("\n".join(lines) + "\n")
                    self._stream.flush()

    def _flush_for_ever(self) -> None:
        while True:
            time.sleep(_HELD_S)
            self.flush()


def extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def set_up_logs(level: str, *, json: bool) -> None:
    """Log to standard error."""
    # What the logging package documents for speed: no line of ours names a source file, a thread or a process.
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = HoldingHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if json else TerminalFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def flush_logs() -> None:
    """Write what is held back, for a process that ends without Python's own end."""
    for handler in logging.getLogger().handlers:
        handler.flush()
