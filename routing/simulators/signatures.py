"""RSA with SHA-256 and PKCS#1 v1.5, as all channels sign; answers that can wait for each other are signed together.

What merchants sign is verified elsewhere and with `cryptography` alone, so that a fault of what signs here, or at the
gateway, is found by the other side.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.kernel.rsa.choosing import chosen_way
from gateway.kernel.rsa.crypto_mb import LANES
from gateway.kernel.rsa.signing import sign_sha256
from routing.simulators.alarm import Alarm

_PADDING: Final = PKCS1v15()
_SHA256: Final = SHA256()


def sign(key: RSAPrivateKey, text: bytes) -> bytes:
    """The base64 signature of a text, made at once."""
    return base64.b64encode(key.sign(text, _PADDING, _SHA256))


class Signatory:
    """Signs answers that are not due yet: eight at a time, or as many as there are when the first of them must go.

    For one event loop.
    """

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._alarm = Alarm(self._go)

    async def sign(self, key: RSAPrivateKey, text: bytes, until_s: float) -> bytes:
        """The base64 signature; the work begins by `until_s` of the loop's clock, at once where that is over."""
        loop = asyncio.get_running_loop()
        if until_s > loop.time() and chosen_way().lanes is not None:
            await self._gathered(loop, until_s)
        return base64.b64encode(await sign_sha256(key, text))

    def _gathered(self, loop: asyncio.AbstractEventLoop, until_s: float) -> asyncio.Future[None]:
        """Done for all who wait in the same turn of the loop, in which `sign_sha256` takes them together."""
        turn = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) == LANES:
            self._go()
        else:
            self._alarm.by(until_s)
        return turn

    def _go(self) -> None:
        self._alarm.silence()
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():  # whoever waited may have been cancelled
                turn.set_result(None)
