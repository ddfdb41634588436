"""A simulated channel in the test's own process, under a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from routing.simulators.acts import ORDINARY, Act, Delivery
from routing.simulators.app import build_channel
from routing.simulators.books import Books
from routing.simulators.channel import HttpAnswer, HttpRequest
from routing.simulators.provision import Provision
from tests.unit.simulators.till import Raw, Till
from tests.unit.simulators.tills import TILLS

START_MS = 1_795_312_800_000
"""2026-11-22 10:00 in Beijing."""


class Lost(Exception):
    """No answer came."""


@dataclass
class Bench:
    """A till, the channel's books, and the clock of both."""

    till: Till
    books: Books
    now_ms: int = START_MS

    def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        self.now_ms += round(seconds * 1_000)


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
        if isinstance(call, HttpAnswer):
            answer = call
        else:
            act: Act = call.magic or ORDINARY
            draft = call.perform(act) if act.processed else None
            if draft is None or act.delivery is Delivery.NEVER:
                raise Lost
            answer = draft.seal(act.sealing)
        return Raw(answer.status, {n.decode().lower(): v.decode() for n, v in answer.headers}, answer.body)

    bench = Bench(TILLS[account](seed.settings, send, lambda: bench.now_ms / 1_000), books)
    try:
        yield bench
    finally:
        books.close()
