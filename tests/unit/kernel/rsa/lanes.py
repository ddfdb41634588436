"""The multi-buffer library, written once more in Python: reads the same memory, and can be told to go wrong."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from gateway.kernel.rsa import choosing
from gateway.kernel.rsa.choosing import RsaWay
from gateway.kernel.rsa.crypto_mb import LANES, Addresses, CryptoMb, CryptoMbUnavailableError

_NULL_PARAMETER: Final = 2
_OUT_OF_ORDER: Final = 1


class PythonLanes:
    """Lanes without the library.  `spoil` gets lane, result and both primes; `failed_lanes` have a status."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        """How many signatures each call made."""
        self.spoil: Callable[[int, int, int, int], int] = lambda _lane, result, _p, _q: result
        self.failed_lanes: frozenset[int] = frozenset()
        self.error: Exception | None = None

    def private(self, bits: int, numbers: Addresses, results: Addresses, key_parts: Sequence[Addresses]) -> int:
        """By the prime factors, as the library does it."""
        if self.error is not None:
            raise self.error
        busy = len(key_parts[0])
        self.calls.append(busy)
        for lane in range(busy):
            p, q, d_p, d_q, q_inverse = (_little(part[lane], bits // 16) for part in key_parts)
            number = _big(numbers[lane], bits // 8)
            by_q = pow(number, d_q, q)
            result = by_q + q * (q_inverse * (pow(number, d_p, p) - by_q) % p)
            _write(results[lane], self.spoil(lane, result, p, q), bits // 8)
        return _status(dict.fromkeys(self.failed_lanes, _OUT_OF_ORDER), busy)

    def public(self, bits: int, numbers: Addresses, results: Addresses, moduli: Addresses) -> int:
        """x^65537 mod n."""
        for lane, modulus in enumerate(moduli):
            number = _big(numbers[lane], bits // 8)
            _write(results[lane], pow(number, 65_537, _little(modulus, bits // 8)), bits // 8)
        return _status({}, len(moduli))


def _status(failed: dict[int, int], busy: int) -> int:
    """Lanes that have nothing to do are reported as the library does."""
    of_lanes = dict.fromkeys(range(busy, LANES), _NULL_PARAMETER) | failed
    return sum(status << 4 * lane for lane, status in of_lanes.items())


def _little(address: int | None, size: int) -> int:
    assert address is not None
    return int.from_bytes(ctypes.string_at(address, size), "little")


def _big(address: int | None, size: int) -> int:
    assert address is not None
    return int.from_bytes(ctypes.string_at(address, size), "big")


def _write(address: int | None, number: int, size: int) -> None:
    assert address is not None
    ctypes.memmove(address, number.to_bytes(size, "big"), size)


@contextmanager
def signing_by(way: RsaWay) -> Iterator[None]:
    """That way while this is open, and then the one before."""
    before = choosing.chosen_way()
    choosing.use(way)
    try:
        yield
    finally:
        choosing.use(before)


@cache
def private_key(bits: int = 2_048, name: str = "") -> RSAPrivateKey:
    """A throw-away key for each name, made once a run."""
    return generate_private_key(65_537, bits)


def real_lanes() -> CryptoMb:
    """The library, where this machine can run it; skips the test elsewhere and says why."""
    try:
        return CryptoMb()
    except CryptoMbUnavailableError as error:
        pytest.skip(f"the multi-buffer library cannot be used here: {error}")
