"""The cookies of the cashier page are good for one code, one purpose and a time, and cannot be made up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codes import visits
from gateway.codes.visits import Asking, Visitor, new_asking, open_asking, open_visitor, seal
from gateway.codes.wallets import Browser
from gateway.kernel.secrets import Vault
from routing.channels.base import Wallet

VAULT = Vault(bytes(32))
TOKEN = "sAAAAAAAAAAAAAAAAAAAAAA"
VISITOR = Visitor(Wallet.UNIONPAY, "unionpay_1", "UnionPay/1.0 CloudPay", "payer+/=1")
ASKING = new_asking(Browser(Wallet.WECHAT), "wechat_1", "a-sale", 2)


def test_a_cookie_opens_to_what_was_sealed() -> None:
    assert open_visitor(VAULT, TOKEN, seal(VAULT, TOKEN, VISITOR)) == VISITOR
    assert open_asking(VAULT, TOKEN, seal(VAULT, TOKEN, ASKING)) == ASKING


def test_a_cookie_of_one_code_opens_nothing_at_another() -> None:
    assert open_visitor(VAULT, "sBBBBBBBBBBBBBBBBBBBBBB", seal(VAULT, TOKEN, VISITOR)) is None
    assert open_asking(VAULT, "sBBBBBBBBBBBBBBBBBBBBBB", seal(VAULT, TOKEN, ASKING)) is None


def test_a_cookie_of_one_purpose_serves_no_other() -> None:
    assert open_visitor(VAULT, TOKEN, seal(VAULT, TOKEN, ASKING)) is None
    assert open_asking(VAULT, TOKEN, seal(VAULT, TOKEN, VISITOR)) is None


def test_a_cookie_of_another_installation_is_none() -> None:
    assert open_visitor(Vault(bytes([1] * 32)), TOKEN, seal(VAULT, TOKEN, VISITOR)) is None


@pytest.mark.parametrize(
    ("value", "opened", "good_for_s"),
    [(ASKING, open_asking, visits.ASKING_S), (VISITOR, open_visitor, visits.VISIT_S)],
)
def test_a_cookie_is_good_for_its_time(
    monkeypatch: pytest.MonkeyPatch,
    value: Asking | Visitor,
    opened: Callable[[Vault, str, str], object],
    good_for_s: int,
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    cookie = seal(VAULT, TOKEN, value)
    monkeypatch.setattr(time, "time", lambda: 999.0 + good_for_s)
    assert opened(VAULT, TOKEN, cookie) == value
    monkeypatch.setattr(time, "time", lambda: 1_000.0 + good_for_s)
    assert opened(VAULT, TOKEN, cookie) is None


def test_a_cookie_with_any_byte_changed_is_none() -> None:
    sealed = bytes.fromhex(seal(VAULT, TOKEN, VISITOR))
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        assert open_visitor(VAULT, TOKEN, changed.hex()) is None


@given(st.text(max_size=100) | st.none())
def test_any_other_text_is_none(cookie: str | None) -> None:
    assert open_visitor(VAULT, TOKEN, cookie) is None
    assert open_asking(VAULT, TOKEN, cookie) is None


def test_a_cookie_of_any_length_is_read_in_bounds() -> None:
    assert open_visitor(VAULT, TOKEN, "ab" * 1_000_000) is None


def test_the_way_back_has_to_bring_the_very_state_to_the_very_wallet() -> None:
    assert ASKING.expects("wechat", ASKING.state)
    assert not ASKING.expects("alipay", ASKING.state)
    assert not ASKING.expects("wechat", ASKING.state + "x")
    assert not ASKING.expects("wechat", "")
    assert not ASKING.expects("wechat", "ä\ud800")
    assert len({new_asking(Browser(Wallet.WECHAT), "a", None, 1).state for _ in range(100)}) == 100


def test_the_payer_is_not_shown_where_a_visitor_is_printed() -> None:
    assert "payer+/=1" not in repr(VISITOR)
    assert "payer+/=1" not in seal(VAULT, TOKEN, replace(VISITOR, account_id="other"))
