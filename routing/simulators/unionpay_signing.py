"""UnionPay ACP 5.1.0 signatures, seen from UnionPay's side: signMethods 01 and 11 (CHANNEL-PROTOCOLS 3.3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

ENCODINGS: Final = {"UTF-8": "utf-8", "GBK": "gbk"}
FIELDS_MAX: Final = 100
_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form, decoded by their own `encoding`.  Raises ValueError (so does text that is not ASCII)."""
    text = body.decode("ascii")
    fields = _decode(text, "utf-8")
    encoding = ENCODINGS.get(fields.get("encoding", "UTF-8").upper(), "utf-8")
    return fields if encoding == "utf-8" else _decode(text, encoding)


def _decode(text: str, encoding: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, encoding=encoding, max_num_fields=FIELDS_MAX))


def encoding_of(fields: Mapping[str, str]) -> str:
    """The message's encoding as Python names it."""
    return ENCODINGS.get(fields.get("encoding", "UTF-8").upper(), "utf-8")


def signed_text(fields: Mapping[str, str]) -> str:
    """What a signature covers: all fields but `signature` and empty ones, sorted, not URL-encoded."""
    return "&".join([f"{name}={value}" for name, value in sorted(fields.items()) if value and name != "signature"])


def digest_hex(fields: Mapping[str, str]) -> bytes:
    """Lower-case hex of the SHA-256 of the text, itself the data that RSA signs."""
    return hashlib.sha256(signed_text(fields).encode(encoding_of(fields))).hexdigest().encode()


def rsa_verifies(key: RSAPublicKey, fields: Mapping[str, str]) -> bool:
    """signMethod 01: whether `signature` is that key's."""
    try:
        signature = base64.b64decode(fields.get("signature", ""), validate=True)
        key.verify(signature, digest_hex(fields), _PADDING, _SHA256)
    except (InvalidSignature, UnicodeEncodeError, binascii.Error):
        return False
    return True


def keyed_hash(secret_key: str, fields: Mapping[str, str]) -> str:
    """signMethod 11: sha256hex(text & sha256hex(key))."""
    key_hex = hashlib.sha256(secret_key.encode()).hexdigest()
    text = f"{signed_text(fields)}&{key_hex}"
    return hashlib.sha256(text.encode(encoding_of(fields))).hexdigest()


def keyed_verifies(secret_key: str, fields: Mapping[str, str]) -> bool:
    """signMethod 11: whether `signature` was made with that key."""
    try:
        wanted = keyed_hash(secret_key, fields)
    except UnicodeEncodeError:
        return False
    return hmac.compare_digest(wanted.encode(), fields.get("signature", "").encode())


def raw_answer(fields: Mapping[str, str]) -> bytes:
    """`k=v&k=v`, values not URL-encoded."""
    return "&".join([f"{name}={value}" for name, value in fields.items()]).encode(encoding_of(fields), "replace")
