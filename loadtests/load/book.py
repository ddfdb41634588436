"""The clients' book (docs/audit.md): one file of each Locust process, merged into one for the audit."""

from __future__ import annotations

import heapq
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

PATTERN: Final = "book-*.jsonl"
_TIME_BYTES: Final = len('{"time":"2026-11-11T00:00:00.000000')


class Book:
    """What the clients of this process asked and were told, line by line, as it happened."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"book-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
        self._file = path.open("ab")

    def write(
        self, merchant_id: str, order_no: str | None, request: dict[str, Any] | None, status: int, answer: bytes
    ) -> None:
        """Add a line; status 0 where no answer came, and what is not JSON becomes null."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="microseconds"),
            "merchant": merchant_id,
            "merchant_order_no": order_no,
            "request": request,
            "http_status": status or None,
            "answer": orjson.Fragment(answer if answer[:1] == b"{" else b"null"),
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the books of a run."""

    books: int
    lines: int
    torn: int
    """Last lines that a process died over: they are left out."""


def merge(books: Sequence[Path], into: Path) -> Merged:
    """Merge them by time into one; each is in the order of its times, so no more than a line of each is in memory."""
    torn: list[Path] = []
    lines = 0
    with into.open("wb") as file:
        for line in heapq.merge(*(_whole_lines(book, torn) for book in books), key=_time_of):
            file.write(line)
            lines += 1
    return Merged(len(books), lines, len(torn))


def _whole_lines(book: Path, torn: list[Path]) -> Iterator[bytes]:
    with book.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line
            else:
                torn.append(book)


def _time_of(line: bytes) -> bytes:
    return line[:_TIME_BYTES]
