"""The token in a payment's own code leads back to the payment, and none can be made up or changed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codes.tokens import payment_of_token, payment_token
from gateway.kernel.ids import new_id
from gateway.kernel.secrets import Vault

VAULT = Vault(bytes(32))


def test_a_token_leads_to_its_payment_and_fits_into_an_address() -> None:
    payment_id = new_id("pay")
    token = payment_token(VAULT, payment_id)
    assert payment_of_token(VAULT, token) == payment_id
    assert re.fullmatch(r"p[0-9A-Z]{42}", token)


def test_a_token_of_another_installation_leads_nowhere() -> None:
    assert payment_of_token(Vault(bytes([1] * 32)), payment_token(VAULT, new_id("pay"))) is None


def test_a_token_with_any_letter_changed_leads_nowhere() -> None:
    token = payment_token(VAULT, new_id("pay"))
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert payment_of_token(VAULT, token[:place] + other + token[place + 1 :]) is None


@pytest.mark.parametrize(
    "change",
    [str.lower, lambda token: token + "=", lambda token: token[:-1] + "\ud800", lambda token: token[:-1], lambda _: ""],
)
def test_a_token_in_another_form_leads_nowhere(change: object) -> None:
    assert callable(change)
    assert payment_of_token(VAULT, change(payment_token(VAULT, new_id("pay")))) is None


@given(st.text(max_size=60))
def test_any_other_text_leads_nowhere(text: str) -> None:
    assert payment_of_token(VAULT, text) is None
