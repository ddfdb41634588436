"""Reads the parts of a campaign's JSON that other documents do not have: amounts, percentages, moments, choices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from gateway.kernel.clock import rfc3339
from gateway.kernel.documents import DocumentError, ObjectReader, Problem, Problems

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_PERCENT: Final = re.compile(r"\d{1,3}(?:\.\d{1,4})?")
_YEARS: Final = range(2000, 2200)
_HUNDRED: Final = Decimal(100)

Choice = TypeVar("Choice", bound=StrEnum)


class CampaignError(DocumentError):
    """A campaign that cannot be used; `problems` has all that is wrong with it, in the document's order."""


class AfterRefund(StrEnum):
    """What becomes of the budget that a refund frees."""

    RETURN = "return"
    KEEP = "keep"


class AfterFullRefund(StrEnum):
    """What becomes of the limits."""

    KEEP = "keep"
    RETURN_ON_FULL = "return_on_full"


class CampaignReader(ObjectReader):
    """The fields of a JSON object.  A field that is null counts as one that is left out."""

    def __init__(self, given: Mapping[str, Any], path: str, problems: Problems) -> None:
        super().__init__({name: value for name, value in given.items() if value is not None}, path, problems)
        self._all = given

    def refuse_unknown(self, known: frozenset[str]) -> None:
        """Note the fields that nobody knows, those that are null too."""
        ObjectReader(self._all, self._path, self._problems).refuse_unknown(known)

    def refuse(self, name: str, message: str, hint: str = "") -> None:
        """Note what is wrong with a field."""
        self._problems.add(Problem(self.at(name), message, hint=hint))

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """An integer within its bounds; amounts are fen, which the hint says to whoever wrote yuan."""
        value = self._given.get(name, default)
        if type(value) is int and least <= value <= most:
            return value
        hint = ""
        if isinstance(value, float | str):
            hint = "a number without quotes or a point; amounts are in fen: ¥10.50 is 1050"
        elif value == 0 and self._path.startswith("limits"):
            hint = "leave it out where there is no limit"
        self.refuse(name, f"is a whole number from {least} to {most}", hint)
        return default

    def optional_whole(self, name: str, least: int, most: int) -> int | None:
        """An integer within its bounds, or None where it is left out."""
        return self.whole(name, least, most, least) if self.has(name) else None

    def required_whole(self, name: str, least: int, most: int) -> int:
        """An integer within its bounds; `least` where it is missing or wrong."""
        if not self.has(name):
            self.refuse(name, "is required")
            return least
        return self.whole(name, least, most, least)

    def percent(self, name: str) -> Decimal | None:
        """Above 0 and at most 100: a decimal string with up to four digits after the point, or a whole number."""
        value = self.value(name)
        if value is None:
            return None
        text = str(value) if type(value) is int else value
        if isinstance(text, str) and _PERCENT.fullmatch(text) and 0 < Decimal(text) <= _HUNDRED:
            return Decimal(text)
        hint = 'a JSON number with a point is not exact: write "12.5"' if isinstance(value, float) else ""
        self.refuse(
            name, 'is a decimal string above "0" and up to "100", with at most four digits after the point', hint
        )
        return None

    def choice(self, name: str, default: Choice) -> Choice:
        """One of a closed set."""
        kind = type(default)
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, str) and value in {str(each) for each in kind}:
            return kind(value)
        self.refuse(name, f"is one of {', '.join(kind)}")
        return default

    def moment(self, name: str) -> datetime | None:
        """An RFC 3339 time with its offset, in UTC and whole milliseconds."""
        value = self.value(name)
        if value is None:
            return None
        found = _moment(value) if isinstance(value, str) and _MOMENT.fullmatch(value) else None
        if found is None:
            self.refuse(name, "is a time with its offset (RFC 3339)", "such as 2026-11-22T10:00:00+08:00")
        return found

    def nested(self, name: str, known: frozenset[str]) -> CampaignReader | None:
        """The object under a name; None where it is left out or no object."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(name, "is a JSON object")
            return None
        reader = self.within(name, value)
        reader.refuse_unknown(known)
        return reader

    def within(self, name: str, value: Mapping[str, Any]) -> CampaignReader:
        """A reader of the object that stands under a name."""
        return CampaignReader(value, self.at(name), self._problems)

    def objects(self, name: str, most: int, known: frozenset[str]) -> list[CampaignReader] | None:
        """The objects of a list of 1 to `most`; None where there is no such list."""
        value = self.value(name)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self.refuse(name, f"is a list of 1 to {most} objects" if self.has(name) else "is required")
            return None
        readers: list[CampaignReader] = []
        for number, each in enumerate(value):
            if not isinstance(each, dict):
                self.refuse(f"{name}.{number}", "is a JSON object")
                continue
            reader = self.within(f"{name}.{number}", each)
            reader.refuse_unknown(known)
            readers.append(reader)
        return readers if len(readers) == len(value) else None


def _moment(text: str) -> datetime | None:
    """None for a day or an hour that does not exist."""
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{3})\d+", r"\1", text.upper())).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return datetime.fromisoformat(rfc3339(moment)) if moment.year in _YEARS else None
