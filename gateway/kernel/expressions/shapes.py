"""Checks many conditions that differ in their literals only: the first of a shape is checked, the others follow it.

Generated rules come by the ten thousand in a few shapes.  A shape is the text with a mark in place of each literal; the
tree of its first condition has the literals as constants in the order of the text, so that another condition's take
their places.  Whatever is unusual is checked by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.kernel.expressions.checking import TEXT_LENGTH_MAX, check
from gateway.kernel.expressions.expression import Expression
from gateway.kernel.expressions.fields import Fields, FieldType
from gateway.kernel.expressions.tree import Choices, Constant, FieldValue, Node, Operation, nodes_of

SHAPES_MAX: Final = 4_096
_UNUSUAL: Final = ("\\", '"', "`", "'''", "//", "matches", "\0")
"""With any of these a text is checked by itself: escapes, comments, patterns, and what marks a literal."""
_PIECE: Final = r"""
    '(?P<text>[^'\n\r]*)'
    | (?:{functions})\s*\([^()]*\)
    | [A-Za-z_.][\w.]*
    | -\s*[\d.]+
    | (?<![\w.])(?P<decimal>\d{{1,15}}\.\d{{1,15}})(?![\w.])
    | (?<![\w.])(?P<whole>\d{{1,18}})(?![\w.])
"""
"""Literals by their kind; and what is kept as it stands: calls with their arguments, names, negative numbers."""


class Shapes:
    """Conditions over the same fields, one after the other."""

    def __init__(self, fields: Fields, *, bounded: bool = True) -> None:
        """Those that are not bounded may be larger than `check` takes otherwise."""
        functions = "|".join(fields.functions) or r"\0"
        self._fields = fields
        self._bounded = bounded
        self._piece = re.compile(_PIECE.format(functions=functions), re.VERBOSE | re.ASCII)
        self._known: dict[str, Expression] = {}

    def check(self, text: str) -> Expression:
        """What `check` gives, and raises."""
        if len(text) > TEXT_LENGTH_MAX or any(sign in text for sign in _UNUSUAL):
            return self._by_itself(text)
        literals: list[Constant] = []
        shape = self._piece.sub(lambda piece: _marked(piece, literals), text)
        if not all(map(_is_plain, literals)):
            return self._by_itself(text)
        first = self._known.get(shape)
        if first is None:
            return self._first(text, shape, literals)
        return Expression(text, _with(first.tree, iter(literals)), first.names, first.calls)

    def _by_itself(self, text: str) -> Expression:
        return check(text, self._fields, bounded=self._bounded)

    def _first(self, text: str, shape: str, literals: list[Constant]) -> Expression:
        """The condition checked by itself, and remembered where its constants are the literals."""
        expression = self._by_itself(text)
        constants = [node for node in nodes_of(expression.tree) if isinstance(node, Constant)]
        if constants == literals and len(self._known) < SHAPES_MAX:
            self._known[shape] = expression
        return expression


def _marked(piece: re.Match[str], literals: list[Constant]) -> str:
    """The piece in the shape of its text; a literal is noted."""
    match piece.lastgroup:
        case "text":
            literals.append(Constant(FieldType.STRING, piece["text"]))
            return "\0s"
        case "decimal":
            literals.append(Constant(FieldType.DOUBLE, float(piece["decimal"])))
            return "\0d"
        case "whole":
            literals.append(Constant(FieldType.INT, int(piece["whole"])))
            return "\0i"
    return piece[0]


def _is_plain(literal: Constant) -> bool:
    return not isinstance(literal.value, str) or literal.value.isprintable()


def _with(node: Node, literals: Iterator[Constant]) -> Node:
    """The tree with these constants, in its order."""
    match node:
        case Constant():
            return next(literals)
        case FieldValue():
            return node
        case Choices(type=kind, elements=elements):
            return Choices(kind, tuple(_with(element, literals) for element in elements))
        case Operation(type=kind, operator=operator, operands=operands):
            return Operation(kind, operator, tuple(_with(operand, literals) for operand in operands))
