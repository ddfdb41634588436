"""Turns what CEL's checker complains of into an error with a position and a hint for whoever wrote the condition."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from gateway.kernel.expressions.environment import KNOWN
from gateway.kernel.expressions.errors import ExpressionError
from gateway.kernel.expressions.fields import Fields

MESSAGE_LENGTH_MAX: Final = 200
"""Characters: the parser quotes what it does not understand, which may be all of the text."""

_POSITION: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_NO_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'")
_MEMBERS: Final = ("startsWith", "endsWith", "contains", "matches", "size")
_TOO_DEEP: Final = "recursion"
_PLAINER: Final = (
    ("Syntax error: token recognition error at:", "not understood:"),
    ("Syntax error: mismatched input", "not expected here:"),
    ("Syntax error: extraneous input", "not expected here:"),
    ("Syntax error: missing", "missing"),
    ("'<EOF>'", "the end"),
)
"""The parser's words and ours, in the order in which they are looked for."""
_SYNTAX_HINTS: Final = (
    ("at: '= ", "'==' compares"),
    ("at: '=>", "write >="),
    ("at: '=", "'==' compares"),
    ("at: '& ", "write &&"),
    ("at: '| ", "write ||"),
    ("'and'", "write &&"),
    ("'or'", "write ||"),
    ("'AND'", "write &&"),
    ("'OR'", "write ||"),
    ("input 'not'", "write !(a in b)"),
    ("input 'is'", "'==' compares"),
    ("input 'between'", "write a >= 7 && a < 9"),
    ("input ','", "a list stands in square brackets: ['a', 'b']"),
    ("at: '“", "text stands in straight quotes: 'text'"),
    ("at: '‘", "text stands in straight quotes: 'text'"),
    ("at: ''", "the text has no closing quote"),
    ("at: '\"", "the text has no closing quote"),
    ("'<EOF>' expecting", "it ends too soon"),
    ("missing ')'", "a bracket is not closed"),
    ("extraneous input ')'", "there is a bracket too many"),
)


def position_at(text: str, offset: int) -> tuple[int, int]:
    """The line and column, both from 1, of an offset in characters."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def closest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant, or "" where nothing is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def complaint(said: str, fields: Fields) -> ExpressionError:
    """The error for what the checker said: the first thing it complains of, with a hint."""
    found = _POSITION.search(said)
    if _TOO_DEEP in said:
        return ExpressionError("nested too deep", 1, 1, "at most 32 levels; split it")
    if found is None:
        return ExpressionError(said.partition("\n")[0][:MESSAGE_LENGTH_MAX], 1, 1)
    line, column, message = max(int(found[1]), 1), max(int(found[2]), 1), found[3]
    for name, spelling in fields.spellings.items():
        message = message.replace(f"'{name}'", f"'{spelling.function}'")
    if unknown := _UNDECLARED.search(message):
        return _unknown(unknown[1], line, column, fields)
    if overload := _NO_OVERLOAD.search(message):
        return _mismatch(overload[1], overload[2], line, column)
    message = message.removesuffix(" [INVALID_ARGUMENT]").partition(" expecting ")[0]
    for theirs, ours in _PLAINER:
        message = message.replace(theirs, ours)
    return ExpressionError(message[:MESSAGE_LENGTH_MAX], line, column, _syntax_hint(found[3]))


def _unknown(name: str, line: int, column: int, fields: Fields) -> ExpressionError:
    function = fields.functions.get(name)
    if function is not None:
        parameters = ", ".join(parameter.name for parameter in function.parameters)
        return ExpressionError(f"{name} is not called like this", line, column, f"write {name}({parameters})")
    column = max(column - max(name.rfind("."), 0), 1)  # CEL points at the last dot
    hint = closest(name, [*fields.fields, *fields.functions, *_MEMBERS, KNOWN])
    prefix = name.partition(".")[0]
    if not hint and any(field.startswith(prefix + ".") for field in fields.fields):
        hint = f"{prefix} has " + ", ".join(field.partition(".")[2] for field in fields.fields)
    if not hint:
        quotes = "" if "." in name else "; text stands in straight quotes: 'text'"
        hint = f"the fields stand in the documentation{quotes}"
    return ExpressionError(f"unknown: {name}", line, column, hint)


def _mismatch(operator: str, operands: str, line: int, column: int) -> ExpressionError:
    sign = operator.strip("_").replace("@in", "in").replace("_", " ")
    hint = ""
    if "null_type" in operands:
        hint = "whether a value is there is asked by known(…)"
    elif "int" in operands and "double" in operands:
        hint = "whole numbers and decimals do not mix: write 1.0, or double(…)"
    elif operands == "(string, int)":
        hint = "text is compared with text, in straight quotes: '622202'"
    elif operands == "(int, string)":
        hint = "numbers stand without quotes"
    elif operator == "_?_:_":
        hint = "both sides of ':' are of one type"
    elif "bool, int" in operands:
        hint = "comparisons do not chain: write a < b && b < c"
    return ExpressionError(f"{sign} does not apply to {operands}", line, column, hint)


def _syntax_hint(message: str) -> str:
    return next((hint for sign, hint in _SYNTAX_HINTS if sign in message), "")
