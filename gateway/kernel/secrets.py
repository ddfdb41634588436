"""Keys derived from the master key: sealing what is stored, and keyed hashes of what must not be stored."""

from __future__ import annotations

import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12
_NAMES_MAX: Final = 4_096


class SealBroken(ValueError):
    """Sealed bytes that this installation's key does not open, or that were moved to another place."""


class Vault:
    """Seals with AES-256-GCM and hashes with keyed BLAKE2b, each under its own key (HKDF-SHA256 of the master key)."""

    def __init__(self, master_key: bytes) -> None:
        self._aead = AESGCM(_derive(master_key, b"mashang seal v1"))
        # a copy has the key in it already: half the price of a new one
        self._keyed = hashlib.blake2b(digest_size=16, key=_derive(master_key, b"mashang hash v1"))
        self._names: dict[bytes, bytes] = {}

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt.  `place` (a column or an id) is bound to it: sealed bytes do not open anywhere else."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt.  Raises SealBroken."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            raise SealBroken from None

    def keyed_hash(self, value: bytes) -> bytes:
        """16 bytes that stand for a value that is not stored itself: the same for the same value, useless to others."""
        hashed = self._keyed.copy()
        hashed.update(value)
        return hashed.digest()

    def name_hash(self, name: bytes) -> bytes:
        """`keyed_hash` of what several ask for, or many payments name: remembered for some thousand others."""
        found = self._names.get(name)
        if found is None:
            if len(self._names) >= _NAMES_MAX:
                self._names.clear()
            found = self._names[name] = self.keyed_hash(name)
        return found


def secret_hash(secret: str) -> bytes:
    """SHA-256 of an API key: enough for secrets of 190 random bits, and quick."""
    return hashlib.sha256(secret.encode()).digest()


def _derive(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(master_key)
