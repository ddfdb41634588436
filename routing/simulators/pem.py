"""Reading RSA keys from PEM text, with the type that the callers need."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key


def private_key(pem: str) -> RSAPrivateKey:
    """An RSA private key.  Raises ValueError for any other."""
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA private key")  # noqa: TRY004  # the text is wrong, not a type
    return key


def public_key(pem: str) -> RSAPublicKey:
    """An RSA public key.  Raises ValueError for any other."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA public key")  # noqa: TRY004  # the text is wrong, not a type
    return key
