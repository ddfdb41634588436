"""What three small clients of the channels share; no code of the simulators or adapters is in them.

They give the tests one vocabulary: a state (captured, pending, refused, reversed, refunded, closed, not_found,
accepted, error, malformed) and how the answer was sealed (good, missing, bad).
"""

from __future__ import annotations

import base64
import functools
import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key


@dataclass
class Raw:
    """What came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(Protocol):
    """Carries a request to a simulator: over HTTP, or in process with a clock of the test's."""

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Raw: ...


@dataclass
class Answer:
    """An answer as the till understood it."""

    state: str
    seal: str
    code: str = ""
    amount: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    raw: Raw = field(default_factory=lambda: Raw(0, {}, b""))


@functools.cache
def private(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@functools.cache
def public(pem: str) -> rsa.RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def signature(key: rsa.RSAPrivateKey, text: bytes) -> str:
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), SHA256())).decode()


def good(key: rsa.RSAPublicKey, signature: str, text: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature), text, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def yuan(fen: int) -> str:
    return f"{fen / 100:.2f}"


def fen(yuan: str | None) -> int | None:
    return None if yuan is None else round(float(yuan) * 100)


class Till(ABC):
    """What the three clients share."""

    wallet = ""
    code_head = ""
    code_digits = 18

    def __init__(self, settings: dict[str, Any], wire: Wire, now_s: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.wire = wire
        self.now_s = now_s

    def code(self, tail: str = "") -> str:
        """A new payment code of this wallet; without a tail, none of the magic ones."""
        middle = self.code_digits - len(self.code_head) - 4
        digits = "".join(random.choices("0123456789", k=middle))
        return self.code_head + digits + (tail or f"{random.randrange(8_000):04d}")

    def order_no(self) -> str:
        """A new order number."""
        return "T" + os.urandom(10).hex()

    def beijing(self, form: str) -> str:
        return (datetime.fromtimestamp(self.now_s(), UTC) + timedelta(hours=8)).strftime(form)

    @abstractmethod
    def pay(
        self, order_no: str, fen: int, code: str, *, timeout_s: float = 5, description: str = "latte"
    ) -> Answer: ...

    @abstractmethod
    def query(self, order_no: str) -> Answer: ...

    @abstractmethod
    def reverse(self, order_no: str) -> Answer: ...

    @abstractmethod
    def refund(self, order_no: str, refund_no: str, fen: int, total: int) -> Answer: ...

    @abstractmethod
    def query_refund(self, order_no: str, refund_no: str) -> Answer: ...

    def settled(self, order_no: str, *, within_s: float = 5) -> Answer:
        """The query's answer once the order is not pending any more."""
        deadline = time.monotonic() + within_s
        while (answer := self.query(order_no)).state == "pending" and time.monotonic() < deadline:
            time.sleep(0.03)
        return answer
