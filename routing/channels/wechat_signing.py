"""WeChat Pay APIv3 signatures and sealed resources: RSA-SHA256 over requests and answers, AES-256-GCM inside them.

Sources: CHANNEL-PROTOCOLS 1.2 (requests), 1.3 (answers, resources) and 1.5 (in-page calls).
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.kernel.rsa.signing import sign_sha256
from routing.channels.rsa import load_private_key, load_public_key, sign_sha256_alone, verify_sha256
from routing.channels.wire import Authenticity

SIGNATURE_TYPE: Final = "WECHATPAY2-SHA256-RSA2048"
SEALING: Final = "AEAD_AES_256_GCM"
CLOCK_DIFFERENCE_S_MAX: Final = 300
UNSIGNED: Final = "unsigned"
_PROBE_PREFIX: Final = "WECHATPAY/SIGNTEST/"
_SIGNATURE_HEADERS: Final = ("wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial")


class RequestSigner:
    """Signs requests as one merchant."""

    def __init__(
        self, mchid: str, serial_no: str, private_key_pem: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = load_private_key(private_key_pem)
        self._clock = clock
        self._head = f'{SIGNATURE_TYPE} mchid="{mchid}",serial_no="{serial_no}",nonce_str="'

    async def authorization(self, method: str, target: str, body: bytes, nonce: str | None = None) -> str:
        """The Authorization header.  `target` is path and query exactly as sent."""
        nonce = nonce or secrets.token_hex(16)
        timestamp = int(self._clock())
        canonical = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
        signature = base64.b64encode(await sign_sha256(self._key, canonical)).decode()
        return f'{self._head}{nonce}",timestamp="{timestamp}",signature="{signature}"'

    def call_up(self, appid: str, package: str, nonce: str | None = None) -> dict[str, str]:
        """The signed parameters with which a page calls up the payment; `package` is `prepay_id=…`."""
        nonce = nonce or secrets.token_hex(16)
        timestamp = str(int(self._clock()))
        canonical = f"{appid}\n{timestamp}\n{nonce}\n{package}\n".encode()
        return {
            "appId": appid,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": base64.b64encode(sign_sha256_alone(self._key, canonical)).decode(),
        }


class AnswerVerifier:
    """Verifies what WeChat Pay signed, with the key that the message names (keys rotate, several are valid at once)."""

    def __init__(self, platform_keys: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._keys = {serial: load_public_key(pem) for serial, pem in platform_keys.items()}
        self._clock = clock

    def check(self, headers: Mapping[str, str], body: bytes) -> Authenticity:
        """What the signature says of an answer.  `headers` have lower-case names; `body` is raw."""
        problem = self.problem(headers, body)
        if problem is None:
            return Authenticity.VERIFIED
        return Authenticity.UNSIGNED if problem == UNSIGNED else Authenticity.FORGED

    def problem(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """Why a message is not to be believed, in one word; None where it is WeChat Pay's, and of now."""
        timestamp, nonce, signature, serial = [headers.get(name) for name in _SIGNATURE_HEADERS]
        if timestamp is None and nonce is None and signature is None and serial is None:
            return UNSIGNED
        type_is_ours = headers.get("wechatpay-signature-type") == SIGNATURE_TYPE
        if not (timestamp and nonce and signature and serial and type_is_ours):
            return "signature"
        if signature.startswith(_PROBE_PREFIX):
            return "probe"
        key = self._keys.get(serial)
        if key is None:
            return "unknown_key"
        if not self._is_fresh(timestamp):
            return "stale"
        return None if _is_signed(key, signature, timestamp, nonce, body) else "signature"

    def _is_fresh(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        return abs(self._clock() - int(timestamp)) < CLOCK_DIFFERENCE_S_MAX


def _is_signed(key: RSAPublicKey, signature: str, timestamp: str, nonce: str, body: bytes) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        verify_sha256(key, raw, f"{timestamp}\n{nonce}\n".encode() + body + b"\n")
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def open_sealed(resource: Mapping[str, Any], api_v3_key: bytes) -> bytes:
    """The text inside a sealed resource (of a notification, or a platform certificate).  Raises ValueError."""
    algorithm, nonce, ciphertext = [resource.get(name) for name in ("algorithm", "nonce", "ciphertext")]
    associated = resource.get("associated_data") or ""
    if algorithm != SEALING or not all(isinstance(text, str) for text in (nonce, ciphertext, associated)):
        raise ValueError("not a sealed resource")
    try:
        sealed = base64.b64decode(str(ciphertext), validate=True)
        return AESGCM(api_v3_key).decrypt(str(nonce).encode(), sealed, str(associated).encode())
    except (binascii.Error, InvalidTag):
        raise ValueError("the resource does not open") from None
