"""How traces are named and drawn, and what is believed of a caller's header."""

from __future__ import annotations

import pytest

from gateway.kernel.ids import new_id, same_ulid
from gateway.tracing.identity import (
    Parent,
    Place,
    drawn_below,
    is_drawn,
    payment_of_message,
    place_of,
    read_traceparent,
)

_TRACE, _SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_request_and_the_payment_it_makes_have_one_place() -> None:
    request_id = new_id("req")
    assert place_of(request_id) == place_of(same_ulid("pay", request_id))
    assert place_of(request_id) != place_of(new_id("req"))


def test_a_place_is_the_ulid_as_a_number() -> None:
    assert place_of("pay_0000000000000000000000000Z") == Place(31, 31)
    assert place_of("pay_7ZZZZZZZZZZZZZZZZZZZZZZZZZ") == Place(2**128 - 1, 2**64 - 1)
    assert place_of("pay_00000000000000000000000000").span_id == 1, "no span may have the id 0"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 1.0])
def test_so_many_ids_are_drawn_as_the_share_says(share: float) -> None:
    below, count = drawn_below(share), 20_000
    drawn = sum(is_drawn(new_id("req"), below) for _ in range(count))
    spread = 6 * (share * (1 - share) * count) ** 0.5
    assert abs(drawn - share * count) <= spread


def test_a_payment_is_drawn_where_its_request_is() -> None:
    below, ids = drawn_below(0.5), [new_id("req") for _ in range(100)]
    drawn = [is_drawn(one, below) for one in ids]
    assert drawn == [is_drawn(same_ulid("pay", one), below) for one in ids]
    assert set(drawn) == {True, False}


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("fe", False)])
def test_a_traceparent_is_read(flags: str, sampled: bool) -> None:
    parent = read_traceparent(f"00-{_TRACE}-{_SPAN}-{flags}".encode())
    assert parent == Parent(Place(int(_TRACE, 16), int(_SPAN, 16)), sampled)


def test_a_later_version_may_say_more() -> None:
    assert read_traceparent(f"cc-{_TRACE}-{_SPAN}-01-what-comes".encode()) is not None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{_TRACE}-{_SPAN}",
        f"00-{_TRACE}-{_SPAN}-01-more",
        f"00-{_TRACE}-{_SPAN}-1",
        f"ff-{_TRACE}-{_SPAN}-01",
        f"00-{_TRACE.upper()}-{_SPAN}-01",
        f"00-{'0' * 32}-{_SPAN}-01",
        f"00-{_TRACE}-{'0' * 16}-01",
        f"00-{_TRACE}-{_SPAN}-01\n",
        f" 00-{_TRACE}-{_SPAN}-01",
        f"cc-{_TRACE}-{_SPAN}-01-{'x' * 1_000}",
        f"cc-{_TRACE}-{_SPAN}-01.x",
    ],
)
def test_anything_else_is_no_traceparent(header: str) -> None:
    assert read_traceparent(header.encode()) is None


def test_a_message_names_its_payment() -> None:
    payment_id = new_id("pay")
    own = b'{"type":"payment.succeeded","data":{"id":"%b"}}' % payment_id.encode()
    refund = b'{"type":"refund.succeeded","data":{"id":"ref_1","payment_id":"%b"}}' % payment_id.encode()
    assert payment_of_message(own) == payment_of_message(refund) == payment_id
    assert payment_of_message(b'{"type":"coupon.issued","data":{"id":"cou_1"}}') is None
    assert payment_of_message(b'{"data":{"id":"pay_IIIIIIIIIIIIIIIIIIIIIIIIII"}}') is None
