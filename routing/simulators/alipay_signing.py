"""Alipay gateway.do signatures, seen from Alipay's side (CHANNEL-PROTOCOLS 2.1, 2.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

CHARSETS: Final = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gbk"}
PARAMETERS_MAX: Final = 100
_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()


def merge(query: str, form: str) -> dict[str, str]:
    """All parameters, wherever the client put them, decoded by their own `charset`.  Raises ValueError."""
    joined = f"{query}&{form}" if query and form else query or form
    parameters = _decode(joined, "utf-8")
    charset = CHARSETS.get(parameters.get("charset", "utf-8").lower(), "utf-8")
    return parameters if charset == "utf-8" else _decode(joined, charset)


def _decode(text: str, charset: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True, encoding=charset, max_num_fields=PARAMETERS_MAX)
    return dict(pairs)


def charset_of(parameters: Mapping[str, str]) -> str:
    """The request's charset as Python names it."""
    return CHARSETS.get(parameters.get("charset", "utf-8").lower(), "utf-8")


def request_text(parameters: Mapping[str, str]) -> str:
    """What a request's signature covers: everything but `sign` and empty values, sorted, not URL-encoded."""
    return "&".join([f"{name}={value}" for name, value in sorted(parameters.items()) if value and name != "sign"])


def notification_text(fields: Mapping[str, str]) -> str:
    """What a notification's signature covers: like a request's, but without `sign_type` too."""
    return request_text({name: value for name, value in fields.items() if name != "sign_type"})


def verifies(key: RSAPublicKey, parameters: Mapping[str, str]) -> bool:
    """Whether `sign` is that key's RSA2 signature of the request."""
    try:
        signature = base64.b64decode(parameters.get("sign", ""), validate=True)
        key.verify(signature, request_text(parameters).encode(charset_of(parameters)), _PADDING, _SHA256)
    except (InvalidSignature, UnicodeEncodeError, binascii.Error):
        return False
    return True


def envelope(node_name: str, node: bytes, signature: bytes | None) -> bytes:
    """The answer: the node first and `sign`, over its braces too, right after it, as one SDK expects."""
    head = b'{"' + node_name.encode() + b'":' + node
    return head + b"}" if signature is None else head + b',"sign":"' + signature + b'"}'
