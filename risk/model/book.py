"""The models that rule sets of this process name, ready to be asked; nothing is loaded where none does."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import asyncpg

from risk.model.model import ModelError
from risk.model.scorer import Scorer
from risk.model.store import find

_log: Final = logging.getLogger("mashang.risk")
_KEPT: Final = 4
"""Models of rule sets that were in force lately stay at hand for a roll-back."""


class ModelBook:
    """One per process."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._scorers: dict[int, Scorer] = {}

    def scorer(self, version: int | None) -> Scorer | None:
        """The model of that version; None where it is not loaded: `model.score` is null then."""
        return None if version is None else self._scorers.get(version)

    async def load(self, version: int | None) -> Scorer | None:
        """Get a version ready, before a rule set that names it comes into force.

        None where there is no such model, or it cannot be read: the rule set is in force without its score then.
        """
        if version is None or version in self._scorers:
            return self.scorer(version)
        try:
            model = await find(self._pool, version)
            scorer = None if model is None else await asyncio.to_thread(Scorer, model)
        except (ModelError, ImportError) as error:
            _log.error("a model cannot be used", extra={"model": version, "reason": str(error)})
            return None
        if scorer is None:
            _log.error("a model is not there", extra={"model": version})
            return None
        self._scorers[version] = scorer
        while len(self._scorers) > _KEPT:
            del self._scorers[next(iter(self._scorers))]
        return scorer
