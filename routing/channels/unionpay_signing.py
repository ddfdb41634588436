"""UnionPay ACP 5.1.0: the text of answers, signMethod 01 (certificates) and 11 (keyed hash).  CHANNEL-PROTOCOLS 3.3."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from gateway.kernel.rsa.signing import sign_sha256
from routing.channels.rsa import load_certificate, load_private_key, verify_sha256
from routing.channels.wire import Authenticity

SIGNER_NAME: Final = "中国银联股份有限公司"
CERTIFICATES_KEPT_MAX: Final = 16
_GROUP_OR_END: Final = re.compile(r"[&{\[]")
_CLOSING: Final = {"{": "}", "[": "]"}


def parse_answer(text: str) -> dict[str, str]:
    """The fields of an answer, as UnionPay's own parser reads them.  Raises ValueError.

    Values are not percent-decoded; a `{…}` or `[…]` group protects the `&` in it and ends at its first closing sign.
    """
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        equals = text.find("=", at)
        end = len(text) if equals < 0 else _end_of_value(text, equals + 1)
        name, value = (text[at:], "") if equals < 0 else (text[at:equals], text[equals + 1 : end])
        if not name or name in fields:
            raise ValueError("an empty or repeated name")
        fields[name] = value
        at = end + 1
    return fields


def _end_of_value(text: str, at: int) -> int:
    while (found := _GROUP_OR_END.search(text, at)) is not None:
        if found[0] == "&":
            return found.start()
        closing = text.find(_CLOSING[found[0]], found.end())
        if closing < 0:
            break
        at = closing + 1
    return len(text)


def signed_string(fields: Mapping[str, str]) -> str:
    """What is signed: every field but `signature`, sorted, joined, not encoded."""
    return "&".join([f"{name}={fields[name]}" for name in sorted(fields) if name != "signature"])


def without_blanks(fields: Mapping[str, str]) -> dict[str, str]:
    """Fields as they are sent: trimmed, and blank ones left out."""
    return {name: value.strip() for name, value in fields.items() if value.strip()}


class Signing(Protocol):
    """One way to sign requests and to check answers."""

    method: str

    async def signed(self, fields: Mapping[str, str], encoding: str = "utf-8") -> dict[str, str]:
        """The fields as they are sent, `signature` among them."""

    def check(self, fields: Mapping[str, str], encoding: str = "utf-8") -> Authenticity:
        """What the signature says of an answer."""


class KeyedHashSigning:
    """signMethod 11: sha256hex(string & sha256hex(key))."""

    method = "11"

    def __init__(self, secret_key: str) -> None:
        self._key_digest = sha256(secret_key.encode()).hexdigest()

    async def signed(self, fields: Mapping[str, str], encoding: str = "utf-8") -> dict[str, str]:
        """The fields as they are sent, `signature` among them."""
        sent = without_blanks(fields)
        sent["signature"] = self._digest(sent, encoding)
        return sent

    def check(self, fields: Mapping[str, str], encoding: str = "utf-8") -> Authenticity:
        """What the signature says of an answer.  One that claims another method is no answer to our request."""
        if "signature" not in fields:
            return Authenticity.UNSIGNED
        expected = self._digest(fields, encoding)
        same = hmac.compare_digest(expected.encode(), fields["signature"].encode(errors="replace"))
        return Authenticity.VERIFIED if same and fields.get("signMethod") == self.method else Authenticity.FORGED

    def _digest(self, fields: Mapping[str, str], encoding: str) -> str:
        return sha256(f"{signed_string(fields)}&{self._key_digest}".encode(encoding)).hexdigest()


@dataclass(frozen=True, slots=True)
class _TrustedSigner:
    key: RSAPublicKey
    valid_from_s: float
    valid_until_s: float


class CertificateSigning:
    """signMethod 01: RSA over the hex text of the string's SHA-256; answers bring their certificate along."""

    method = "01"

    def __init__(
        self,
        *,
        signing_certificate_pem: str,
        signing_private_key_pem: str,
        root_certificate_pem: str,
        middle_certificate_pem: str,
        allowed_signer: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = load_private_key(signing_private_key_pem)
        self._certificate_id = str(load_certificate(signing_certificate_pem).serial_number)
        self._issuers = (load_certificate(middle_certificate_pem), load_certificate(root_certificate_pem))
        self._signer_names = {SIGNER_NAME, allowed_signer} if allowed_signer else {SIGNER_NAME}
        self._clock = clock
        self._trusted: dict[str, _TrustedSigner] = {}

    async def signed(self, fields: Mapping[str, str], encoding: str = "utf-8") -> dict[str, str]:
        """The fields as they are sent, `certId` and `signature` among them."""
        sent = without_blanks({**fields, "certId": self._certificate_id})
        sent["signature"] = base64.b64encode(await sign_sha256(self._key, _digest(sent, encoding))).decode()
        return sent

    def check(self, fields: Mapping[str, str], encoding: str = "utf-8") -> Authenticity:
        """What the signature says of an answer.  One that claims another method is no answer to our request."""
        if "signature" not in fields:
            return Authenticity.UNSIGNED
        signer = self._signer(fields.get("signPubKeyCert", ""))
        if signer is None or fields.get("signMethod") != self.method:
            return Authenticity.FORGED
        try:
            signature = base64.b64decode(fields["signature"], validate=True)
            verify_sha256(signer.key, signature, _digest(fields, encoding))
        except (binascii.Error, ValueError, InvalidSignature):
            return Authenticity.FORGED
        return Authenticity.VERIFIED

    def _signer(self, pem: str) -> _TrustedSigner | None:
        """The signer of a certificate that is UnionPay's and valid now.  Only the verdict on certificates is kept."""
        signer = self._trusted.get(pem)
        if signer is None:
            signer = self._examined(pem)
            if signer is None:
                return None
            if len(self._trusted) >= CERTIFICATES_KEPT_MAX:
                self._trusted.clear()
            self._trusted[pem] = signer
        return signer if signer.valid_from_s <= self._clock() <= signer.valid_until_s else None

    def _examined(self, pem: str) -> _TrustedSigner | None:
        try:
            certificate = load_certificate(pem)
            chain = (certificate, *self._issuers)
            for issued, issuer in zip(chain, self._issuers, strict=False):
                issued.verify_directly_issued_by(issuer)
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            key = certificate.public_key()
        except (ValueError, TypeError, InvalidSignature):
            return None
        if len(names) != 1 or not isinstance(key, RSAPublicKey) or not self._is_unionpay(str(names[0].value)):
            return None
        return _TrustedSigner(
            key,
            max(link.not_valid_before_utc.timestamp() for link in chain),
            min(link.not_valid_after_utc.timestamp() for link in chain),
        )

    def _is_unionpay(self, common_name: str) -> bool:
        parts = common_name.split("@")
        return len(parts) > 2 and parts[2] in self._signer_names


def _digest(fields: Mapping[str, str], encoding: str) -> bytes:
    return sha256(signed_string(fields).encode(encoding)).hexdigest().encode()
