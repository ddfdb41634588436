"""The customer with a phone: what can be paid, by whom, and when; files and codes that are good for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from routing.simulators.books import Books, Method, Status, Trade
from routing.simulators.files import Files
from routing.simulators.grants import Grants
from routing.simulators.pages import payer_of_visit, query_of, web_address
from routing.simulators.wallet import Action, Wallet, WalletRefused, payer_named
from tests.unit.simulators.in_process import START_MS, Faults, browse


class Desk:
    """Books under a clock of the test's, and a customer."""

    def __init__(self, path: Path) -> None:
        self.now_ms = START_MS
        self.books = Books(path, lambda: self.now_ms)
        self.wallet = Wallet(self.books, Faults())

    def order(self, **changes: object) -> Trade:
        trade = Trade(
            self.books.next_trade_seq(), "m", "NUMBER01", "", 1, 100, Status.OPEN, self.now_ms, 0, "", "", "{}",
            method=Method.CODE, handle="code",
        )  # fmt: skip
        for name, value in changes.items():
            setattr(trade, name, value)
        self.books.add(trade)
        return trade

    def now(self) -> Trade:
        found = self.books.find("m", "NUMBER01")
        assert found is not None
        return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "books.sqlite")
    yield made
    made.books.close()


async def test_whoever_pays_a_code_is_its_payer_and_the_one_who_looked_is_not(desk: Desk) -> None:
    desk.order()
    desk.wallet.scan("code", Action.SCAN, payer_named("alice"))
    assert (desk.now().payer, desk.now().scanned_ms, desk.now().status) == (payer_named("alice"), START_MS, "open")
    desk.now_ms += 1_000
    desk.wallet.scan("code", Action.PAY, payer_named("bob"))
    assert (desk.now().payer, desk.now().scanned_ms, desk.now().captured_ms) == (
        payer_named("bob"), START_MS, START_MS + 1_000,
    )  # fmt: skip


async def test_a_page_order_keeps_its_payer_and_a_nameless_one_is_a_stranger(desk: Desk) -> None:
    desk.order(method=Method.PAGE, payer="ab" * 12)
    desk.wallet.scan("code", Action.PAY, payer_named("bob"))
    assert desk.now().payer == "ab" * 12
    assert len(payer_named("bob")) == 24


async def test_nobody_pays_at_or_after_the_end(desk: Desk) -> None:
    desk.order(pay_until_ms=START_MS + 10_000, handle_until_ms=START_MS + 99_000)
    with pytest.raises(WalletRefused, match="by then"):
        desk.wallet.scan("code", Action.PAY, after_s=10)
    desk.wallet.scan("code", Action.PAY, after_s=9.9)
    desk.now_ms += 10_000
    assert desk.now().status == "captured"


async def test_a_payment_that_was_started_goes_through_although_the_code_expires_meanwhile_later(desk: Desk) -> None:
    desk.order(handle_until_ms=START_MS + 5_000)
    desk.wallet.scan("code", Action.PAY, after_s=4)
    desk.now_ms += 60_000
    assert (desk.now().status, desk.now().captured_ms) == ("captured", START_MS + 4_000)


async def test_a_decline_keeps_the_order_open_for_another_try(desk: Desk) -> None:
    desk.order()
    desk.wallet.scan("code", Action.DECLINE)
    assert desk.now().status == "open"
    desk.wallet.scan("code", Action.PAY)
    with pytest.raises(WalletRefused) as refused:
        desk.wallet.scan("code", Action.PAY)
    assert refused.value.reason == "paid"


async def test_a_grant_is_good_once_for_its_application_and_its_time(desk: Desk) -> None:
    grants = Grants(desk.books)
    code, other, late = (grants.give("app", f"payer{number}") for number in range(3))
    assert grants.redeem("another", code) is None
    assert (grants.redeem("app", code), grants.redeem("app", code)) == ("payer0", None)
    assert (grants.was_used("app", code), grants.was_used("app", other)) == (True, False)
    desk.now_ms += 59_000
    assert grants.redeem("app", other, good_for_s=60) == "payer1"
    desk.now_ms += 1_000
    assert grants.redeem("app", late, good_for_s=60) is None


async def test_a_file_is_there_for_its_time_and_then_thrown_away(desk: Desk) -> None:
    files = Files(desk.books)
    content = "账单".encode() * 1_000
    token = files.keep(content, 30)
    assert (files.fetch(token), files.fetch("0" * 40)) == (content, None)
    desk.now_ms += 30_000
    assert files.fetch(token) is None
    files.keep(b"", 30)
    desk.now_ms += 1
    files.keep(b"", 30)
    assert len(desk.books.rows("SELECT 1 FROM files")) == 2


def test_a_browser_is_known_by_name_or_by_its_cookie() -> None:
    named, [(_, cookie)] = payer_of_visit(browse("GET", "/x?payer=alice"), {"payer": "alice"})
    assert named == payer_named("alice")
    known, _ = payer_of_visit(browse("GET", "/x", cookie=cookie.decode().partition(";")[0]), {})
    assert known == named
    assert payer_of_visit(browse("GET", "/x"), {})[0] != payer_of_visit(browse("GET", "/x"), {})[0]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("http://127.0.0.1:8080/q/1?x=1#y", True),
        ("https://码.example/", False),
        ("javascript:alert(1)", False),
        ("http://", False),
        ("http://[::1", False),
        ("http://a/ b", False),
        ("http://a/\r\nb", False),
        ("/q/1", False),
    ],
)
def test_an_address_that_a_browser_is_sent_to_is_an_absolute_one(text: str, *, holds: bool) -> None:
    assert web_address(text) is holds


def test_the_last_of_a_parameter_counts_and_empty_ones_are_seen() -> None:
    assert query_of(browse("GET", "/x?a=1&a=2&b=")) == {"a": "2", "b": ""}
