"""Faults of notifications: what a rule of the kind `notify` does to one that is about to be sent for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from routing.simulators.notifications import About, Tamper

COPIES_MAX: Final = 1_000
AFTER_S_MAX: Final = 600.0


class EffectKind(StrEnum):
    """What happens to the notification."""

    DUPLICATE = "duplicate"
    DELAY = "delay"
    DROP = "drop"
    FORGED = "forged"
    """A forged one goes ahead of the true one."""
    REORDER = "reorder"
    """Another notification of the same order goes first; without one it goes after `after_s`."""
    BEFORE_ANSWER = "before_answer"
    """It goes, and is answered, before the call that caused it is answered."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect; `of` says which notifications it meets.  `copies` counts the true one too."""

    kind: EffectKind
    of: frozenset[str]
    copies: int = 2
    after_s: float = 10.0
    tamper: Tamper = Tamper.SIGNATURE

    def meets(self, kind: About) -> bool:
        """Whether it is for notifications of payments, or of refunds."""
        return kind in self.of


class EffectError(ValueError):
    """An effect that cannot be read; the text says which part."""


_OF: Final = frozenset({"payment", "refund"})


def read_effect(rule: Mapping[str, Any]) -> Effect:
    """The effect that a rule describes.  Raises EffectError."""
    try:
        kind, tamper = EffectKind(rule.get("effect", "")), Tamper(rule.get("tamper", Tamper.SIGNATURE))
    except ValueError:
        known, tampers = ", ".join(EffectKind), ", ".join(Tamper)
        raise EffectError(f"effect must be one of {known}; tamper one of {tampers}") from None
    of, copies, after_s = rule.get("of", sorted(_OF)), rule.get("copies", 2), rule.get("after_s", 10)
    if not isinstance(of, list) or not of or not {str(name) for name in of} <= _OF:
        raise EffectError("of must be a list out of payment, refund")
    if type(copies) is not int or not 1 <= copies <= COPIES_MAX:
        raise EffectError(f"copies must be a whole number from 1 to {COPIES_MAX}")
    if isinstance(after_s, bool) or not isinstance(after_s, int | float) or not 0 <= after_s <= AFTER_S_MAX:
        raise EffectError(f"after_s must be a number from 0 to {AFTER_S_MAX:g}")
    return Effect(kind, frozenset(of), copies, float(after_s), tamper)
