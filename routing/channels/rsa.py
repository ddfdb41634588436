"""RSA with SHA-256 and PKCS#1 v1.5, as WeChat Pay, Alipay and UnionPay ACP sign; keys are read once and kept.

Requests are signed by gateway/kernel/rsa, several at once; what is signed for a page is signed here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()
_KEY_BITS_MIN: Final = 2_048
KEYS_KEPT_MAX: Final = 256
"""Reading a private key costs tens of milliseconds of checks; settings are validated and then used."""


@lru_cache(KEYS_KEPT_MAX)
def load_private_key(pem: str) -> RSAPrivateKey:
    """A private key of at least 2,048 bits, PKCS#1 or PKCS#8.  Raises ValueError without quoting the text."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("not a readable PEM private key") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _KEY_BITS_MIN:
        raise ValueError("not an RSA private key of at least 2048 bits")
    return key


@lru_cache(KEYS_KEPT_MAX)
def load_public_key(pem: str) -> RSAPublicKey:
    """A public key of at least 2,048 bits, from its own PEM or from a certificate's.  Raises ValueError."""
    try:
        is_certificate = "BEGIN CERTIFICATE" in pem
        key = load_certificate(pem).public_key() if is_certificate else load_pem_public_key(pem.encode())
    except ValueError:
        raise ValueError("not a readable PEM public key") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _KEY_BITS_MIN:
        raise ValueError("not an RSA public key of at least 2048 bits")
    return key


def load_certificate(pem: str) -> x509.Certificate:
    """A certificate; UnionPay's come with CR, CR LF or LF line ends.  Raises ValueError."""
    try:
        return x509.load_pem_x509_certificate(pem.replace("\r\n", "\n").replace("\r", "\n").encode())
    except (ValueError, x509.InvalidVersion):
        raise ValueError("not a readable PEM certificate") from None


def sign_sha256_alone(key: RSAPrivateKey, message: bytes) -> bytes:
    """The signature of a message, made at once; for a request `gateway.kernel.rsa.signing` has the cheaper one."""
    return key.sign(message, _PADDING, _SHA256)


def verify_sha256(key: RSAPublicKey, signature: bytes, message: bytes) -> None:
    """Raises cryptography's InvalidSignature."""
    key.verify(signature, message, _PADDING, _SHA256)
