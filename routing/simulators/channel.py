"""What the server asks of a simulated channel: read and check a request, carry it out, and seal the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from routing.simulators.acts import Act, CallKind, Sealing
from routing.simulators.notifications import Herald
from routing.simulators.signatures import sign
from routing.simulators.wallet import Wallet

Headers = list[tuple[bytes, bytes]]


def _whole(content: str) -> str:
    return content


@dataclass(frozen=True, slots=True)
class Display:
    """How a channel's displayed codes are scanned: by which wallets, the usual one first, and what finds the order.

    `handle_of` takes the content of a code; where it names the order by itself, it is the handle.
    """

    wallets: tuple[str, ...]
    handle_of: Callable[[str], str] = _whole

    @property
    def only_wallet(self) -> str | None:
        """The channel's one wallet; None where it stands before several."""
        return self.wallets[0] if len(self.wallets) == 1 else None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request: the raw target (path and query as sent), headers with lower-case names, the raw body."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def target(self) -> str:
        """Path and query exactly as sent."""
        return f"{self.raw_path}?{self.query}" if self.query else self.raw_path

    def header(self, name: bytes) -> str:
        """A header's text; empty when it is missing."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An answer that lacks nothing but the RSA signature of `text`; `finish` takes its base64."""

    key: RSAPrivateKey = field(repr=False)
    text: bytes
    finish: Callable[[bytes], HttpAnswer]


Sealed = HttpAnswer | Unsigned


def signed_at_once(sealed: Sealed) -> HttpAnswer:
    """The whole answer, for whoever waits for no others."""
    return sealed if isinstance(sealed, HttpAnswer) else sealed.finish(sign(sealed.key, sealed.text))


class Draft(Protocol):
    """An answer before it is signed."""

    def seal(self, sealing: Sealing) -> Sealed:
        """Everything but the RSA signature, which is made together with others'; none where the act wants none."""

    def malformed(self) -> HttpAnswer:
        """The same answer as nobody can read it."""


class Call(Protocol):
    """A request that passed every check of form and signature."""

    @property
    def kind(self) -> CallKind:
        """What it asks for."""

    @property
    def order_no(self) -> str:
        """The merchant's order number that it is about."""

    @property
    def magic(self) -> Act | None:
        """What its payment code or amount asks for."""

    def perform(self, act: Act) -> Draft:
        """Carry it out in the books."""

    def fail(self, code: str) -> Draft:
        """The answer that carries one of the channel's error codes."""

    def server_error(self) -> Draft:
        """The channel's way of saying that it does not know."""

    def rate_limited(self) -> Draft:
        """The channel's way of saying: too many calls."""

    def unavailable(self) -> Draft:
        """The channel's way of saying: not from this merchant now, whatever the order; nothing was touched."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A customer's browser at a page of the wallet: not a call of the merchant's, so faults and latency leave it alone.

    `answer` may change the books; what it changed is committed before it goes out.  `order_no` tells of which order
    it may have caused a payment, where that is known beforehand.
    """

    answer: Callable[[Wallet], HttpAnswer]
    order_no: str = ""


class Channel(Protocol):
    """One simulated channel."""

    @property
    def name(self) -> str:
        """The channel's name."""

    @property
    def display(self) -> Display:
        """How its displayed codes are scanned."""

    @property
    def herald(self) -> Herald:
        """What it tells by itself."""

    def read(self, request: HttpRequest) -> Call | Visit | HttpAnswer:
        """Check a request as the channel does; an answer where it is refused."""

    def visit(self, request: HttpRequest) -> Visit | None:
        """A page below `/_simulator/` that only this channel has (the stand-in of its in-page bridge)."""
