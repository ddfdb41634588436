"""Structured logs: one JSON object a line in production, a readable line in a terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import orjson

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_HELD_LINES_MAX: Final = 200
_HELD_S: Final = 0.2
_ROOT: Final = logging.getLogger()


class LineFormatter(logging.Formatter, ABC):
    """Formats what a line tells; a record of the logging package is taken apart first."""

    @abstractmethod
    def line(self, created_s: float, level: str, logger: str, event: str, fields: Mapping[str, Any]) -> str:
        """One line of text.  `created_s` is in seconds since 1970."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        fields = extra_fields(record)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self.line(record.created, record.levelname.lower(), record.name, record.getMessage(), fields)


class JsonFormatter(LineFormatter):
    """Time, level, logger, event, and the fields that were given as `extra`."""

    def line(self, created_s: float, level: str, logger: str, event: str, fields: Mapping[str, Any]) -> str:
        """One line of JSON."""
        moment = datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": level, "logger": logger, "event": event, **fields}
        return orjson.dumps(line, default=str).decode()


class TerminalFormatter(LineFormatter):
    """`12:30:01 info  payment status=succeeded …`"""

    def line(self, created_s: float, level: str, logger: str, event: str, fields: Mapping[str, Any]) -> str:  # noqa: ARG002
        """One line for people."""
        moment = time.strftime("%H:%M:%S", time.localtime(created_s))
        told = [f"{name}={value}" for name, value in fields.items() if value is not None and name != "exception"]
        line = f"{moment} {level:7} {event} {' '.join(told)}".rstrip()
        return f"{line}\n{fields['exception']}" if "exception" in fields else line


class HoldingHandler(logging.Handler):
    """Writes many lines at once: when there are 200, when one is a warning or worse, and every 0.2 s.

    That saves the payments their system calls.  A process that is killed loses at most that 0.2 s.  Lines are taken
    without a lock while another thread writes: what is held is never put aside as a whole, so that none is lost.
    """

    def __init__(self, stream: TextIO, formatter: LineFormatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._to_line = formatter.line
        self._stream = stream
        self._lines: deque[str] = deque()
        threading.Thread(target=self._flush_for_ever, name="log flusher", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hold the line back, unless it is one that somebody should see at once."""
        try:
            self._lines.append(self.format(record))
        except Exception:  # a line that cannot be written must not stop a payment
            self.handleError(record)
        if record.levelno >= logging.WARNING or len(self._lines) >= _HELD_LINES_MAX:
            self.flush()

    def hold(self, logger: str, event: str, fields: Mapping[str, Any]) -> None:
        """Take an INFO line as it is, without a record."""
        try:
            self._lines.append(self._to_line(time.time(), "info", logger, event, fields))
        except (TypeError, ValueError):  # text that is no Unicode: a line that cannot be written stops no payment
            self._lines.append(self._to_line(time.time(), "warning", logger, "a line could not be written", {}))
        if len(self._lines) >= _HELD_LINES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        with self.lock or contextlib.nullcontext():
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
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


def log_event(logger: logging.Logger, event: str, fields: Mapping[str, Any]) -> None:
    """An INFO line of the hot path, as `logger.info(event, extra=fields)` at a third of its price.

    Where anything but our own handler listens too, it goes the logging package's way.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    match _ROOT.handlers:
        case [HoldingHandler() as ours]:
            ours.hold(logger.name, event, fields)
        case _:
            logger.info(event, extra=fields)


def set_up_logs(level: str, *, json: bool) -> None:
    """Log to standard error."""
    # What the logging package documents for speed: no line of ours names a source file, a thread or a process.
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = HoldingHandler(sys.stderr, JsonFormatter() if json else TerminalFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def flush_logs() -> None:
    """Write what is held back, for a process that ends without Python's own end."""
    for handler in _ROOT.handlers:
        handler.flush()
