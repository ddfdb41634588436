"""Channel numbers, comparison of requests, and the payment object."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.failures import FAILURES, FailureCode
from gateway.kernel.ids import new_id
from gateway.kernel.money import Money
from gateway.kernel.secrets import Vault
from gateway.payments.numbers import ATTEMPTS_MAX, attempt_order_no, give_back_no
from gateway.payments.payment import LateCaptureView, PaymentOrder, first_difference
from gateway.payments.schemas import PaymentRequest
from gateway.payments.states import Status
from tests.unit.payments.payments import CREATED, payment

NUMBER = re.compile(r"[0-9A-Za-z]{8,32}")
VAULT = Vault(bytes(32))


@pytest.mark.parametrize("seq", range(1, ATTEMPTS_MAX + 1))
def test_a_channels_numbers_are_8_to_32_letters_and_digits(seq: int) -> None:
    payment_id = new_id("pay")
    assert NUMBER.fullmatch(attempt_order_no(payment_id, seq))
    assert NUMBER.fullmatch(give_back_no(payment_id, seq))


def test_no_two_attempts_or_returns_share_a_number_and_each_tells_its_payment() -> None:
    payments = [new_id("pay") for _ in range(3)]
    numbers = [
        make(payment_id, seq)
        for payment_id in payments
        for seq in range(1, ATTEMPTS_MAX + 1)
        for make in (attempt_order_no, give_back_no)
    ]
    assert len(set(numbers)) == len(numbers)
    assert {f"pay_{number[:26]}" for number in numbers} == set(payments)


@pytest.mark.parametrize("seq", [0, -1, ATTEMPTS_MAX + 1])
def test_there_is_no_number_for_an_attempt_that_cannot_be(seq: int) -> None:
    with pytest.raises(ValueError, match="at most 31 attempts"):
        attempt_order_no(new_id("pay"), seq)


leaves = st.sampled_from([None, 0, 1, "a"])
groups = st.dictionaries(st.sampled_from("xy"), leaves, max_size=2)
requests = st.dictionaries(st.sampled_from("abc"), leaves | groups, max_size=3)


def without_nothing(request: dict[str, Any]) -> dict[str, Any]:
    """The request without fields that are None; what is not there and None are the same to a till."""
    return {
        name: without_nothing(value) if isinstance(value, dict) else value
        for name, value in request.items()
        if value is not None
    }


@given(requests, requests)
def test_two_requests_differ_somewhere_or_are_the_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    same = first_difference(ours, theirs) is None
    assert same == (without_nothing(ours) == without_nothing(theirs))
    assert first_difference(ours, ours) is None


@given(requests, requests)
def test_whoever_compares_finds_the_same_first_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert first_difference(ours, theirs) == first_difference(theirs, ours)


def test_a_group_that_differs_only_in_what_is_not_there_hides_no_later_difference() -> None:
    assert first_difference({"a": {"x": None}, "b": 1}, {"a": {}, "b": 2}) == "b"


@pytest.mark.parametrize(
    ("theirs", "path"),
    [
        ({"amount": 2}, "amount"),
        ({"customer": {"id": "c", "location": {"latitude": 2.0}}}, "customer.location.latitude"),
        ({"customer": None}, "customer"),
        ({"metadata": {"table": "12"}}, "metadata.table"),
        ({"coupons": ["A"]}, "coupons"),
        ({"amount": 2, "coupons": ["A"]}, "amount"),
    ],
)
def test_a_difference_is_named_by_its_path(theirs: dict[str, Any], path: str) -> None:
    ours = {
        "amount": 1,
        "customer": {"id": "c", "location": {"latitude": 1.0}},
        "metadata": {},
        "coupons": [],
    }
    assert first_difference(ours, ours | theirs) == path


def order(**changes: Any) -> PaymentOrder:
    fields = {
        "merchant_order_no": "POS7-1",
        "amount": 2_599,
        "currency": "CNY",
        "method": "barcode",
        "auth_code": "134567890123456789",
        "customer": {"id": "c-42", "location": {"latitude": 31.23, "longitude": 121.47}},
        "metadata": {"桌": "12"},
    }
    return PaymentOrder.of("mer_1", "Shop", PaymentRequest.model_validate(fields | changes), None, VAULT)


def test_the_auth_code_stands_in_no_stored_form_of_the_order() -> None:
    made = order()
    assert b"134567890123456789" not in made.canonical()
    assert "134567890123456789" not in repr(made.fields)


def test_what_is_stored_compares_equal_to_the_same_request_sent_again() -> None:
    assert first_difference(order().comparable(), order().comparable()) is None
    assert order().canonical() == order().canonical()
    assert first_difference(order().comparable(), order(auth_code="134567890123456788").comparable()) == "auth_code"


def test_a_request_from_before_there_was_a_field_for_rooted_devices_stays_the_same() -> None:
    assert b"device_rooted" not in order().canonical(), "its fingerprint was stored without it"
    said = order(customer={"id": "c-42", "device_rooted": False})
    assert said.comparable()["customer"]["device_rooted"] is False
    assert first_difference(order(customer={"id": "c-42"}).comparable(), said.comparable()) == "customer.device_rooted"


def test_a_payment_object_shows_the_discount_the_failure_and_every_late_capture() -> None:
    late = LateCaptureView(2_000, "wechat_direct", "42", "pending", CREATED, None)
    shown = payment(
        status=Status.FAILED,
        payable=Money(2_000),
        failure=FailureCode.NOT_CREATED,
        failure_channel_code="ORDERNOTEXIST",
        late_captures=(late,),
    ).to_json()
    assert (shown["amount"], shown["discount"], shown["payable"]) == (2_599, 599, 2_000)
    assert shown["failure"] == {
        "code": "not_created",
        "message": FAILURES[FailureCode.NOT_CREATED].message,
        "channel_code": "ORDERNOTEXIST",
        "retryable": True,
    }
    assert shown["late_captures"][0]["refunded_at"] is None
    assert shown["created_at"] == "2026-11-22T04:05:06.007Z"
    assert shown["completed_at"] is None


@pytest.mark.parametrize(
    ("changes", "is_aggregated", "has_open_attempt"),
    [
        ({"method": "barcode"}, False, True),
        ({"status": Status.PROCESSING}, False, True),
        ({"pay_until": CREATED}, False, True),
        ({"attempt_seq": 0, "wallet": None}, True, False),
        ({"attempt_at": CREATED, "pay_until": CREATED}, True, True),
        ({"attempt_at": CREATED, "attempt_seq": 2, "any_wallet": True}, True, False),
        ({"attempt_at": CREATED, "attempt_seq": 2}, False, True),
    ],
    ids=["bar code", "one wallet's", "one wallet's, shown", "any wallet's", "chosen", "shut again", "failed over"],
)
def test_a_payment_knows_which_kind_of_code_it_is_and_whether_its_order_is_open(
    changes: dict[str, Any], *, is_aggregated: bool, has_open_attempt: bool
) -> None:
    code = payment(**({"method": "qrcode", "status": Status.REQUIRES_ACTION} | changes))
    assert (code.is_aggregated, code.has_open_attempt) == (is_aggregated, has_open_attempt)


@pytest.mark.parametrize("status", Status)
def test_a_code_is_shown_only_while_it_can_be_paid(status: Status) -> None:
    shown = payment(method="qrcode", status=status, qr_code="weixin://x").to_json()["qr_code"]
    assert shown == ("weixin://x" if status is Status.REQUIRES_ACTION else None)


def test_an_attempt_that_was_opened_later_goes_to_its_channel_with_its_own_time() -> None:
    later = CREATED + timedelta(minutes=1)
    assert payment(attempt_seq=2, attempt_at=later).channel_order.created_at == later
    assert payment().channel_order.created_at == CREATED
