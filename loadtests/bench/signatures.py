"""What RSA-2048 costs in CPU with the keys and libraries of the payments: signatures of both kinds, verifications."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from gateway.kernel.rsa.choosing import chosen_way
from gateway.kernel.rsa.crypto_mb import LANES
from gateway.kernel.rsa.multibuffer import multibuffer_key, signatures_of
from loadtests.counts import Signing
from routing.channels.rsa import load_private_key, sign_sha256_alone, verify_sha256

_MESSAGE: Final = b"x" * 400
_CHUNK: Final = 100
_CALLS_CHUNK: Final = 10


@dataclass(frozen=True, slots=True)
class SignatureCost:
    """µs of CPU: a signature by OpenSSL, a verification, a call of the multi-buffer library for 1, 2, … 8 signatures.

    There is no `call_us` where the library cannot be used.  Its calls hold what they hold in the gateway: the padding
    of the messages, and the check of each result with the public key.
    """

    sign_us: float
    verify_us: float
    call_us: tuple[float, ...] = ()

    def spent_us(self, signing: Signing, verified: float) -> float:
        """What so many signatures and verifications cost.

        A call counts as one for the whole number below the mean of its signatures: rather less than was spent.
        """
        calls_us = signing.calls * self.call_of_us(signing.per_call)
        return signing.alone * self.sign_us + calls_us + verified * self.verify_us

    def call_of_us(self, signatures: float) -> float:
        """What one call for so many signatures costs; 0 where it was not measured."""
        number = min(math.floor(signatures), len(self.call_us))
        return self.call_us[number - 1] if number else 0.0


def measure_signatures(private_key: Path, seconds: float = 0.5) -> SignatureCost:
    """Sign and verify for so long each; the median over chunks, so that one disturbed stretch does not count."""
    key = load_private_key(private_key.read_text())
    public = key.public_key()
    signature = sign_sha256_alone(key, _MESSAGE)
    return SignatureCost(
        _median_us(lambda: sign_sha256_alone(key, _MESSAGE), seconds),
        _median_us(lambda: verify_sha256(public, signature, _MESSAGE), seconds),
        tuple([_median_us(call, seconds / LANES, _CALLS_CHUNK) for call in _calls(key)]),
    )


def _calls(private_key: RSAPrivateKey) -> list[Callable[[], object]]:
    """A call of the multi-buffer library for each number of signatures; none where it cannot be used."""
    lanes, key = chosen_way().lanes, multibuffer_key(private_key)
    if lanes is None or key is None:
        return []
    several = [([key] * number, [_MESSAGE] * number) for number in range(1, LANES + 1)]
    return [partial(signatures_of, lanes, keys, messages) for keys, messages in several]


def _median_us(call: Callable[[], object], seconds: float, chunk: int = _CHUNK) -> float:
    costs_us: list[float] = []
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s or not costs_us:
        before_ns = time.thread_time_ns()
        for _ in range(chunk):
            call()
        costs_us.append((time.thread_time_ns() - before_ns) / 1000 / chunk)
    return statistics.median(costs_us)
