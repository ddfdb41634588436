"""One to eight RSA signatures by one call of the multi-buffer library, each checked before it leaves.

A signature made by way of the prime factors (CRT) with one wrong multiplication gives the key away: gcd(s^e - m, n) is
one of the primes (Boneh, DeMillo, Lipton 1997).  So each result is raised to the public exponent again, by the same
library, and must be what was to be signed; OpenSSL does the same within its own signing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from gateway.kernel.rsa.crypto_mb import KEY_BITS, LANES, PUBLIC_EXPONENT, Lanes

KEYS_KEPT_MAX: Final = 256
_SHA256_PREFIX: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo of RFC 8017, 9.2, note 1, before the digest."""
_PARTS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class MultibufferKey:
    """A private key as the library reads it."""

    bits: int
    part_addresses: tuple[int, ...]
    """Of p, q, d mod p-1, d mod q-1, q^-1 mod p."""
    modulus_address: int
    memory: ctypes.Array[ctypes.c_char] = field(repr=False)
    """Where all of them lie."""


@lru_cache(KEYS_KEPT_MAX)
def multibuffer_key(key: RSAPrivateKey) -> MultibufferKey | None:
    """The key for the library; None for one that it has no way for: other lengths, exponents, unequal primes."""
    bits = key.key_size
    if bits not in KEY_BITS:
        return None
    numbers = key.private_numbers()
    modulus, exponent = numbers.public_numbers.n, numbers.public_numbers.e
    if exponent != PUBLIC_EXPONENT or {numbers.p.bit_length(), numbers.q.bit_length()} != {bits // 2}:
        return None
    parts = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    part_bytes = bits // 16
    text = b"".join(part.to_bytes(part_bytes, "little") for part in parts) + modulus.to_bytes(bits // 8, "little")
    memory = ctypes.create_string_buffer(text, len(text))
    start = ctypes.addressof(memory)
    addresses = tuple(start + part_bytes * part for part in range(_PARTS))
    return MultibufferKey(bits, addresses, start + part_bytes * _PARTS, memory)


def signatures_of(lanes: Lanes, keys: Sequence[MultibufferKey], messages: Sequence[bytes]) -> list[bytes | None]:
    """The signatures of one to eight messages with keys of one length; None where the result was none."""
    if not 1 <= len(messages) <= LANES:
        raise ValueError(f"one to {LANES} messages at once")
    bits = keys[0].bits
    size = bits // 8
    encoded = [_encoded(message, size) for message in messages]
    text = b"".join(encoded)
    given, made = ctypes.create_string_buffer(text, len(text)), ctypes.create_string_buffer(len(text))
    # What is checked gets memory of its own: in that of `given` a check that writes nothing would find its answer.
    opened = ctypes.create_string_buffer(len(text))
    made_at = _lane_addresses(made, size)
    key_parts = list(zip(*[key.part_addresses for key in keys], strict=True))
    status = lanes.private(bits, _lane_addresses(given, size), made_at, key_parts)
    status |= lanes.public(bits, made_at, _lane_addresses(opened, size), [key.modulus_address for key in keys])
    results = zip(encoded, _lane_texts(made, size), _lane_texts(opened, size), strict=True)
    return [
        signature if again == wanted and not status >> 4 * lane & 0xF else None
        for lane, (wanted, signature, again) in enumerate(results)
    ]


def _encoded(message: bytes, size: int) -> bytes:
    """EMSA-PKCS1-v1_5 of RFC 8017, 9.2."""
    digest_info = _SHA256_PREFIX + sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (size - len(digest_info) - 3) + b"\x00" + digest_info


def _lane_addresses(memory: ctypes.Array[ctypes.c_char], size: int) -> range:
    start = ctypes.addressof(memory)
    return range(start, start + len(memory), size)


def _lane_texts(memory: ctypes.Array[ctypes.c_char], size: int) -> list[bytes]:
    text = memory.raw
    return [text[at : at + size] for at in range(0, len(text), size)]
