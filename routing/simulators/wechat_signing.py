"""WeChat Pay APIv3 signatures, seen from WeChat's side (CHANNEL-PROTOCOLS 1.2, 1.3)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from routing.simulators.signatures import sign

SIGNTEST: Final = "WECHATPAY/SIGNTEST/"
"""What the signature of a probe starts with, which WeChat sends to see whether merchants verify."""
SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
CLOCK_SKEW_S_MAX: Final = 300
_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()
_OAEP: Final = OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303  # as WeChat prescribes for sensitive fields
_ATTRIBUTE: Final = re.compile(r'([a-z_]+)="([^"]*)"')
_ATTRIBUTES: Final = frozenset({"mchid", "nonce_str", "timestamp", "serial_no", "signature"})


@dataclass(frozen=True, slots=True)
class Authorization:
    """The attributes of a request's Authorization header."""

    mchid: str
    nonce: str
    timestamp: str
    serial_no: str
    signature: bytes


def read_authorization(header: str) -> Authorization | None:
    """The header's attributes, in whatever order they stand; None where it is malformed."""
    scheme, _, rest = header.partition(" ")
    found = dict(_ATTRIBUTE.findall(rest))
    if scheme != SCHEME or not found.keys() >= _ATTRIBUTES or not found["timestamp"].isdigit():
        return None
    try:
        signature = base64.b64decode(found["signature"], validate=True)
    except binascii.Error:
        return None
    return Authorization(found["mchid"], found["nonce_str"], found["timestamp"], found["serial_no"], signature)


def fresh(timestamp: str, now_s: float) -> bool:
    """Whether a timestamp lies within five minutes of our clock."""
    return abs(int(timestamp) - now_s) <= CLOCK_SKEW_S_MAX


def request_text(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What a request's signature covers; `target` is the path with its query as sent."""
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What an answer's signature covers."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def call_up_text(app_id: str, timestamp: str, nonce: str, package: str) -> bytes:
    """What the paySign of an in-page payment covers."""
    return f"{app_id}\n{timestamp}\n{nonce}\n{package}\n".encode()


def open_field(key: RSAPrivateKey, sealed: bytes) -> str:
    """A sensitive field that a merchant encrypted for us.  Raises ValueError."""
    return key.decrypt(sealed, _OAEP).decode("utf-8")


def verifies(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    """Whether the signature is that key's, over that text."""
    try:
        key.verify(signature, text, _PADDING, _SHA256)
    except InvalidSignature:
        return False
    return True


def signature_headers(
    key: RSAPrivateKey, serial: str, body: bytes, timestamp: str, nonce: str
) -> list[tuple[bytes, bytes]]:
    """The five headers that make an answer WeChat's."""
    return headers_with(sign(key, answer_text(timestamp, nonce, body)), serial, timestamp, nonce)


def headers_with(signature: bytes, serial: str, timestamp: str, nonce: str) -> list[tuple[bytes, bytes]]:
    """The same five, with a signature that was made of the `answer_text`."""
    return [
        (b"Wechatpay-Timestamp", timestamp.encode()),
        (b"Wechatpay-Nonce", nonce.encode()),
        (b"Wechatpay-Signature", signature),
        (b"Wechatpay-Serial", serial.encode()),
        (b"Wechatpay-Signature-Type", SCHEME.encode()),
    ]


def encrypt(api_v3_key: str, nonce: str, plaintext: str, associated_data: str) -> dict[str, str]:
    """AES-256-GCM under the merchant's APIv3 key, as certificates carry it; `nonce` is 12 characters, never reused."""
    sealed = AESGCM(api_v3_key.encode()).encrypt(nonce.encode(), plaintext.encode(), associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "nonce": nonce,
        "associated_data": associated_data,
        "ciphertext": base64.b64encode(sealed).decode(),
    }
