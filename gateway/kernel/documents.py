"""Reads JSON of unknown origin field by field, noting every problem under its path instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

PROBLEMS_MAX: Final = 100
"""Nobody reads more, and a hostile document must not make a long answer."""
_SHOWN_MAX: Final = 64
_BREAKS: Final = {ord(letter): None for letter in "\n\r\t"}
_SHARE: Final = re.compile(r"(?:0|1)(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place of the document, such as `rules.3.when`; with line and column, from 1, in a condition.

    `hint` (may be empty) says what may have been meant.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    hint: str = ""

    def __str__(self) -> str:
        place = "" if self.line is None else f" (line {self.line}, column {self.column})"
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}{place}: {self.message}{hint}"


class DocumentError(Exception):
    """A document that cannot be used; `problems` has all that is wrong with it, in the document's order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(slots=True)
class Problems:
    """What was found wrong so far."""

    found: list[Problem] = field(default_factory=list)

    def note(self, path: str, message: str) -> None:
        """One more, as far as anybody would read it."""
        self.add(Problem(path, message))

    def add(self, problem: Problem) -> None:
        """The same for one that is complete."""
        if len(self.found) < PROBLEMS_MAX:
            self.found.append(problem)


class ObjectReader:
    """The fields of a JSON object, each taken once; what is taken nowhere is unknown."""

    def __init__(self, given: Mapping[str, Any], path: str, problems: Problems) -> None:
        self._given = given
        self._path = path
        self._problems = problems

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self._path}.{name}" if self._path else name

    def refuse_unknown(self, known: frozenset[str]) -> None:
        """Note the fields that nobody knows."""
        for name in self._given:
            if name not in known:
                self._problems.add(Problem(self.at(shown(name)), "there is no such field", hint=_meant(name, known)))

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._given

    def value(self, name: str) -> Any:
        """The field as it is; None where it is missing."""
        return self._given.get(name)

    def text(self, name: str, length_max: int, *, required: bool = False) -> str:
        """A text in printable characters and line breaks, "" where it is missing or wrong."""
        value = self._given.get(name, None if required else "")
        if not isinstance(value, str):
            message = "is required" if name not in self._given else "takes a text"
            self._problems.note(self.at(name), message)
        elif len(value) > length_max or (required and not value.strip()):
            self._problems.note(self.at(name), f"takes 1 to {length_max} characters")
        elif not value.translate(_BREAKS).isprintable():
            self._problems.note(self.at(name), "has a character that cannot be printed")
        else:
            return value
        return ""

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self._given.get(name, default)
        if not isinstance(value, bool):
            self._problems.note(self.at(name), "is true or false")
            return default
        return value

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """An integer within its bounds; `true` and 3.0 are none."""
        value = self._given.get(name, default)
        if type(value) is not int or not least <= value <= most:
            self._problems.note(self.at(name), f"is a whole number from {least} to {most}")
            return default
        return value

    def share(self, name: str, least: Decimal, most: Decimal, default: Decimal) -> Decimal:
        """A share as a decimal string: a JSON number would be a float, and 0.1 is none."""
        if name not in self._given:
            return default
        value = self._given[name]
        if isinstance(value, str) and _SHARE.fullmatch(value) and least <= Decimal(value) <= most:
            return Decimal(value)
        message = f'is a decimal string from "{least}" to "{most}" with at most six digits after the point'
        hint = 'a JSON number is not exact: write "0.7"' if type(value) is float else 'a part of 1: 70 % is "0.7"'
        self._problems.add(Problem(self.at(name), message, hint=hint))
        return default


def _meant(name: object, known: frozenset[str]) -> str:
    near = get_close_matches(shown(name), sorted(known), n=1)
    return f"did you mean “{near[0]}”?" if near else ""


def shown(name: object) -> str:
    """A foreign name, cut and without what cannot be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(name)[:_SHOWN_MAX]) or "?"
