"""What the front simulator answers: XML with two levels of result, its error table, trades and refunds as fields.

The codes are WeChat's in their older spelling (CHANNEL-PROTOCOLS 1.6, 1.8): the front hands the wallets' words on, and
a table of its own was not found.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

import orjson

from routing.simulators.acts import RefundOutcome, Refusal, Sealing
from routing.simulators.books import Method, Refund, Status, Trade
from routing.simulators.channel import HttpAnswer
from routing.simulators.moments import beijing_text
from routing.simulators.numbers import refund_no, trade_no, wallet_no
from routing.simulators.qra_fields import TIME_LAYOUT, Fields
from routing.simulators.qra_signing import md5_sign, write_xml
from routing.simulators.qra_wallets import micropay_type, native_type

COMMON: Final[Fields] = {"version": "2.0", "charset": "UTF-8", "sign_type": "MD5"}
DONE: Final[Fields] = {"status": "0", "result_code": "0"}
UNDECIDED: Final = frozenset({"USERPAYING", "SYSTEMERROR", "BANKERROR"})
"""Codes after which a payment may still be made: need_query is Y; after all others it is N, surely not paid."""
XML: Final = [(b"content-type", b"text/xml;charset=UTF-8")]

_MESSAGES: Final = {
    "SYSTEMERROR": "系统异常，请查询订单状态",
    "BANKERROR": "银行系统异常",
    "USERPAYING": "需要用户输入支付密码",
    "FREQUENCY_LIMITED": "接口调用频率超限",
    "NOTENOUGH": "用户账号余额不足",
    "AUTHCODEEXPIRE": "付款码已过期，请用户刷新后重新扫码",
    "AUTH_CODE_ERROR": "付款码已被使用，每个付款码仅限使用一次",
    "AUTH_CODE_INVALID": "付款码无效，请重新扫码",
    "TRADE_ERROR": "交易失败",
    "ORDERPAID": "该订单已支付",
    "ORDERCLOSED": "该订单已关闭",
    "ORDERREVERSED": "该订单已撤销",
    "OUT_TRADE_NO_USED": "商户订单号重复，且参数与原请求不一致",
    "ORDERNOTEXIST": "订单不存在",
    "REFUNDNOTEXIST": "退款单不存在",
    "NOAUTH": "商户无此接口权限",
}
_REFUSALS: Final[dict[str, tuple[str, str | None]]] = {
    Refusal.INSUFFICIENT_FUNDS: ("NOTENOUGH", None),
    Refusal.CODE_EXPIRED: ("AUTHCODEEXPIRE", None),
    Refusal.CODE_USED: ("AUTH_CODE_ERROR", None),
    Refusal.RISK: ("TRADE_ERROR", "交易存在风险，已被拦截"),
    Refusal.CUSTOMER_CANCELLED: ("TRADE_ERROR", "用户取消支付"),
}
_STATES: Final[dict[str, str]] = {
    Status.OPEN: "NOTPAY",
    Status.PENDING: "USERPAYING",
    Status.CAPTURED: "SUCCESS",
    Status.REFUNDED: "REFUND",
    Status.REVERSED: "REVOKED",
    Status.CLOSED: "CLOSED",
    Status.REFUSED: "PAYERROR",
}
_REFUND_STATES: Final[dict[str, str]] = {
    RefundOutcome.SUCCEEDED: "SUCCESS",
    RefundOutcome.ABNORMAL: "CHANGE",
    RefundOutcome.CLOSED: "FAIL",
}


@dataclass(frozen=True, slots=True)
class QraDraft:
    """An answer of the front before it is signed with the key that proved the request."""

    key: str = field(repr=False)
    fields: Fields

    def seal(self, sealing: Sealing) -> HttpAnswer:
        """With a fresh nonce_str and, unless told otherwise, its sign."""
        fields = self.fields | {"nonce_str": secrets.token_hex(16)}
        if sealing is not Sealing.UNSIGNED:
            signed = fields if sealing is Sealing.SIGNED else fields | {"nonce_str": "another"}
            fields["sign"] = md5_sign(self.key, signed)
        return HttpAnswer(200, XML, write_xml(fields))

    def malformed(self) -> HttpAnswer:
        """Half of the XML."""
        whole = self.seal(Sealing.SIGNED).body
        return HttpAnswer(200, XML, whole[: len(whole) // 2])


def unproven(message: str) -> HttpAnswer:
    """What is answered where the front does not know who asks: a status other than 0, and nothing that is signed."""
    fields = {"version": "2.0", "charset": "UTF-8", "status": "400", "message": message}
    return HttpAnswer(200, XML, write_xml(fields))


def failed(code: str, message: str | None = None) -> Fields:
    """result_code 1 with one of the codes."""
    return {"status": "0", "result_code": "1", "err_code": code, "err_msg": message or _MESSAGES.get(code, "业务错误")}


def refusal_of(trade: Trade) -> tuple[str, str | None]:
    """The code and message of a payment that was refused."""
    return _REFUSALS.get(trade.reason or "", (trade.reason or "TRADE_ERROR", None))


def front_time(at_ms: int) -> str:
    """A moment as the front writes it: 20261122101530."""
    return beijing_text(at_ms // 1_000, TIME_LAYOUT)


def trade_type(trade: Trade) -> str:
    """Which wallet's trade it is, and of which kind."""
    return micropay_type(trade.wallet) if trade.method == Method.BARCODE else native_type(trade.wallet)


def paid_fields(trade: Trade, amount_fen: int) -> Fields:
    """What is told of a captured trade, in answers and in notifications."""
    fields = {
        "trade_type": trade_type(trade),
        "openid": f"qra{trade.payer}",
        "out_trade_no": trade.order_no,
        "transaction_id": trade_no("qra", trade),
        "out_transaction_id": wallet_no(trade),
        "total_fee": str(amount_fen),
        "fee_type": "CNY",
        "time_end": front_time(trade.captured_ms or 0),
        "bank_type": "OTHERS",
    }
    return fields | kept(trade)


def kept(trade: Trade) -> Fields:
    """What the request said and every answer repeats: attach and device_info."""
    found: Fields = orjson.loads(trade.details)
    return found


def trade_fields(trade: Trade, amount_fen: int) -> Fields:
    """The order as a query answers it: partly refunded ones are REFUND already."""
    state = _STATES[trade.status]
    fields = {"trade_state": "REFUND" if state == "SUCCESS" and trade.refunded_fen else state}
    if trade.captured_ms is not None:
        return fields | paid_fields(trade, amount_fen)
    if trade.status == Status.REFUSED:
        fields["trade_state_desc"] = refusal_of(trade)[1] or _MESSAGES.get(refusal_of(trade)[0], "支付失败")
    shown = {"trade_type": trade_type(trade), "out_trade_no": trade.order_no, "total_fee": str(amount_fen)}
    return fields | shown | kept(trade)


def refund_fields(refund: Refund, now_ms: int, place: str = "") -> Fields:
    """A refund as asking for it answers it, or in its place (`_0`, `_1` …) of a list of them."""
    state = "PROCESSING" if refund.settles_ms > now_ms else _REFUND_STATES[refund.outcome]
    fields = {
        "out_refund_no": refund.refund_no,
        "refund_id": refund_no("qra", refund),
        "refund_channel": "ORIGINAL",
        "refund_fee": str(refund.amount_fen),
        "refund_time": front_time(refund.created_ms),
        "refund_status": state,
    }
    return {f"{name}{place}": value for name, value in fields.items()}
