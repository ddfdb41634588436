"""Makes a version beside the event loop: of a small document in a thread, of a large one in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson

from gateway.kernel.documents import Problem
from risk.rules import maker
from risk.rules.document import RuleSetError
from risk.rules.making import Known, Made, NoDocument, make

IN_A_THREAD_BYTES_MAX: Final = 64 * 1024
"""Some two hundred rules: less than a tenth of a second, of which the event loop gets its share."""
AT_A_TIME_MAX: Final = 2
"""Processes for one gateway process; each can take a gigabyte."""
_MAKE_S_MAX: Final = 600.0
_OF_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""A process that only works for another one has no metrics."""

_at_work: set[Path] = set()


class MakersBusy(Exception):
    """As many large documents are being checked as can be at a time."""


async def make_apart(body: bytes, known: Known | None) -> Made:
    """The version that a document in JSON makes; without `known`, that a stored one makes again.

    Raises NoDocument, RuleSetError with all problems, MakersBusy, and TimeoutError past ten minutes.
    """
    if len(body) <= IN_A_THREAD_BYTES_MAX:
        return await asyncio.to_thread(make, body, known)
    with _a_folder() as folder:
        await asyncio.to_thread(_fill, folder, body, known)
        await _run(folder)
        return await asyncio.to_thread(_taken, folder)


@contextmanager
def _a_folder() -> Iterator[Path]:
    if len(_at_work) >= AT_A_TIME_MAX:
        raise MakersBusy
    with TemporaryDirectory(prefix="mashang-rules-") as name:
        folder = Path(name)
        _at_work.add(folder)
        try:
            yield folder
        finally:
            _at_work.discard(folder)


def _fill(folder: Path, body: bytes, known: Known | None) -> None:
    (folder / maker.GIVEN).write_bytes(body)
    (folder / maker.KNOWN).write_bytes(orjson.dumps(None if known is None else _known_json(known)))


def _known_json(known: Known) -> dict[str, Any]:
    lists = None if known.lists is None else sorted(known.lists)
    models = None if known.models is None else sorted(known.models)
    return {"lists": lists, "models": models}


async def _run(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != _OF_METRICS}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", maker.__name__, str(folder), stdin=asyncio.subprocess.DEVNULL, env=environment
    )
    try:
        async with asyncio.timeout(_MAKE_S_MAX):
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        raise RuntimeError(f"the process that checks a rule set ended with {status}")


def _taken(folder: Path) -> Made:
    """What the process has left."""
    refused, no_document = folder / maker.REFUSED, folder / maker.NO_DOCUMENT
    if no_document.exists():
        raise NoDocument(no_document.read_text(encoding="utf-8"))
    if refused.exists():
        raise RuleSetError(tuple(Problem(**each) for each in orjson.loads(refused.read_bytes())))
    told = orjson.loads((folder / maker.MADE).read_bytes())
    return Made(
        head=told["head"],
        rule_count=told["rule_count"],
        test_count=told["test_count"],
        failures=tuple(Problem(**each) for each in told["failures"]),
        lists=tuple(told["lists"]),
        pieces=_pieces(folder / maker.RULES),
        artefact=_pieces(folder / maker.ARTEFACT),
    )


def _pieces(folder: Path) -> tuple[bytes, ...]:
    return tuple(piece.read_bytes() for piece in sorted(folder.iterdir()))
