"""What `/metrics` answers: the counts of every process of the folder, or of this one where there is no folder.

A scrape is made in a thread, beside the payments, one at a time, and shared by those who asked before it began.  It
asks no database: what the worker reads there (campaigns) it leaves as text, beside the files or here, and that is told
while it is fresh.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY

from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.metrics.families import Family, families_of, text_of
from gateway.metrics.folder import VARIABLE, locked, metric_files, sweep
from gateway.metrics.merging import merged
from gateway.metrics.ranking import Ranking

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_FRESH_S: Final = 60.0
_SWEEP_EVERY_S: Final = 60.0
_LEFT: Final = "left.prom"


class Exposition:
    """One per process."""

    def __init__(self) -> None:
        folder = os.environ.get(VARIABLE)
        self._folder = None if folder is None else Path(folder)
        self._ranking = Ranking(self._folder)
        self._turn = threading.Lock()
        self._text, self._begun_s = b"", float("-inf")
        self._left, self._left_s = b"", float("-inf")
        self._swept_s = float("-inf")

    async def scrape(self) -> bytes:
        """The text, with all that was counted until now."""
        flush_hot_metrics()
        return await asyncio.to_thread(self.made_now)

    def leave(self, text: bytes) -> None:
        """Have this text told with every scrape of the folder, for a minute at most."""
        if self._folder is None:
            self._left, self._left_s = text, time.monotonic()
            return
        new = self._folder / f"{_LEFT}.{os.getpid()}"
        new.write_bytes(text)
        new.replace(self._folder / _LEFT)

    def made_now(self) -> bytes:
        """The text of what was carried over, in this thread."""
        asked_s = time.monotonic()
        with self._turn:
            if self._begun_s < asked_s:
                self._begun_s = time.monotonic()
                self._text = text_of(self._families()) + self._text_left()
            return self._text

    def _families(self) -> list[Family]:
        if self._folder is None:
            families = list(families_of(REGISTRY))
            self._ranking.apply(families)
            return families
        with locked(self._folder):
            if time.monotonic() - self._swept_s > _SWEEP_EVERY_S:
                self._swept_s = time.monotonic()
                with suppress(OSError):  # a full disk: the dead are added up another time, and are told till then
                    sweep(self._folder)
            families = merged(metric_files(self._folder))
            self._ranking.apply(families)
        return families

    def _text_left(self) -> bytes:
        if self._folder is None:
            return self._left if time.monotonic() - self._left_s < _FRESH_S else b""
        path = self._folder / _LEFT
        try:
            return path.read_bytes() if time.time() - path.stat().st_mtime < _FRESH_S else b""
        except FileNotFoundError:
            return b""
