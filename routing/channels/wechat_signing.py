"""WeChat Pay APIv3 signatures: requests signed with RSA-SHA256, answers and notifications verified by five headers.

Sources: CHANNEL-PROTOCOLS 1.2 (requests) and 1.3 (answers).
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature

from routing.channels.rsa import load_private_key, load_public_key, sign_sha256, verify_sha256
from routing.channels.wire import Authenticity

SIGNATURE_TYPE: Final = "WECHATPAY2-SHA256-RSA2048"
CLOCK_DIFFERENCE_S_MAX: Final = 300
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

    def authorization(self, method: str, target: str, body: bytes, nonce: str | None = None) -> str:
        """The Authorization header.  `target` is path and query exactly as sent."""
        nonce = nonce or secrets.token_hex(16)
        timestamp = int(self._clock())
        canonical = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
        signature = base64.b64encode(sign_sha256(self._key, canonical)).decode()
        return f'{self._head}{nonce}",timestamp="{timestamp}",signature="{signature}"'


class AnswerVerifier:
    """Verifies what WeChat Pay signed, with the key that the message names (keys rotate, several are valid at once)."""

    def __init__(self, platform_keys: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._keys = {serial: load_public_key(pem) for serial, pem in platform_keys.items()}
        self._clock = clock

    def check(self, headers: Mapping[str, str], body: bytes) -> Authenticity:
        """`headers` have lower-case names; `body` is raw."""
        timestamp, nonce, signature, serial = [headers.get(name) for name in _SIGNATURE_HEADERS]
        if timestamp is None and nonce is None and signature is None and serial is None:
            return Authenticity.UNSIGNED
        key = self._keys.get(serial or "")
        if not (timestamp and nonce and signature and key) or not self._is_fresh(timestamp):
            return Authenticity.FORGED
        if headers.get("wechatpay-signature-type") != SIGNATURE_TYPE or signature.startswith(_PROBE_PREFIX):
            return Authenticity.FORGED
        try:
            raw = base64.b64decode(signature, validate=True)
            verify_sha256(key, raw, f"{timestamp}\n{nonce}\n".encode() + body + b"\n")
        except (binascii.Error, ValueError, InvalidSignature):
            return Authenticity.FORGED
        return Authenticity.VERIFIED

    def _is_fresh(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        return abs(self._clock() - int(timestamp)) < CLOCK_DIFFERENCE_S_MAX
