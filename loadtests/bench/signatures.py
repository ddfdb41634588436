"""What one RSA-2048 signature and one verification cost in CPU, with the very keys and library of the payments."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from routing.channels.rsa import load_private_key, sign_sha256_alone, verify_sha256

_MESSAGE: Final = b"x" * 400
_CHUNK: Final = 100


@dataclass(frozen=True, slots=True)
class SignatureCost:
    """µs of CPU for each."""

    sign_us: float
    verify_us: float

    @property
    def both_us(self) -> float:
        """What a payment of a signing channel spends on signatures: one of ours made, one of theirs checked."""
        return self.sign_us + self.verify_us


def measure_signatures(private_key: Path, seconds: float = 0.5) -> SignatureCost:
    """Sign and verify for so long each; the median over chunks, so that one disturbed stretch does not count."""
    key = load_private_key(private_key.read_text())
    public = key.public_key()
    signature = sign_sha256_alone(key, _MESSAGE)
    return SignatureCost(
        _median_us(lambda: sign_sha256_alone(key, _MESSAGE), seconds),
        _median_us(lambda: verify_sha256(public, signature, _MESSAGE), seconds),
    )


def _median_us(call: Callable[[], object], seconds: float) -> float:
    costs_us: list[float] = []
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s or not costs_us:
        before_ns = time.thread_time_ns()
        for _ in range(_CHUNK):
            call()
        costs_us.append((time.thread_time_ns() - before_ns) / 1000 / _CHUNK)
    return statistics.median(costs_us)
