"""Whatever bytes come back, a call ends in a report or a known kind of error, and nothing unproven is an outcome."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.channels.base import Channel, ChannelError, ChannelRejected, ChannelUnknown, TransportResponse
from routing.channels.reports import RefundReport, RefundState, ReversalReport, ReversalState, TradeReport, TradeState
from tests.unit.channels.answering import (
    CHARGE,
    LIMITS,
    ORDER,
    REFUND,
    alipay,
    alipay_answer,
    qra,
    qra_answer,
    unionpay,
    unionpay_answer,
    wechat,
    wechat_answer,
)
from tests.unit.channels.driving import driven
from tests.unit.channels.qra_words import PAID as QRA_PAID
from tests.unit.channels.qra_words import REFUND_TAKEN, REFUNDS
from tests.unit.channels.test_alipay import PAID as ALIPAY_PAID
from tests.unit.channels.test_unionpay import _queried
from tests.unit.channels.test_wechat import ORDER_ANSWER, REFUND_ANSWER

Report = TradeReport | ReversalReport | RefundReport
CALLS: dict[str, Callable[[Channel], Awaitable[Report]]] = {
    "charge": lambda channel: channel.charge_barcode(CHARGE, LIMITS),
    "query": lambda channel: channel.query(ORDER, LIMITS),
    "reverse": lambda channel: channel.reverse(ORDER, LIMITS),
    "refund": lambda channel: channel.refund(REFUND, LIMITS),
    "void": lambda channel: channel.void(REFUND, LIMITS),
    "query_refund": lambda channel: channel.query_refund(REFUND, LIMITS),
}
CHANNELS = {"wechat": wechat, "alipay": alipay, "unionpay": unionpay, "qra": qra}
OUTCOMES = {
    TradeState.CAPTURED,
    TradeState.REFUNDED,
    TradeState.CLOSED,
    TradeState.REFUSED,
    ReversalState.REVERSED,
    RefundState.SUCCEEDED,
    RefundState.FAILED,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    [
        *("SUCCESS", "USERPAYING", "NOT_ENOUGH", "SIGN_ERROR", "10000", "10003", "40004", "TRADE_SUCCESS", "Y"),
        *("0", "1", "400", "N", "NOTPAY", "PAYERROR", "NOAUTH", "ORDERNOTEXIST", "Signature error", "PROCESSING"),
        *("ACQ.PAYMENT_FAIL", "00", "05", "11", "64", ORDER.order_no, REFUND.refund_no, "-----BEGIN CERTIFICATE-----"),
    ]
)
NAMES = st.sampled_from(
    [
        *("code", "sub_code", "trade_state", "trade_status", "out_trade_no", "mchid", "appid", "amount", "status"),
        *("respCode", "origRespCode", "orderId", "txnTime", "signature", "signPubKeyCert", "signMethod", "action"),
        *("retry_flag", "alipay_trade_pay_response", "alipay_trade_query_response", "error_response", "sign"),
        *("result_code", "err_code", "need_query", "pay_result", "mch_id", "message", "refund_status_0"),
        *("out_refund_no_0", "out_refund_no"),
    ]
)
OBJECTS = st.dictionaries(NAMES, WORDS | JSON | st.dictionaries(NAMES, WORDS | JSON, max_size=6), max_size=8)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    OBJECTS.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(NAMES, WORDS | st.text(max_size=8), max_size=8).map(
        lambda fields: "&".join(f"{name}={value}" for name, value in fields.items()).encode(errors="replace")
    ),
    st.dictionaries(NAMES, WORDS | st.text(max_size=8), max_size=8).map(
        lambda fields: f"<xml>{''.join(f'<{name}>{value}</{name}>' for name, value in fields.items())}</xml>".encode(
            errors="replace"
        )
    ),
    st.sampled_from([b"[" * 50_000, b'{"a":' * 50_000, b"1" * 10_000, b'{"code":' + b"9" * 5_000 + b"}"]),
)
HEADERS = st.dictionaries(
    st.sampled_from([f"wechatpay-{part}" for part in ("timestamp", "nonce", "signature", "serial", "signature-type")]),
    st.text(max_size=12) | st.sampled_from(["WECHATPAY2-SHA256-RSA2048", "1795308596"]),
)
STATUSES = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503]) | st.integers(200, 599)
SEALS = st.sampled_from(["signed", "signed", "unsigned", "forged"])
QUIETLY = settings(max_examples=60, deadline=None)


def _ends_well(channel: Channel, call: str) -> Report | None:
    """Make the call and hold it to the protocol."""
    try:
        return driven(cast("Coroutine[None, None, Report]", CALLS[call](channel)))
    except (ChannelRejected, ChannelUnknown) as error:
        _is_well_formed(error, call)
        return None


def _is_well_formed(error: ChannelError, call: str) -> None:
    """The code is a word, and a refusal to answer a question is no refusal of the order."""
    assert len(error.code) <= 64
    assert error.code.isascii()
    assert isinstance(error, ChannelUnknown) or call in {"charge", "refund", "void"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", CHANNELS)
@QUIETLY
@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_bytes_that_nobody_signed_bring_no_outcome(
    name: str, call: str, status: int, headers: dict[str, str], body: bytes
) -> None:
    report = _ends_well(CHANNELS[name](TransportResponse(status, headers, body))[0], call)
    assert report is None or report.state not in OUTCOMES


def _twisted(value: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good answer with some fields replaced by anything or left out."""
    changes = st.dictionaries(st.sampled_from(sorted(value)), WORDS | JSON, max_size=3)
    gone = st.sets(st.sampled_from(sorted(value)), max_size=2)
    return st.tuples(changes, gone).map(
        lambda change: {key: item for key, item in (value | change[0]).items() if key not in change[1]}
    )


