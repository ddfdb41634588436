"""Of the payments that begin, each that is not taken is a failure, whatever became of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from loadtests.upgrade.balancer import Balancer, Reply
from loadtests.upgrade.load import Load
from tests.support.waiting import until

TAKEN = Reply(201, b'{"id":"pay_1","status":"succeeded"}')


class Planted(Balancer):
    """Every payment is taken but the third."""

    def __init__(self, third: Reply | Exception) -> None:
        super().__init__()
        self._third = third
        self._asked = 0

    async def send(self, head: bytes, body: bytes) -> Reply:
        """The answer that was planted, or that of a payment taken."""
        self._asked += 1
        if self._asked != 3:
            return TAKEN
        if isinstance(self._third, Exception):
            raise self._third
        return self._third


@pytest.mark.parametrize(
    ("third", "failure"),
    [
        (Reply(0, b"gateway 1: ConnectionResetError"), "no answer"),
        (Reply(502, b"bad gateway"), "502"),
        (Reply(200, TAKEN.body), "200"),
        (Reply(202, b'{"id":"pay_1","status":"processing"}'), "202"),
        (Reply(201, b'{"id":"pay_1","status":"processing"}'), "201"),
        (RuntimeError("of the till"), "the till broke"),
    ],
)
async def test_one_payment_that_is_not_taken_is_noticed(tmp_path: Path, third: Reply | Exception, failure: str) -> None:
    load = Load(Planted(third), "key", tmp_path / "book")
    async with load.running(200):
        await until(lambda: len(load.sold) >= 5)
    assert load.failures.total() == 1
    assert next(iter(load.failures)).startswith(failure)


async def test_a_load_that_cannot_go_on_is_no_load_without_failures(tmp_path: Path) -> None:
    load = Load(Planted(TAKEN), "key", tmp_path / "book")
    with pytest.raises(ZeroDivisionError):
        async with load.running(0):
            await asyncio.sleep(0)  # it begins, and ends
