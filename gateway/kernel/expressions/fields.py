"""What conditions may look at: declared, typed and documented fields, and functions that are looked up like fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

Value: TypeAlias = int | float | str | bool | tuple[str, ...]
"""What a field holds, by its FieldType: an INT within 64 bits, a DOUBLE, text without lone surrogates, …"""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_FUNCTION_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_OF_THE_LANGUAGE: Final = (
    "all bool bytes contains double duration dyn endsWith exists false filter has in int known list map matches null "
    "size startsWith string timestamp true type uint"
)
"""Words that CEL or conditions use themselves."""


class FieldType(StrEnum):
    """The types of the language; the words are those of CEL."""

    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    BOOL = "bool"
    STRING_LIST = "list(string)"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: a name with a prefix (`payment.amount`), its type, and what it means, in one sentence with its unit.

    A nullable field has no value where nobody knew it; a comparison with no value is an error, which never matches.
    """

    name: str
    type: FieldType
    doc: str
    nullable: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a field is named like payment.amount, not {self.name!r}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One literal text that a function takes; `problem` says what is wrong with a text, or None where it is right."""

    name: str
    doc: str
    problem: Callable[[str], str | None]

    @classmethod
    def one_of(cls, name: str, doc: str, choices: Iterable[str]) -> Parameter:
        """A parameter with a closed set of values."""
        known = tuple(choices)
        listed = ", ".join(known)
        return cls(name, doc, lambda text: None if text in known else f"it is one of {listed}")


@dataclass(frozen=True, slots=True)
class Function:
    """A call with literal texts as arguments, whose value is looked up like a field's: `velocity('count', 'ip', '1h')`.

    The matcher asks for it by `call_name(name, arguments)`. Such a value may always be null. `types` has the first
    arguments for which it is of another type than `type`.
    """

    name: str
    parameters: tuple[Parameter, ...]
    type: FieldType
    doc: str
    types: tuple[tuple[str, FieldType], ...] = ()

    def __post_init__(self) -> None:
        plain = _FUNCTION_NAME.fullmatch(self.name) and self.name not in _OF_THE_LANGUAGE.split()
        if not plain or not self.parameters:
            raise ValueError(f"a function has a plain name of its own and parameters: {self.name!r}")
        if len(self.spellings) <= len({kind for _, kind in self.types} - {self.type}):
            raise ValueError(f"{self.name} is too short for results of so many types")

    def type_of(self, first: str) -> FieldType:
        """The type of the result, by the first argument."""
        return dict(self.types).get(first, self.type)

    def spelling(self, kind: FieldType) -> str:
        """The checker's name for the calls that give this type: that of the function, or one that is as long."""
        others = [other for other in FieldType if other is not self.type and other in dict(self.types).values()]
        capitals = others.index(kind) + 1 if kind in others else 0
        return self.name[:capitals].upper() + self.name[capitals:]

    @property
    def spellings(self) -> Mapping[str, FieldType]:
        """The checker's names for it, and what each gives."""
        return {self.spelling(kind): kind for kind in (*dict(self.types).values(), self.type)}


class Spelling(NamedTuple):
    """What a name of the checker's stands for: a function, and the type of its result."""

    function: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a function in a condition: what has to be looked up before it can be judged."""

    function: str
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name under which the values hold it."""
        return call_name(self.function, self.arguments)


def call_name(function: str, arguments: Iterable[str]) -> str:
    """How the values name a call: `velocity('count', 'ip', '1h')`, with single quotes and a blank after each comma."""
    return f"{function}({', '.join(map(repr, arguments))})"


class Fields:
    """A schema: the fields and functions that one kind of condition may use. Immutable; names are unique."""

    __slots__ = ("__weakref__", "_fields", "_functions", "_spellings", "_telling")

    def __init__(self, *fields: Field, functions: Iterable[Function] = ()) -> None:
        declared = tuple(functions)
        self._fields = {field.name: field for field in fields}
        self._functions = {function.name: function for function in declared}
        if len(self._fields) != len(fields) or len(self._functions) != len(declared):
            raise ValueError("a field or function is declared twice")
        several = [function for function in declared if function.types]
        self._spellings = {
            name: Spelling(function.name, kind) for function in several for name, kind in function.spellings.items()
        }
        self._telling = (
            frozenset(self._spellings)
            .difference(self._functions)
            .union(first for function in several for first, _ in function.types)
        )

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields by name, in the order in which they were declared."""
        return self._fields

    @property
    def functions(self) -> Mapping[str, Function]:
        """The functions by name."""
        return self._functions

    @property
    def spellings(self) -> Mapping[str, Spelling]:
        """The checker's names (see spelling.py) for the functions whose results are of several types."""
        return self._spellings

    @property
    def telling(self) -> frozenset[str]:
        """A condition without any of these words is spelled for the checker as it is."""
        return self._telling

    def table(self) -> str:
        """The fields and functions as tables in Markdown, for the documentation."""
        lines = ["| field | type | may be null | meaning |", "|---|---|---|---|"]
        for field in self._fields.values():
            nullable = "yes" if field.nullable else "no"
            lines.append(f"| `{field.name}` | {field.type} | {nullable} | {field.doc} |")
        for function in self._functions.values():
            lines.extend(_described(function))
        return "\n".join(lines) + "\n"


def _described(function: Function) -> list[str]:
    parameters = ", ".join(parameter.name for parameter in function.parameters)
    others = "".join(f" ({kind} for `{first}`)" for first, kind in function.types)
    call = f"`{function.name}({parameters})` → {function.type}{others}, may be null"
    head = ["", f"{call}: {function.doc}", "", "| argument | meaning |", "|---|---|"]
    return head + [f"| `{parameter.name}` | {parameter.doc} |" for parameter in function.parameters]
