"""The front's messages: flat XML without a document type, and the MD5 that proves it.  CHANNEL-PROTOCOLS 3.6, 1.8."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat  # a document type, and with it every entity, is refused below

FIELDS_MAX: Final = 100
_ROOT: Final = "xml"


class _Reader:
    """Collects the texts of the elements below the root; whatever is nested deeper, or declared, is an error."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._open: list[str] = []
        self._parts: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == 2 or attributes or (not self._open and name != _ROOT):
            raise ValueError("not a flat message")
        self._end_text_between()
        self._open.append(name)

    def text(self, text: str) -> None:
        self._parts.append(text)

    def end(self, name: str) -> None:
        if len(self._open) == 2:
            if name in self.fields or len(self.fields) == FIELDS_MAX:
                raise ValueError("a field twice, or too many")
            self.fields[name] = "".join(self._parts)
            self._parts.clear()
        else:
            self._end_text_between()
        self._open.pop()

    def _end_text_between(self) -> None:
        if "".join(self._parts).strip():
            raise ValueError("text between the fields")
        self._parts.clear()

    def declare(self, *_: object) -> None:
        raise ValueError("a document type")


def read_xml(body: bytes) -> dict[str, str]:
    """The fields of a message in UTF-8.  Raises ValueError for anything but one level of elements in `<xml>`.

    A document type is refused before anything of it is looked at, so no entity is ever defined or fetched.
    """
    reader, parser = _Reader(), expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = reader.declare
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from None
    return reader.fields


def write_xml(fields: Mapping[str, str]) -> bytes:
    """Every value in CDATA, as the real front's SDKs expect it; a `]]>` within one is split over two."""
    parts = [f"<{name}><![CDATA[{_split(value)}]]></{name}>" for name, value in fields.items()]
    return f"<xml>{''.join(parts)}</xml>".encode()


def _split(value: str) -> str:
    return value.replace("]]>", "]]]]><![CDATA[>")


def signed_text(fields: Mapping[str, str]) -> str:
    """What a signature covers: all fields but `sign` and empty ones, sorted; the key comes after it."""
    return "&".join([f"{name}={value}" for name, value in sorted(fields.items()) if value and name != "sign"])


def md5_sign(key: str, fields: Mapping[str, str]) -> str:
    """sign_type MD5: upper-case hex, which one client compares as it is."""
    text = f"{signed_text(fields)}&key={key}"
    return hashlib.md5(text.encode("utf-8", "surrogatepass")).hexdigest().upper()  # noqa: S324  # the front's own rule


def md5_verifies(key: str, fields: Mapping[str, str]) -> bool:
    """Whether `sign` was made with that key."""
    return hmac.compare_digest(md5_sign(key, fields).encode(), fields.get("sign", "").encode("utf-8", "replace"))
