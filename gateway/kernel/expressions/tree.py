"""The tree of a checked condition: four kinds of node, frozen, each with its type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.kernel.expressions.fields import FieldType, Value


class Operator(StrEnum):
    """Every operation of the language, by the name that CEL's checker gives it."""

    AND = "_&&_"
    OR = "_||_"
    NOT = "!_"
    CHOOSE = "_?_:_"
    EQUAL = "_==_"
    UNEQUAL = "_!=_"
    LESS = "_<_"
    LESS_OR_EQUAL = "_<=_"
    GREATER = "_>_"
    GREATER_OR_EQUAL = "_>=_"
    IN = "@in"
    ADD = "_+_"
    SUBTRACT = "_-_"
    MULTIPLY = "_*_"
    DIVIDE = "_/_"
    MODULO = "_%_"
    NEGATE = "-_"
    SIZE = "size"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"
    MATCHES = "matches"
    TO_INT = "int"
    TO_DOUBLE = "double"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    type: FieldType
    value: Value


@dataclass(frozen=True, slots=True)
class FieldValue:
    """The value of a field, or of a call that is looked up like one; null is an error of whatever uses it."""

    type: FieldType
    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator over its operands, the receiver of a member call first; AND and OR have two operands or more."""

    type: FieldType
    operator: Operator
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What stands in brackets right of `in`: values of one type."""

    type: FieldType
    elements: tuple[Node, ...]


Node: TypeAlias = Constant | FieldValue | Operation | Choices


def nodes_of(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first."""
    yield node
    match node:
        case Operation(operands=below) | Choices(elements=below):
            for child in below:
                yield from nodes_of(child)
        case _:
            pass