@pytest.mark.parametrize("call", CALLS)
@QUIETLY
@given(node=_twisted(ORDER_ANSWER | REFUND_ANSWER | {"code": "NOT_ENOUGH"}), status=STATUSES, seal=SEALS)
def test_a_twisted_answer_of_wechat_pay_is_still_judged(
    call: str, node: dict[str, Any], status: int, seal: str
) -> None:
    report = _ends_well(wechat(wechat_answer(status, node, seal=seal))[0], call)
    _is_proven(report, node, seal, "out_refund_no" if "refund" in call or call == "void" else "out_trade_no")


@pytest.mark.parametrize("call", CALLS)
@QUIETLY
@given(
    node=_twisted(ALIPAY_PAID | {"trade_status": "TRADE_SUCCESS", "action": "close", "fund_change": "Y"}), seal=SEALS
)
def test_a_twisted_answer_of_alipay_is_still_judged(call: str, node: dict[str, Any], seal: str) -> None:
    methods = {"charge": "pay", "query": "query", "reverse": "cancel", "query_refund": "fastpay.refund.query"}
    answer = alipay_answer(f"alipay.trade.{methods.get(call, 'refund')}", node, seal=seal)
    _is_proven(_ends_well(alipay(answer)[0], call), node, seal, "out_trade_no")


@pytest.mark.parametrize("call", CALLS)
@QUIETLY
@given(fields=_twisted(_queried("00", txnAmt="1280")), seal=SEALS)
def test_a_twisted_answer_of_unionpay_is_still_judged(call: str, fields: dict[str, Any], seal: str) -> None:
    texts = {name: str(value).replace("&", "").encode(errors="replace").decode() for name, value in fields.items()}
    _is_proven(_ends_well(unionpay(unionpay_answer(texts, seal=seal))[0], call), texts, seal, "orderId")


@pytest.mark.parametrize("call", CALLS)
@QUIETLY
@given(
    fields=_twisted(
        QRA_PAID | REFUND_TAKEN | REFUNDS | {"trade_state": "SUCCESS", "err_code": "NOTENOUGH", "need_query": "N"}
    ),
    seal=SEALS,
)
def test_a_twisted_answer_of_the_front_is_still_judged(call: str, fields: dict[str, Any], seal: str) -> None:
    texts = {name: str(value).encode(errors="replace").decode() for name, value in fields.items()}
    report = _ends_well(qra(qra_answer(texts, seal=seal))[0], call)
    if report is not None and report.state in OUTCOMES:
        assert (seal, texts.get("status"), texts.get("mch_id")) == ("signed", "0", QRA_PAID["mch_id"])
        assert texts.get("out_trade_no") in {ORDER.order_no, "", None}
        assert (
            isinstance(report, ReversalReport) or ORDER.order_no in texts.values() or REFUND.refund_no in texts.values()
        )


def _is_proven(report: Report | None, answer: dict[str, Any], seal: str, number: str) -> None:
    """An outcome was signed and is about our own order or refund."""
    if report is not None and report.state in OUTCOMES:
        assert seal == "signed"
        assert answer.get(number) in {ORDER.order_no, REFUND.refund_no}
