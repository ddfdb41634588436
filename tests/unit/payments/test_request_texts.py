"""Texts and addresses of a payment request: what is printed, stored and shown to people is fit for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from gateway.payments.schemas import PaymentRequest

ORDER = {
    "merchant_order_no": "B1",
    "amount": 100,
    "currency": "CNY",
    "method": "barcode",
    "auth_code": "130084437941424028",
}
PLACES = [
    lambda text: {"description": text},
    lambda text: {"store_id": text},
    lambda text: {"terminal_id": text},
    lambda text: {"operator_id": text},
    lambda text: {"coupons": [text]},
    lambda text: {"customer": {"id": text}},
    lambda text: {"customer": {"device_id": text}},
    lambda text: {"metadata": {"table": text}},
    lambda text: {"metadata": {text: "12"}},
]


def read(more: dict[str, Any]) -> PaymentRequest:
    return PaymentRequest.model_validate_json(orjson.dumps(ORDER | more))


def complaint(more: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refused:
        read(more)
    return refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", ["\0", "a\x1fb", "\x7f", "a\x80", "\x9f", "tail\n", "\r\nhead"])
def test_no_text_holds_control_characters(place: Any, text: str) -> None:
    assert complaint(place(text)) == "Value error, must not hold control characters"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", ["拿铁咖啡", "a b", "\xa0", "\u2028", "😀" * 32, "~"])
def test_any_other_text_is_taken_as_it_is(place: Any, text: str) -> None:
    given = place(text)
    taken = read(given).model_dump(exclude_unset=True)
    assert {name: taken[name] for name in given} == given


@pytest.mark.parametrize(
    ("more", "longest"),
    [({"store_id": "x" * 33}, 32), ({"description": "x" * 128}, 127), ({"customer": {"id": "x" * 65}}, 64)],
)
def test_a_text_that_is_too_long_is_told_how_long_it_may_be(more: dict[str, Any], longest: int) -> None:
    assert complaint(more) == f"String should have at most {longest} characters"


@pytest.mark.parametrize(("ip", "stored"), [("203.0.113.7", "203.0.113.7"), ("2001:DB8::1", "2001:db8::1")])
def test_an_address_is_stored_in_its_one_spelling(ip: str, stored: str) -> None:
    customer = read({"customer": {"ip": ip}}).customer
    assert customer is not None
    assert customer.ip == stored


@pytest.mark.parametrize("ip", ["01.2.3.4", "1.2.3", "256.1.1.1", "0x1.2.3.4", "1.2.3.4 ", "１.2.3.4", "", "1.2.3.4\0"])
def test_nothing_else_is_an_address(ip: str) -> None:
    assert complaint({"customer": {"ip": ip}}) == "Value error, must be an IPv4 or IPv6 address"
