"""Which way this process signs with RSA, and why: OpenSSL one by one, or the multi-buffer library several at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.kernel.metrics import RSA_FAULTS
from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.crypto_mb import KEY_BITS, LANES, PUBLIC_EXPONENT, CryptoMb, CryptoMbUnavailableError, Lanes
from gateway.kernel.rsa.multibuffer import multibuffer_key, signatures_of

FAULTS_MAX: Final = 3
"""After so many wrong results the process signs by OpenSSL until it ends: that is no machine to trust."""
_log: Final = logging.getLogger("mashang.rsa")
_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()


@dataclass(frozen=True, slots=True)
class RsaWay:
    """What signs in this process: `lanes`, or OpenSSL where there are none, and `reason` says why."""

    lanes: Lanes | None
    reason: str

    @property
    def choice(self) -> RsaChoice:
        """Its name."""
        return RsaChoice.OPENSSL if self.lanes is None else RsaChoice.MULTIBUFFER


def sign_alone(key: RSAPrivateKey, message: bytes) -> bytes:
    """One signature by OpenSSL."""
    return key.sign(message, _PADDING, _SHA256)


def find_way(choice: RsaChoice, library: Path | None = None) -> RsaWay:
    """What signs here.  Raises CryptoMbUnavailableError where the choice is `multibuffer` and it does not work."""
    if choice is RsaChoice.OPENSSL:
        return RsaWay(None, "MASHANG_RSA says so")
    try:
        lanes = sound_library(library)
    except CryptoMbUnavailableError as error:
        if choice is RsaChoice.MULTIBUFFER:
            raise
        return RsaWay(None, str(error))
    return RsaWay(lanes, "the processor has AVX-512 IFMA, and the library's signatures are OpenSSL's")


@cache
def sound_library(path: Path | None) -> CryptoMb:
    """The library, loaded and tried out, once for each path.  Raises CryptoMbUnavailableError."""
    library = CryptoMb(path)
    require_sound(library)
    return library


def require_sound(lanes: Lanes) -> None:
    """Raises CryptoMbUnavailableError where the library signs otherwise than OpenSSL: with a new key of 2,048 bits."""
    private_key = generate_private_key(PUBLIC_EXPONENT, KEY_BITS[0])
    key = multibuffer_key.__wrapped__(private_key)
    messages = [bytes([lane]) for lane in range(LANES)]
    for count in (LANES, LANES // 2):
        expected = [sign_alone(private_key, message) for message in messages[:count]]
        if key is None or signatures_of(lanes, [key] * count, messages[:count]) != expected:
            raise CryptoMbUnavailableError("the library's signatures are not OpenSSL's")


class _Process:
    """The way of this process; found with `auto` where nobody chose before the first signature."""

    way: RsaWay | None = None
    faults = 0


def choose(choice: RsaChoice, library: Path | None = None) -> RsaWay:
    """Decide what signs in this process from now on, and log it.  Raises CryptoMbUnavailableError as `find_way`."""
    way = find_way(choice, library)
    use(way)
    _log.info("RSA signatures", extra={"way": way.choice.value, "reason": way.reason})
    return way


def use(way: RsaWay) -> None:
    """Sign that way from now on."""
    _Process.way, _Process.faults = way, 0


def chosen_way() -> RsaWay:
    """What signs in this process."""
    return _Process.way or choose(RsaChoice.AUTO)


def count_faults(faults: int) -> None:
    """Some results were no signatures; too many, and the library is not used any more."""
    RSA_FAULTS.inc(faults)
    _Process.faults += faults
    _log.warning("results of the multi-buffer library were no signatures", extra={"faults": faults})
    if _Process.faults >= FAULTS_MAX:
        _Process.way = RsaWay(None, "the library's results were wrong too often")
        _log.error("the multi-buffer library is given up", extra={"faults": _Process.faults})
