"""A simulated channel in the test's own process, under a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from routing.simulators.acts import ORDINARY, Act, Delivery
from routing.simulators.app import build_channel
from routing.simulators.books import Books
from routing.simulators.channel import Channel, HttpAnswer, HttpRequest, Visit, signed_at_once
from routing.simulators.faults import FaultPlan, read_plan
from routing.simulators.notifications import Post
from routing.simulators.postman import Postman
from routing.simulators.provision import Provision
from routing.simulators.wallet import Wallet
from tests.unit.simulators.till import Raw, Till
from tests.unit.simulators.tills import TILLS

START_MS = 1_795_312_800_000
"""2026-11-22 10:00 in Beijing."""


class Lost(Exception):
    """No answer came."""


@dataclass
class Faults:
    """The faults in force."""

    faults: FaultPlan = field(default_factory=FaultPlan)

    def set(self, *rules: dict[str, object], **plan: object) -> None:
        """Replace them."""
        self.faults = read_plan({"rules": list(rules), **plan})


@dataclass
class Bench:
    """A till, the channel's books, and the clock of both; a customer, and what the channel told.

    `answers` are what the merchant's server says to notifications, one by one; then it says `answer`.
    """

    till: Till
    books: Books
    channel: Channel
    holder: Faults
    wallet: Wallet
    now_ms: int = START_MS
    posted: list[tuple[str, Post]] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    answer: tuple[int, bytes] = (200, b"success")

    def __post_init__(self) -> None:
        self.postman = Postman(self.books, self.channel.herald, self.holder, self._take_in)

    async def _take_in(self, url: str, post: Post, _timeout_s: float) -> tuple[int, bytes]:
        self.posted.append((url, post))
        return self.answers.pop(0) if self.answers else self.answer

    def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now_ms += round(seconds * 1_000)

    async def tell(self) -> list[tuple[str, Post]]:
        """Send what is due; everything that was posted so far."""
        await asyncio.gather(*self.postman.send_due(self.now_ms))
        return self.posted

    def visit(self, request: HttpRequest) -> HttpAnswer:
        """A browser's request to a page of the wallet."""
        found = self.channel.visit(request) if request.path.startswith("/_simulator/") else self.channel.read(request)
        assert isinstance(found, Visit)
        return found.answer(self.wallet)


def browse(method: str, target: str, body: bytes = b"", **headers: str) -> HttpRequest:
    """A browser's request."""
    path, _, query = target.partition("?")
    names = {name.encode(): value.encode() for name, value in headers.items()}
    return HttpRequest(method, path, path, query, names, body)


@contextmanager
def bench_of(account: str, provisioned: Provision, folder: Path, **settings: object) -> Iterator[Bench]:
    """The account's till before its channel, whose switches may be changed.  Needs a running loop."""
    seed = next(seed for seed in provisioned.accounts if seed.id == account)
    config = json.loads(provisioned.simulators[seed.channel].read_text("utf-8"))
    books = Books(folder / f"{account}.sqlite", lambda: bench.now_ms)
    channel = build_channel(seed.channel, {**config, "settings": settings}, books)

    def send(method: str, target: str, headers: dict[str, str], body: bytes, _timeout_s: float) -> Raw:
        path, _, query = target.partition("?")
        names = {name.encode(): value.encode() for name, value in headers.items()}
        call = channel.read(HttpRequest(method, path, path, query, names, body))
        if isinstance(call, Visit):
            answer = call.answer(bench.wallet)
        elif isinstance(call, HttpAnswer):
            answer = call
        else:
            act: Act = holder.faults.act_for(call.kind, call.order_no, call.magic or ORDINARY)
            draft = call.perform(act) if act.processed else None
            if draft is None or act.delivery is Delivery.NEVER:
                raise Lost
            answer = signed_at_once(draft.seal(act.sealing))
        return Raw(answer.status, {n.decode().lower(): v.decode() for n, v in answer.headers}, answer.body)

    holder = Faults()
    till = TILLS[account](seed.settings, send, lambda: bench.now_ms / 1_000)
    bench = Bench(till, books, channel, holder, Wallet(books, holder))
    try:
        yield bench
    finally:
        books.close()
