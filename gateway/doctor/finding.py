"""What the doctor says of one thing: how it stands, what was seen, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """From good to bad; what could not be looked at is neither."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    PROBLEM = "problem"


class Area(StrEnum):
    """The rows of a report belong to one of these, and stand in this order."""

    SETTINGS = "settings"
    POSTGRESQL = "postgresql"
    VALKEY = "valkey"
    KEYS = "keys"
    CHANNELS = "channels"
    WEBHOOKS = "webhooks"
    WORKER = "worker"
    BOOKS = "books"
    MACHINE = "machine"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` names it for scripts and for --accept, such as `standby`.  `advice` says what to do; empty where all is
    well.  Nothing in it is secret.
    """

    area: Area
    check: str
    standing: Standing
    told: str
    advice: str = ""

    @property
    def name(self) -> str:
        """Area and check, as --accept takes them: `postgresql.standby`."""
        return f"{self.area}.{self.check}"


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes the findings of one area."""

    area: Area

    def ok(self, check: str, told: str) -> Finding:
        """All is well."""
        return Finding(self.area, check, Standing.OK, told)

    def warning(self, check: str, told: str, advice: str) -> Finding:
        """It works, and it should be otherwise."""
        return Finding(self.area, check, Standing.WARNING, told, advice)

    def problem(self, check: str, told: str, advice: str) -> Finding:
        """Money, data or service are at risk."""
        return Finding(self.area, check, Standing.PROBLEM, told, advice)

    def not_checked(self, check: str, why: str, advice: str = "") -> Finding:
        """Nobody could look, and why."""
        return Finding(self.area, check, Standing.NOT_CHECKED, why, advice)

    def at_most(self, check: str, told: str, value: float, bounds: tuple[float, float], advice: str) -> Finding:
        """Judged by two bounds: above the first a warning, above the second a problem."""
        warn, bad = bounds
        if value > bad:
            return self.problem(check, told, advice)
        return self.warning(check, told, advice) if value > warn else self.ok(check, told)
