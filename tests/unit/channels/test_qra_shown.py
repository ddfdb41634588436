"""The adapter of the bar-code front: codes on display and their end, and pages, which it has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.kernel.failures import FailureCode
from routing.channels.base import Channel, ChannelRejected, ChannelUnknown, ChannelUnsent
from routing.channels.reports import CloseState
from tests.unit.channels.answering import LIMITS, ORDER, Canned, qra, qra_answer, qra_sign
from tests.unit.channels.qra_words import DONE, failed, turned_away
from tests.unit.channels.shown import CODE, WECHAT_PAGE

NOTIFY_URL = "https://pay.example/callbacks/qra/unionpay_front"
CODE_URL = "https://qra.95516.com/pay/qrcode?uuid=4d9a"
SHOWN = DONE | {"code_url": CODE_URL, "code_img_url": "https://qra.95516.com/pay/qrcode.png?uuid=4d9a"}


def opened(answer: Mapping[str, str], *, seal: str = "signed", **more: Any) -> tuple[Channel, Canned]:
    """An account that is notified."""
    return qra(qra_answer(answer, seal=seal), **({"notify_url": NOTIFY_URL} | more))


async def test_a_code_is_asked_for_as_the_document_says() -> None:
    channel, sent = opened(SHOWN)
    assert (await channel.create_code(CODE, LIMITS)).qr_code == CODE_URL
    fields = sent.xml
    assert fields["sign"] == qra_sign(fields)
    assert (fields["service"], fields["out_trade_no"]) == ("unified.trade.native", ORDER.order_no)
    assert (fields["body"], fields["total_fee"], fields["notify_url"]) == ("豆浆油条套餐", "1280", NOTIFY_URL)
    assert (fields["time_start"], fields["time_expire"]) == ("20261122101530", "20261122102030")  # Beijing time
    assert (fields["op_shop_id"], fields["op_device_id"], fields["op_user_id"]) == ("S1", "T0000001", "O1")


async def test_the_same_order_asked_for_again_has_the_same_values() -> None:
    channel, sent = opened(SHOWN)
    await channel.create_code(CODE, LIMITS)
    first = sent.xml
    await channel.create_code(CODE, LIMITS)
    changes = {name for name, value in sent.xml.items() if first[name] != value}
    assert changes == {"nonce_str", "sign"}


@pytest.mark.parametrize(
    ("pay_until", "stamp"),
    [
        (CODE.order.created_at + timedelta(seconds=5), "20261122101631"),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), "20270101000000"),
    ],
)
async def test_a_code_lives_at_least_a_minute_and_ends_by_beijings_time(pay_until: datetime, stamp: str) -> None:
    channel, sent = opened(SHOWN)
    await channel.create_code(replace(CODE, pay_until=pay_until), LIMITS)
    assert sent.xml["time_expire"] == stamp


async def test_without_an_address_for_notifications_no_code_is_shown() -> None:
    channel, sent = opened(SHOWN, notify_url="")
    with pytest.raises(ChannelUnsent):
        await channel.create_code(CODE, LIMITS)
    assert not sent.urls


@pytest.mark.parametrize(
    ("code", "failure", "fails_over"),
    [
        ("Auth valid fail", FailureCode.CHANNEL_MISCONFIGURED, True),
        ("NOAUTH", FailureCode.CHANNEL_MISCONFIGURED, True),
        ("REQUEST_BLOCKED", FailureCode.CHANNEL_RISK_DECLINED, False),
        ("RULELIMIT", FailureCode.LIMIT_EXCEEDED, False),
        ("PARAM_ERROR", FailureCode.CHANNEL_REFUSED, False),
    ],
)
async def test_a_code_is_refused_by_a_word_of_the_table(code: str, failure: FailureCode, *, fails_over: bool) -> None:
    with pytest.raises(ChannelRejected) as caught:
        await opened(failed(code))[0].create_code(CODE, LIMITS)
    assert (caught.value.failure, caught.value.may_fail_over) == (failure, fails_over)


async def test_a_request_that_was_turned_away_shows_no_code_and_never_fails_over() -> None:
    with pytest.raises(ChannelRejected) as caught:
        await opened(turned_away("Signature error"), seal="unsigned")[0].create_code(CODE, LIMITS)
    assert (caught.value.failure, caught.value.may_fail_over) == (FailureCode.CHANNEL_MISCONFIGURED, False)


@pytest.mark.parametrize(
    ("answer", "seal"),
    [
        (failed("INVALID_REQUEST", "N"), "signed"),
        (failed("Order paid"), "signed"),
        (failed("SYSTEMERROR"), "signed"),
        (failed("NOAUTH", "Y"), "signed"),
        (failed("NOAUTH"), "unsigned"),
        (SHOWN | {"code_url": ""}, "signed"),
        (SHOWN | {"code_url": "x" * 1_025}, "signed"),
        (SHOWN | {"code_url": "a\tb"}, "signed"),
        (SHOWN | {"out_trade_no": "MS20261122000002"}, "signed"),
        (SHOWN, "forged"),
    ],
)
async def test_any_other_answer_shows_nothing_and_leaves_it_unknown(answer: Mapping[str, str], seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await opened(answer, seal=seal)[0].create_code(CODE, LIMITS)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (DONE, CloseState.CLOSED),
        (DONE | {"out_trade_no": ORDER.order_no}, CloseState.CLOSED),
        (failed("ORDERCLOSED"), CloseState.CLOSED),
        (failed("ORDERPAID"), CloseState.PAID),
        (failed("Order paid"), CloseState.PAID),
        (failed("USERPAYING"), CloseState.REPEAT),
        (failed("ORDERNOTEXIST"), CloseState.NOT_FOUND),
    ],
)
async def test_an_order_is_shut_or_was_paid(answer: Mapping[str, str], state: CloseState) -> None:
    channel, sent = opened(answer)
    assert (await channel.close(ORDER, LIMITS)).state is state
    assert (sent.xml["service"], sent.xml["out_trade_no"]) == ("unified.trade.close", ORDER.order_no)


@pytest.mark.parametrize(
    ("answer", "seal"),
    [
        (failed("SYSTEMERROR"), "signed"),
        (failed("ORDERCLOSED"), "unsigned"),
        (DONE | {"out_trade_no": "MS20261122000002"}, "signed"),
        (DONE, "forged"),
        (turned_away("Signature error"), "unsigned"),
    ],
)
async def test_any_other_answer_to_a_close_leaves_it_unknown(answer: Mapping[str, str], seal: str) -> None:
    with pytest.raises(ChannelUnknown):
        await opened(answer, seal=seal)[0].close(ORDER, LIMITS)


async def test_pages_are_refused_before_anything_is_sent() -> None:
    channel, sent = opened(SHOWN)
    with pytest.raises(ChannelUnsent, match="no_pages"):
        await channel.create_page_order(WECHAT_PAGE, LIMITS)
    with pytest.raises(ChannelUnsent, match="no_pages"):
        await channel.identify_payer("auth-1", "", LIMITS)
    with pytest.raises(ChannelUnsent, match="no_pages"):
        channel.authorize_url("https://pay.example/q/s1/back/wechat", "state")
    assert not sent.urls
