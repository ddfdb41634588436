"""The settings, judged as production does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.doctor.finding import Area, Finding, Scribe
from gateway.production.reasons import Reason

_SCRIBE: Final = Scribe(Area.SETTINGS)


def judge_settings(reasons: Sequence[Reason], *, is_production: bool) -> list[Finding]:
    """A finding for each reason, named by its variable; and whether production's rules are in force at all."""
    found = [_of(reason) for reason in reasons]
    if not found:
        found = [_SCRIBE.ok("rules", "production takes these settings")]
    if is_production:
        return [_SCRIBE.ok("MASHANG_ENV", "production: unsafe settings are refused at the start"), *found]
    told = "MASHANG_ENV is development: nothing of this is enforced, and simulators can be channels"
    return [_SCRIBE.warning("MASHANG_ENV", told, "In production set MASHANG_ENV=production."), *found]


def judge_stored(reasons: Sequence[Reason]) -> list[Finding]:
    """The same of what production refuses of the database."""
    if not reasons:
        return [_SCRIBE.ok("database", "no merchant of mashang dev has keys that are good")]
    return [_of(reason) for reason in reasons]


def _of(reason: Reason) -> Finding:
    write = _SCRIBE.problem if reason.is_refusal else _SCRIBE.warning
    return write(reason.subject, reason.told, reason.remedy)
