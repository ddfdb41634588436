"""What a PromQL expression asks for: its series with the labels that it selects by, and the labels that it groups by.

No parser of the whole language: promtool has that.  This finds names, which is what a renamed metric breaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
  | (?P<range>\[[^\]]*\])
  | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<number>\d[\w.]*)
  | (?P<other>=~|!~|!=|[^\s])
""",
    re.VERBOSE,
)
_LISTS: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS: Final = frozenset({"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"})


class Unreadable(ValueError):
    """Not an expression that this module can read."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A series, and the labels that stand in its braces."""

    name: str
    matchers: tuple[tuple[str, str], ...] = ()
    """Label and value, whatever stands between them."""

    @property
    def labels(self) -> frozenset[str]:
        """What it selects by."""
        return frozenset(label for label, _ in self.matchers)


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression names."""

    selectors: tuple[Selector, ...]
    grouped: frozenset[str]
    """Labels of `by`, `on` and their like."""
    outermost: frozenset[str] | None
    """The labels of the first `by`, which are those of the result where it is the outermost; None: there is none."""


def read(text: str) -> Expression:
    """Take an expression apart.  Raises Unreadable."""
    tokens = [(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(text)]
    tokens = [token for token in tokens if token[0] not in {"comment", "range"}]
    selectors, grouped = [], set[str]()
    outermost: frozenset[str] | None = None
    at = 0
    while at < len(tokens):
        kind, word = tokens[at]
        at += 1
        if kind != "name" or word.lower() in _WORDS:
            continue
        following = tokens[at][1] if at < len(tokens) else ""
        if word in _LISTS:
            names, at = _names(tokens, at) if following == "(" else ([], at)
            grouped.update(names)
            outermost = frozenset(names) if word == "by" and outermost is None else outermost
        elif following == "{":
            matchers, at = _matchers(tokens, at)
            selectors.append(Selector(word, matchers))
        elif following != "(" and following not in _LISTS:
            selectors.append(Selector(word))
    return Expression(tuple(selectors), frozenset(grouped), outermost)


def _names(tokens: Sequence[tuple[str, str]], at: int) -> tuple[list[str], int]:
    """The names between two brackets, and where it goes on."""
    end = _end(tokens, at, ")")
    return [word for kind, word in tokens[at:end] if kind == "name"], end + 1


def _matchers(tokens: Sequence[tuple[str, str]], at: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """What stands in braces, and where it goes on."""
    end = _end(tokens, at, "}")
    labels = [word for kind, word in tokens[at:end] if kind == "name"]
    values = [word[1:-1] for kind, word in tokens[at:end] if kind == "string"]
    if len(labels) != len(values):
        raise Unreadable(f"{len(labels)} labels and {len(values)} values between braces")
    return tuple(zip(labels, values, strict=True)), end + 1


def _end(tokens: Sequence[tuple[str, str]], at: int, closing: str) -> int:
    for place in range(at, len(tokens)):
        if tokens[place] == ("other", closing):
            return place
    raise Unreadable(f"there is no {closing}")
