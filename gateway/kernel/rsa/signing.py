"""RSA signatures for many tasks of one event loop: who signs in the same turn of it is signed together.

A call of the multi-buffer library costs as much for one signature as for eight, and as much as three of OpenSSL's for
keys of 2,048 bits.  Nobody waits for company: whoever signs while the loop works off what is ready joins those that did
before, and at the loop's next turn they are signed, by the library where they are enough for it, by OpenSSL otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from gateway.kernel.metrics import RSA_CALLS, RSA_SIGNATURES
from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.choosing import chosen_way, count_faults, sign_alone
from gateway.kernel.rsa.crypto_mb import LANES, Lanes
from gateway.kernel.rsa.multibuffer import MultibufferKey, multibuffer_key, signatures_of
from gateway.kernel.values import value

TOGETHER_MIN: Final = {2_048: 4, 3_072: 7, 4_096: 5}
"""By the length of the keys: from so many on one call is cheaper than OpenSSL's (docs/decisions/0039)."""
_log: Final = logging.getLogger("mashang.rsa")
_CALLS: Final = RSA_CALLS.labels()
_BY_MULTIBUFFER: Final = RSA_SIGNATURES.labels(RsaChoice.MULTIBUFFER.value)
_BY_OPENSSL: Final = RSA_SIGNATURES.labels(RsaChoice.OPENSSL.value)


@value
class _Waiting:
    """What is to be signed, and for whom; the message can have a payer's code in it, so it is shown nowhere."""

    private_key: RSAPrivateKey
    key: MultibufferKey
    message: bytes = field(repr=False)
    signature: asyncio.Future[bytes]


async def sign_sha256(key: RSAPrivateKey, message: bytes) -> bytes:
    """The signature of a message, PKCS#1 v1.5 with SHA-256.  Raises what cryptography raises."""
    lanes = chosen_way().lanes
    prepared = multibuffer_key(key) if lanes is not None else None
    if lanes is None or prepared is None:
        _BY_OPENSSL.inc()
        return sign_alone(key, message)
    loop = asyncio.get_running_loop()
    waiting = _Waiting(key, prepared, message, loop.create_future())
    _LINES.of(loop, prepared.bits).join(waiting)
    return await waiting.signature


class _Line:
    """Signatures with keys of one length that wait in one event loop."""

    __slots__ = ("_loop", "_together_min", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, together_min: int) -> None:
        self._loop = loop
        self._together_min = together_min
        self._waiting: list[_Waiting] = []

    def join(self, waiting: _Waiting) -> None:
        """Be signed at the loop's next turn."""
        if not self._waiting:
            self._loop.call_soon(self._sign)
        self._waiting.append(waiting)

    def _sign(self) -> None:
        """Sign the first eight; the others are signed a turn later, with who comes until then."""
        waiting = [one for one in self._waiting if not one.signature.done()]
        now, self._waiting = waiting[:LANES], waiting[LANES:]
        if self._waiting:
            self._loop.call_soon(self._sign)
        lanes = chosen_way().lanes
        if lanes is None or len(now) < self._together_min:
            for one in now:
                _sign_alone(one)
        else:
            _sign_together(lanes, now)


class _Lines:
    """The lines of the event loop that signed last, by the length of the keys.

    A loop that ends with signatures waiting takes its lines along: the next one begins with new ones.  Loops that run
    at once, in threads of their own, take them from each other and have fewer signatures together; a line stays one
    loop's all the same, for the loop holds it while somebody waits.
    """

    __slots__ = ("_lines", "_loop")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: dict[int, _Line] = {}

    def of(self, loop: asyncio.AbstractEventLoop, bits: int) -> _Line:
        """The line of a loop for keys of that length."""
        lines = self._lines
        if self._loop is not loop:
            lines = self._lines = {}
            self._loop = loop
        line = lines.get(bits)
        if line is None:
            line = lines[bits] = _Line(loop, TOGETHER_MIN[bits])
        return line


_LINES: Final = _Lines()


def _sign_alone(one: _Waiting) -> None:
    try:
        signature = sign_alone(one.private_key, one.message)
    except Exception as error:  # it is the waiting task's
        one.signature.set_exception(error)
    else:
        _BY_OPENSSL.inc()
        one.signature.set_result(signature)


def _sign_together(lanes: Lanes, several: Sequence[_Waiting]) -> None:
    signatures = _signatures(lanes, several)
    made = len(several) - signatures.count(None)
    _CALLS.inc()
    _BY_MULTIBUFFER.inc(made)
    if made < len(several):
        count_faults(len(several) - made)
    for one, signature in zip(several, signatures, strict=True):
        if signature is None:
            _sign_alone(one)
        else:
            one.signature.set_result(signature)


def _signatures(lanes: Lanes, several: Sequence[_Waiting]) -> list[bytes | None]:
    try:
        return signatures_of(lanes, [one.key for one in several], [one.message for one in several])
    except Exception:  # whatever it is, OpenSSL can sign
        _log.exception("the multi-buffer library failed")
        return [None] * len(several)
