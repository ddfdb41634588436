"""Regular expressions of conditions: RE2's, run by CEL itself, as Python's own differ from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from cel_expr_python import cel  # type: ignore[import-untyped]

PATTERN_LENGTH_MAX: Final = 256
"""Characters. RE2 takes time linear in the text and in the pattern, so this bounds the cost."""


@lru_cache(maxsize=1)
def _environment() -> cel.Env:
    return cel.NewEnv(variables={"text": cel.Type.STRING})


def pattern_problem(pattern: str) -> str | None:
    """What is wrong with a pattern, or None."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        return f"longer than {PATTERN_LENGTH_MAX} characters"
    result = _program(pattern).eval(data={"text": ""})
    return None if result.type() == cel.Type.BOOL else str(result.value())


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


def _program(pattern: str) -> cel.Expression:
    return _environment().compile(f"text.matches({_literal(pattern)})")


def _literal(text: str) -> str:
    """A CEL string literal: every character but plain letters and digits as an escape."""
    return "'" + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text) + "'"
