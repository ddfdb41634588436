"""Names become checked addresses: one bad address refuses them all, and slow names hold up nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network

import pytest

from gateway.webhooks import resolving
from gateway.webhooks.addresses import AddressRefused, AddressRules, Target
from gateway.webhooks.resolving import NameUnknown, Resolver, look_up
from tests.support.waiting import until

PUBLIC = AddressRules()


@contextmanager
def resolver(look_up: Callable[[str], Sequence[str]], rules: AddressRules = PUBLIC) -> Iterator[Resolver]:
    made = Resolver(rules, look_up)
    try:
        yield made
    finally:
        made.close()


def target(host: str) -> Target:
    return PUBLIC.target(f"https://{host}/")


async def resolve(made: Resolver, host: str) -> list[str]:
    return [str(address) for address in await made.addresses(target(host))]


class NameServer:
    """Answers from a table, and counts; a name without an entry waits until it is let go."""

    def __init__(self, **table: Sequence[str]) -> None:
        self.table = {name.replace("_", "."): list(addresses) for name, addresses in table.items()}
        self.asked: list[str] = []
        self.let_go = threading.Event()

    def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        if name not in self.table:
            assert self.let_go.wait(20)
        if name not in self.table:
            raise OSError("no answer")
        return self.table[name]


async def test_a_name_gives_its_addresses_in_the_order_of_the_name_server() -> None:
    with resolver(NameServer(till_example=["2400:3200::1", "1.1.1.1"])) as made:
        assert await resolve(made, "till.example") == ["2400:3200::1", "1.1.1.1"]


async def test_a_number_is_not_looked_up() -> None:
    server = NameServer()
    with resolver(server) as made:
        assert await resolve(made, "8.8.8.8") == ["8.8.8.8"]
    assert server.asked == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["169.254.169.254", "1.1.1.1"], ["::1"], ["::ffff:1.1.1.1"],
     ["fe80::1%eth0"], ["fd00::1", "2400:3200::1"], ["64:ff9b::7f00:1"]],
)  # fmt: skip
async def test_one_address_that_points_inside_refuses_the_name(addresses: list[str]) -> None:
    with resolver(NameServer(till_example=addresses)) as made, pytest.raises(AddressRefused):
        await resolve(made, "till.example")


async def test_an_allowed_network_is_taken_from_a_name_too() -> None:
    rules = AddressRules((IPv4Network("127.0.0.0/8"),))
    with resolver(NameServer(till_example=["127.0.0.1"]), rules) as made:
        assert await resolve(made, "till.example") == ["127.0.0.1"]


@pytest.mark.parametrize("trouble", [OSError("unknown"), UnicodeError("label too long"), ValueError("embedded null")])
async def test_a_name_that_is_not_found_is_unknown(trouble: Exception) -> None:
    def fails(_: str) -> Sequence[str]:
        raise trouble

    with resolver(fails) as made, pytest.raises(NameUnknown):
        await resolve(made, "till.example")


async def test_many_that_wait_for_one_name_ask_once() -> None:
    server = NameServer()
    with resolver(server) as made:
        waiting = [asyncio.create_task(resolve(made, "till.example")) for _ in range(50)]
        await until(lambda: bool(server.asked))
        server.table["till.example"] = ["1.1.1.1"]
        server.let_go.set()
        assert await asyncio.gather(*waiting) == [["1.1.1.1"]] * 50
    assert server.asked == ["till.example"]


async def test_an_answer_serves_for_seconds_and_is_then_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = NameServer(till_example=["1.1.1.1"])
    with resolver(server) as made:
        await resolve(made, "till.example")
        server.table["till.example"] = ["127.0.0.1"]
        assert await resolve(made, "till.example") == ["1.1.1.1"]
        monkeypatch.setattr(resolving, "_KEPT_S", 0.0)
        made._known.clear()
        with pytest.raises(AddressRefused):
            await resolve(made, "till.example")
    assert len(server.asked) == 2


async def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_WAIT_S", 0.05)
    server = NameServer()
    with resolver(server) as made:
        with pytest.raises(NameUnknown):
            await resolve(made, "slow.example")
        server.let_go.set()


async def test_names_that_were_slow_hold_up_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_WAIT_S", 0.05)
    monkeypatch.setattr(resolving, "_SLOW_S", 0.01)
    server = NameServer(till_example=["1.1.1.1"])
    slow = [f"slow{number}.example" for number in range(resolving._THREADS)]
    with resolver(server) as made:
        await asyncio.gather(*(resolve(made, name) for name in slow), return_exceptions=True)
        server.let_go.set()
        await until(lambda: not made._asked)
        made._known.clear()
        server.let_go.clear()
        await asyncio.gather(*(resolve(made, name) for name in slow), return_exceptions=True)
        assert len(made._asked) == len(slow), "all of them are being asked for still"
        monkeypatch.setattr(resolving, "_WAIT_S", 30.0)
        assert await resolve(made, "till.example") == ["1.1.1.1"]
        server.let_go.set()


def test_the_operating_system_gives_each_address_once() -> None:
    found = look_up("localhost")
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found)) > 0
