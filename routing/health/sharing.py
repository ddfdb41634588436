"""Processes tell each other of health through Valkey, four times a second; without it each goes on by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final

from redis.exceptions import RedisError

from gateway.database.valkey import Valkey, ValkeyAway
from routing.health import notes
from routing.health.health import Health

INTERVAL_S: Final = 0.25
LIFETIME_S: Final = 5.0
"""A process that has told nothing for so long is forgotten by the others, and the others by one that hears nothing."""
_KEYS: Final = ["{health}:notes", "{health}:seen"]
_NOTE_BYTES_MAX: Final = 4_000_000
_LOGGED_EVERY_S: Final = 60.0

_log: Final = logging.getLogger("mashang.health")


class HealthExchange:
    """One per process; `process_id` is no other's, not even that of the same process before it was started again."""

    def __init__(self, valkey: Valkey, health: Health, process_id: str) -> None:
        self._valkey = valkey
        self._health = health
        self._hearing = notes.Hearing(health)
        self._process_id = process_id
        self._heard_at = time.monotonic()
        self._logged_at = float("-inf")

    async def run(self) -> None:
        """Exchange for ever, through any trouble."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.exchange()
            except (ValkeyAway, RedisError) as error:
                self._alone(error)
            except Exception as error:  # were this loop to end, the process would never hear of the others again
                self._alone(error)

    async def exchange(self) -> None:
        """Tell and hear once.  Raises ValkeyAway or RedisError."""
        arguments = [self._process_id, notes.write(self._health), round(LIFETIME_S * 1_000)]
        answer = await self._valkey.script("health_exchange", _KEYS, arguments)
        self._hearing.hear(_notes_of(answer))
        self._heard_at = time.monotonic()

    def _alone(self, error: Exception) -> None:
        now = time.monotonic()
        if now > self._heard_at + LIFETIME_S:
            self._hearing.hear(())
        if now > self._logged_at + _LOGGED_EVERY_S:
            self._logged_at = now
            _log.warning("the health of accounts is not shared", extra={"error": type(error).__name__})


def _notes_of(answer: Any) -> list[notes.Note]:
    """The script's answer as notes."""
    return [
        notes.Note(process_id.decode(errors="replace"), text, age_ms / 1_000)
        for process_id, age_ms, text in answer
        if len(text) <= _NOTE_BYTES_MAX
    ]
