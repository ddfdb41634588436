"""The front's XML: one level of named texts, written escaped and read strictly.  CHANNEL-PROTOCOLS 3.6.

Reading takes no document type, so that there are no entities to expand or to fetch, and bounds everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape

BYTES_MAX: Final = 64 * 1024
FIELDS_MAX: Final = 200
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}")


def write(fields: Mapping[str, str]) -> bytes:
    """`<xml>` with the fields in their order.  Raises ValueError for what XML cannot carry as it is.

    Control characters and lone surrogates have no place in XML, and parsers turn line ends into others, which would
    break the signature over the value.
    """
    if not all(_NAME.fullmatch(name) and value.isprintable() for name, value in fields.items()):
        raise ValueError("not for XML")
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>".encode()


def read(body: bytes) -> dict[str, str]:
    """The fields of a document, with every character as it was signed.

    Raises ValueError for what is no such document: no UTF-8, nested, a name twice, a document type, too large.
    """
    if len(body) > BYTES_MAX:
        raise ValueError("too large")
    reader = _Reader()
    try:
        reader.parser.Parse(body.decode(), True)  # a text, so that no byte order mark makes it anything but UTF-8
    except ExpatError:
        raise ValueError("no XML") from None
    return reader.fields


class _Reader:
    """Collects the texts one level below the root."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._depth = 0
        self._text: list[str] = []
        self.parser = parser = ParserCreate("UTF-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_document_type

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            return
        is_field = self._depth == 2 and name not in self.fields and _NAME.fullmatch(name)
        if not is_field or len(self.fields) >= FIELDS_MAX:
            raise ValueError("not one level of fields, each once")
        self.fields[name] = ""
        self._text = []

    def _end(self, name: str) -> None:
        if self._depth == 2:
            self.fields[name] = "".join(self._text)
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if self._depth == 2:
            self._text.append(text)
        elif text.strip():
            raise ValueError("text between the fields")

    def _refuse_document_type(self, *_declaration: object) -> None:
        raise ValueError("a document type")
