"""Regular expressions of conditions: RE2's, run by CEL itself, as Python's own differ from them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cel_expr_python import cel  # type: ignore[import-untyped]

PATTERN_LENGTH_MAX: Final = 256
"""Characters."""
PATTERN_SIZE_MAX: Final = 256
"""What `size_at_most` may give. CEL compiles the pattern anew for every text: of this size that takes up to 0.5 ms."""
_ANY_CHARACTER: Final = 4
"""The size of what matches one of many characters, beside the 1 of a literal: RE2 makes several byte ranges of it."""
_UNSUPPORTED: Final = re.compile(r"\\[pPQ]|(?<!^)\(\?[A-Za-z-]+\)")
"""Classes of Unicode (RE2 makes hundreds of ranges of one), quoting, and flags that do not stand at the beginning."""
_REPEATED: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")


@lru_cache(maxsize=1)
def _environment() -> cel.Env:
    return cel.NewEnv(variables={"text": cel.Type.STRING})


def pattern_problem(pattern: str, *, bounded: bool = True) -> str | None:
    """What is wrong with a pattern, or None; one that is not bounded is only tried."""
    return (_beyond_bounds(pattern) if bounded else None) or _no_pattern(pattern)


def _beyond_bounds(pattern: str) -> str | None:
    if len(pattern) > PATTERN_LENGTH_MAX:
        return f"longer than {PATTERN_LENGTH_MAX} characters"
    unsupported = _UNSUPPORTED.search(pattern)
    if unsupported:
        return f"{unsupported[0]} is not supported here"
    if size_at_most(pattern) > PATTERN_SIZE_MAX:
        return "it repeats too much"
    return None


def _no_pattern(pattern: str) -> str | None:
    result = _program(pattern).eval(data={"text": ""})
    return None if result.type() == cel.Type.BOOL else str(result.value()).rpartition("regular expression: ")[2]


def pattern_test(pattern: str) -> Callable[[str], bool | None]:
    """A test of texts by the pattern (found anywhere, as CEL's matches does); None is an error.

    cel-expr-python 0.1.3 ends texts that it is handed at their first NUL, so such a text is compiled in.
    """
    program = _program(pattern)

    def test(text: str) -> bool | None:
        judged = (
            program if "\0" not in text else _environment().compile(f"{_literal(text)}.matches({_literal(pattern)})")
        )
        verdict = judged.eval(data={"text": text}).value()
        return verdict if isinstance(verdict, bool) else None

    return test


def size_at_most(pattern: str) -> int:
    """At least how large a program RE2 makes of the pattern, in literals: what may occur n times counts n times."""
    sizes = [0]
    atom = position = 0
    while position < len(pattern):
        length, size = _token(pattern, position)
        repeated = _REPEATED.match(pattern, position)
        if pattern[position] == "(":
            sizes.append(0)
        elif pattern[position] == ")" and len(sizes) > 1:
            atom = sizes.pop()
            sizes[-1] += atom
        elif repeated:
            length = repeated.end() - position
            atom *= max(int(repeated[1]), int(repeated[2] or 0))
            sizes[-1] += atom
        elif pattern[position] not in "*+?":
            atom = size
            sizes[-1] += atom
        position += length
    return sum(sizes)


def _token(pattern: str, position: int) -> tuple[int, int]:
    """The length and the size of what stands here: an escape, a class in brackets, or a character."""
    character = pattern[position]
    if character == "\\":
        hexadecimal = pattern.startswith("x{", position + 1)
        return (pattern.find("}", position) + 1 - position if hexadecimal else 0) or 2, _ANY_CHARACTER
    if character == "[":
        end = pattern.find("]", position + (3 if pattern[position + 1 : position + 2] == "^" else 2))
        return (end if end > 0 else len(pattern)) + 1 - position, _ANY_CHARACTER
    return 1, _ANY_CHARACTER if character == "." else 1


def _program(pattern: str) -> cel.Expression:
    return _environment().compile(f"text.matches({_literal(pattern)})")


def _literal(text: str) -> str:
    """A CEL string literal: every character but plain letters and digits as an escape."""
    return "'" + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text) + "'"
