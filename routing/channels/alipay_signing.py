"""Alipay's RSA2 signatures: requests, the raw nodes of answers, notifications.  CHANNEL-PROTOCOLS 2.1, 2.2, 2.5."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from gateway.kernel.rsa.signing import sign_sha256
from routing.channels.base import ChannelUnknown
from routing.channels.rsa import verify_sha256
from routing.channels.wire import Authenticity

ERROR_NODE: Final = "error_response"
_DECODER: Final = json.JSONDecoder()
_BLANK: Final = re.compile(r"[ \t\r\n]*")


def request_string(params: Mapping[str, str]) -> str:
    """What is signed: every parameter with a value but `sign`, sorted, not URL-encoded, `sign_type` included."""
    return "&".join([f"{name}={params[name]}" for name in sorted(params) if name != "sign" and params[name]])


async def signature_of(params: Mapping[str, str], key: RSAPrivateKey, charset: str = "utf-8") -> str:
    """The `sign` of a request."""
    return base64.b64encode(await sign_sha256(key, request_string(params).encode(charset))).decode()


@dataclass(frozen=True, slots=True)
class OpenedAnswer:
    """The node of an answer, and what its signature says."""

    node: Mapping[str, Any]
    authenticity: Authenticity


def open_answer(body: bytes, method: str, key: RSAPublicKey, charset: str = "utf-8") -> OpenedAnswer:
    """Find the node of the method (or `error_response`) and verify the raw text of it.  Raises ChannelUnknown."""
    try:
        members = _members(body.decode(charset))
    except (ValueError, RecursionError):
        raise ChannelUnknown("answer_malformed") from None
    raw, node = members.get(f"{method.replace('.', '_')}_response") or members.get(ERROR_NODE) or ("", None)
    if not isinstance(node, dict):
        raise ChannelUnknown("answer_malformed")
    if "sign" not in members:
        return OpenedAnswer(node, Authenticity.UNSIGNED)
    return OpenedAnswer(node, _checked(raw, members["sign"][1], key, charset))


def is_signed_form(fields: Mapping[str, str], key: RSAPublicKey, charset: str) -> bool:
    """Whether a notification is Alipay's.  `sign_type` is left out of what is signed; some kinds leave it in."""
    bare = {name: value for name, value in fields.items() if name != "sign_type"}
    return _is_signed([request_string(bare), request_string(fields)], fields.get("sign"), key, charset)


def _checked(raw: str, sign: object, key: RSAPublicKey, charset: str) -> Authenticity:
    """The signature is of the raw text; some servers sign it with `\\/` where the answer has a bare slash."""
    texts = [raw, raw.replace("/", "\\/")] if "/" in raw else [raw]
    return Authenticity.VERIFIED if _is_signed(texts, sign, key, charset) else Authenticity.FORGED


def _is_signed(texts: Sequence[str], sign: object, key: RSAPublicKey, charset: str) -> bool:
    """Whether the signature is of one of the texts."""
    try:
        signature = base64.b64decode(sign if isinstance(sign, str) else "", validate=True)
    except (binascii.Error, ValueError):
        return False
    for text in texts:
        try:
            verify_sha256(key, signature, text.encode(charset))
        except (InvalidSignature, UnicodeEncodeError):
            continue
        return True
    return False


def _members(text: str) -> dict[str, tuple[str, Any]]:
    """The top-level members of a JSON object, each as raw text and value.  Raises ValueError, also for twins."""
    members: dict[str, tuple[str, Any]] = {}
    at = _expect(text, 0, "{")
    while True:
        name, at = _DECODER.raw_decode(text, at)
        start = _expect(text, at, ":")
        value, at = _DECODER.raw_decode(text, start)
        if not isinstance(name, str) or name in members:
            raise ValueError("not an object with distinct names")
        members[name] = (text[start:at], value)
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            break
        at = _expect(text, at, ",")
    if _skip(text, at + 1) != len(text):
        raise ValueError("text after the object")
    return members


def _expect(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at
