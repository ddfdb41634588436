"""Reads the checked tree that cel-expr-python serializes: `cel.expr.CheckedExpr` in protobuf's wire format.

Field numbers are those of `cel/expr/checked.proto` and `cel/expr/syntax.proto` (github.com/google/cel-spec). Only what
conditions may use is read; anything else comes back as `Kind.OTHER` with its position, for the checker to refuse.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from gateway.kernel.expressions.fields import FieldType

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PRIMITIVES: Final = {1: FieldType.BOOL, 2: FieldType.INT, 4: FieldType.DOUBLE, 5: FieldType.STRING}


class Kind(Enum):
    """What a node is."""

    CONSTANT = auto()
    IDENTIFIER = auto()
    CALL = auto()
    LIST = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class CheckedNode:
    """A node as the checker left it; `children` are operands with the receiver first, or the elements of a list."""

    kind: Kind
    id: int
    name: str = ""
    value: int | float | str | bool | None = None
    children: tuple[CheckedNode, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedTree:
    """The root, and the type of each node (where it is one of ours)."""

    root: CheckedNode
    types: dict[int, FieldType]
    _source_info: bytes

    def offset(self, node: CheckedNode) -> int:
        """Where the node stands in the text, in characters. Read only when asked, which is when it is refused."""
        return _offsets(self._source_info).get(node.id, 0)


def read_checked(serialized: bytes) -> CheckedTree:
    """Read what `cel.Expression.serialize` gave: a CheckedExpr in a `google.protobuf.Any`."""
    checked = _last_bytes(serialized, 2)
    types: dict[int, FieldType] = {}
    root = source_info = b""
    for number, value in _parts(checked):
        if number == 3:
            _read_type(_bytes(value), types)
        elif number == 4:
            root = _bytes(value)
        elif number == 5:
            source_info = _bytes(value)
    return CheckedTree(_node(root), types, source_info)


def _parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: (number, value), a value being an integer or the bytes of what is nested."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        else:
            size = 8 if wire == _FIXED64 else 4
        yield tag >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = data[position]
    position += 1
    if value < 0x80:
        return value, position
    value &= 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def _int(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value


def _last_bytes(data: bytes, wanted: int) -> bytes:
    found = b""
    for number, value in _parts(data):
        if number == wanted:
            found = _bytes(value)
    return found


def _read_type(entry: bytes, types: dict[int, FieldType]) -> None:
    """One entry of `type_map`: a node's id (1) and its Type (2), of which primitive (3) and list_type (6) are ours."""
    if len(entry) == 6 and entry[0] == 0x08 and entry[2:5] == b"\x12\x02\x18":  # what nearly all of them look like
        if entry[5] in _PRIMITIVES:
            types[entry[1]] = _PRIMITIVES[entry[5]]
        return
    node, declared = 0, b""
    for number, value in _parts(entry):
        if number == 1:
            node = _int(value)
        elif number == 2:
            declared = _bytes(value)
    for number, value in _parts(declared):
        if number == 3 and _int(value) in _PRIMITIVES:
            types[node] = _PRIMITIVES[_int(value)]
        elif number == 6 and _last_bytes(_bytes(value), 1) == b"\x18\x05":  # the element is the primitive STRING
            types[node] = FieldType.STRING_LIST


def _offsets(source_info: bytes) -> dict[int, int]:
    """`positions` (4) of SourceInfo: a map from a node's id to its offset."""
    offsets: dict[int, int] = {}
    for number, entry in _parts(source_info):
        if number == 4:
            pair = dict(_parts(_bytes(entry)))
            offsets[_int(pair.get(1, 0))] = _int(pair.get(2, 0))
    return offsets


def _node(data: bytes) -> CheckedNode:
    """An Expr: its id (2) and one of const (3), ident (4), call (6), list (7), or what conditions may not use."""
    node, body, which = 0, b"", 0
    for number, value in _parts(data):
        if number == 2:
            node = _int(value)
        else:
            which, body = number, _bytes(value)
    if which == 3:
        return _constant(node, body)
    if which == 4:
        return CheckedNode(Kind.IDENTIFIER, node, name=_last_bytes(body, 1).decode())
    if which == 6:
        return _call(node, body)
    if which == 7:
        return CheckedNode(Kind.LIST, node, children=tuple(_node(_bytes(v)) for n, v in _parts(body) if n == 1))
    return CheckedNode(Kind.OTHER, node)


def _constant(node: int, body: bytes) -> CheckedNode:
    """A Constant: bool (2), int64 (3), double (5) or string (6); the others (null, uint, bytes) are not ours."""
    for number, value in _parts(body):
        if number == 2:
            return CheckedNode(Kind.CONSTANT, node, value=bool(value))
        if number == 3:
            unsigned = _int(value)
            return CheckedNode(Kind.CONSTANT, node, value=unsigned - (1 << 64) if unsigned >> 63 else unsigned)
        if number == 5:
            return CheckedNode(Kind.CONSTANT, node, value=float(struct.unpack("<d", _bytes(value))[0]))
        if number == 6:
            return CheckedNode(Kind.CONSTANT, node, value=_bytes(value).decode())
    return CheckedNode(Kind.OTHER, node)


def _call(node: int, body: bytes) -> CheckedNode:
    """A Call: receiver (1), function (2), arguments (3)."""
    name = ""
    children: list[CheckedNode] = []
    for number, value in _parts(body):
        if number == 2:
            name = _bytes(value).decode()
        elif number == 1:
            children.insert(0, _node(_bytes(value)))
        else:
            children.append(_node(_bytes(value)))
    return CheckedNode(Kind.CALL, node, name=name, children=tuple(children))


def presence_test(serialized: bytes) -> int | None:
    """The offset of a has() in what an unchecked expression serializes to (a ParsedExpr), or None."""
    parsed = _last_bytes(serialized, 2)
    found = _presence_test(_last_bytes(parsed, 2))
    return None if found is None else _offsets(_last_bytes(parsed, 3)).get(found, 0)


def _presence_test(data: bytes) -> int | None:
    """The id of the first Select (5) with test_only (3) in an Expr, looking into calls (6), lists (7) and operands."""
    parts = list(_parts(data))
    node = next((_int(value) for number, value in parts if number == 2), 0)
    for which, body in parts:
        if which not in (5, 6, 7):
            continue
        for number, value in _parts(_bytes(body)):
            if which == 5 and number == 3:
                return node
            if isinstance(value, bytes) and not (which in (5, 6) and number == 2):
                found = _presence_test(value)
                if found is not None:
                    return found
    return None
