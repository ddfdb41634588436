"""Reads JSON that people write, part by part: each problem names the path where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from gateway.kernel.money import AMOUNT_FEN_MAX

_FEN_MAX: Final = AMOUNT_FEN_MAX * 1_000_000
"""Sums of a month may be far above one payment; still within PostgreSQL's bigint."""
_RATE_MAX: Final = 1_000_000
_NAME_LENGTH_MAX: Final = 64
_YEARS: Final = range(1970, 2900)
"""Far beyond these no time zone can be applied to a time."""
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|(24):(00)", re.ASCII)

Member = TypeVar("Member", bound=StrEnum)


class TermsError(ValueError):
    """Terms that cannot be meant; `path` names the part, as in `terms.fee.bands[1].up_to_fen`."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Given:
    """A value of the document and where it stands.  All readers raise TermsError."""

    path: str
    value: Any

    def parts(self, *known: str, required: tuple[str, ...] = ()) -> dict[str, Given]:
        """The parts of an object that are there; null counts as left out."""
        if not isinstance(self.value, Mapping):
            raise TermsError(self.path, "must be an object")
        unknown = next((name for name in self.value if name not in known), None)
        if unknown is not None:
            raise TermsError(f"{self.path}.{str(unknown)[:_NAME_LENGTH_MAX]}", "is not known")
        parts = {name: Given(f"{self.path}.{name}", part) for name, part in self.value.items() if part is not None}
        missing = next((name for name in required if name not in parts), None)
        if missing is not None:
            raise TermsError(f"{self.path}.{missing}", "is missing")
        return parts

    def entries(self, count_max: int) -> list[Given]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            raise TermsError(self.path, "must be a list")
        if len(self.value) > count_max:
            raise TermsError(self.path, f"must have at most {count_max} entries")
        return [Given(f"{self.path}[{index}]", entry) for index, entry in enumerate(self.value)]

    def whole(self, at_least: int, at_most: int) -> int:
        """A whole number."""
        if type(self.value) is not int or not at_least <= self.value <= at_most:
            raise TermsError(self.path, f"must be a whole number from {at_least} to {at_most}")
        return self.value

    def fen(self, at_least: int = 0) -> int:
        """An amount in fen."""
        return self.whole(at_least, _FEN_MAX)

    def rate(self) -> int:
        """A rate in millionths: 3800 is 0.38 %."""
        return self.whole(0, _RATE_MAX)

    def text(self, length_max: int) -> str:
        """A text that can be stored."""
        if not isinstance(self.value, str) or len(self.value) > length_max or not self.value.isprintable():
            raise TermsError(self.path, f"must be a text of at most {length_max} printable characters")
        return self.value

    def names(self, count_max: int) -> frozenset[str]:
        """A list of ids."""
        return frozenset(entry.text(_NAME_LENGTH_MAX) for entry in self.entries(count_max))

    def members(self, kind: type[Member]) -> frozenset[Member]:
        """A list of words of a closed set."""
        return frozenset(entry.member(kind) for entry in self.entries(len(kind)))

    def weekdays(self) -> frozenset[int]:
        """A list of ISO weekdays."""
        return frozenset(entry.whole(1, 7) for entry in self.entries(7))

    def moment(self) -> datetime:
        """A moment with its offset from UTC, as in RFC 3339."""
        try:
            moment = datetime.fromisoformat(self.value) if isinstance(self.value, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
            raise TermsError(self.path, "must be a time with an offset, such as 2026-11-01T00:00:00+08:00")
        return moment

    def minute(self) -> int:
        """A time of the day, in minutes since midnight; 24:00 is the end of the day."""
        match = _TIME.fullmatch(self.value) if isinstance(self.value, str) else None
        if match is None:
            raise TermsError(self.path, "must be a time of the day such as 08:30")
        hours, minutes = match.group().split(":")
        return int(hours) * 60 + int(minutes)

    def zone(self) -> ZoneInfo:
        """A time zone by its IANA name."""
        try:
            return ZoneInfo(self.text(_NAME_LENGTH_MAX))
        except (KeyError, ValueError, OSError):  # no such zone, no name of one, a folder of zones
            raise TermsError(self.path, "must be a time zone such as Asia/Shanghai") from None

    def member(self, kind: type[Member]) -> Member:
        """A word of a closed set."""
        try:
            return kind(self.value)
        except ValueError:
            raise TermsError(self.path, f"must be one of {', '.join(kind)}") from None
