"""A sale belongs to one code, begins one payment, and only while its page is fresh."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codes.sales import SALE_S, may_begin, new_sale, order_no_of_sale
from gateway.kernel.ids import ulid_time
from gateway.kernel.secrets import Vault
from gateway.payments.schemas import ORDER_NO_PATTERN

VAULT = Vault(bytes(32))
TOKEN = "sAAAAAAAAAAAAAAAAAAAAAA"


def test_a_sale_names_one_order_number_that_payments_take() -> None:
    sale = new_sale(VAULT, TOKEN)
    number = order_no_of_sale(VAULT, TOKEN, sale)
    assert number == f"Q-{sale[:26]}"
    assert re.fullmatch(ORDER_NO_PATTERN, number)
    assert new_sale(VAULT, TOKEN) != sale


def test_a_sale_of_one_code_is_none_at_another_or_elsewhere() -> None:
    sale = new_sale(VAULT, TOKEN)
    assert order_no_of_sale(VAULT, "sBBBBBBBBBBBBBBBBBBBBBB", sale) is None
    assert order_no_of_sale(Vault(bytes([1] * 32)), TOKEN, sale) is None
    assert not may_begin(VAULT, "sBBBBBBBBBBBBBBBBBBBBBB", sale)


def test_a_sale_with_any_letter_changed_is_none() -> None:
    sale = new_sale(VAULT, TOKEN)
    for place in range(len(sale)):
        other = "A" if sale[place] != "A" else "B"
        assert order_no_of_sale(VAULT, TOKEN, sale[:place] + other + sale[place + 1 :]) is None


@given(st.text(max_size=64))
def test_any_other_text_is_no_sale(text: str) -> None:
    assert order_no_of_sale(VAULT, TOKEN, text) is None
    assert not may_begin(VAULT, TOKEN, text)


@pytest.mark.parametrize(("age_s", "begins"), [(0, True), (SALE_S - 1, True), (SALE_S + 1, False)])
def test_an_old_page_begins_nothing_but_its_sale_is_still_known(
    monkeypatch: pytest.MonkeyPatch, age_s: int, *, begins: bool
) -> None:
    sale = new_sale(VAULT, TOKEN)
    now = ulid_time(sale[:26]).timestamp() + age_s
    monkeypatch.setattr(time, "time", lambda: now)
    assert may_begin(VAULT, TOKEN, sale) is begins
    assert order_no_of_sale(VAULT, TOKEN, sale) is not None
