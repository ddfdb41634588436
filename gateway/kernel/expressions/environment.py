"""The CEL environment of a schema: its fields as variables, its functions, and `known`."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

from cel_expr_python import cel  # type: ignore[import-untyped]

from gateway.kernel.expressions.fields import Fields, FieldType, Function

TYPES: Final[dict[FieldType, cel.Type]] = {
    FieldType.INT: cel.Type.INT,
    FieldType.DOUBLE: cel.Type.DOUBLE,
    FieldType.STRING: cel.Type.STRING,
    FieldType.BOOL: cel.Type.BOOL,
    FieldType.STRING_LIST: cel.Type.List(cel.Type.STRING),
}
KNOWN: Final = "known"


class Environment:
    """What cel-expr-python needs to check conditions over one schema; gives its trees in their serialized form."""

    __slots__ = ("_cel",)

    def __init__(self, fields: Fields) -> None:
        functions = [each for function in fields.functions.values() for each in _declarations(function)]
        variables = {field.name: TYPES[field.type] for field in fields.fields.values()}
        self._cel = cel.NewEnv(variables=variables, functions=[*functions, _known()])

    def checked(self, text: str) -> bytes:
        """The checked tree (`wire.read_checked` reads it); raises RuntimeError where CEL does not take the text."""
        serialized: bytes = self._cel.compile(text).serialize()
        return serialized

    def parsed(self, text: str) -> bytes:
        """The tree as parsed, without types."""
        serialized: bytes = self._cel.compile(text, disable_check=True).serialize()
        return serialized


_environments: WeakKeyDictionary[Fields, Environment] = WeakKeyDictionary()


def environment_of(fields: Fields) -> Environment:
    """The environment that checks conditions over these fields, made once for each schema."""
    environment = _environments.get(fields)
    if environment is None:
        environment = _environments[fields] = Environment(fields)
    return environment


def _declarations(function: Function) -> list[cel.FunctionDecl]:
    """One for each type of its result, as spelling.py names them."""
    parameters = [cel.Type.STRING] * len(function.parameters)
    return [
        cel.FunctionDecl(name, [cel.Overload(name, return_type=TYPES[kind], parameters=parameters)])
        for name, kind in function.spellings.items()
    ]


def _known() -> cel.FunctionDecl:
    overloads = [
        cel.Overload(f"{KNOWN}_{kind.name.lower()}", return_type=cel.Type.BOOL, parameters=[of])
        for kind, of in TYPES.items()
    ]
    return cel.FunctionDecl(KNOWN, overloads)
