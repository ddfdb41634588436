"""What the WeChat simulator answers: order and refund objects, and its errors (CHANNEL-PROTOCOLS 1.5, 1.6)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from routing.simulators.acts import RefundOutcome, Refusal, Sealing
from routing.simulators.books import Refund, Status, Trade
from routing.simulators.channel import Headers, HttpAnswer, Sealed, Unsigned, signed_at_once
from routing.simulators.moments import beijing_text
from routing.simulators.numbers import refund_no, trade_no
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_signing import answer_text, headers_with

MICROPAY: Final = "MICROPAY"
OPENID_PREFIX: Final = "oSim"
JSON: Final = (b"Content-Type", b"application/json")

ERRORS: Final[dict[str, tuple[int, str, str]]] = {
    # code                    HTTP  Request-ID suffix, message
    "SYSTEM_ERROR": (500, "268435456", "系统异常，请用相同参数重新调用"),
    "BANK_ERROR": (500, "268435456", "银行系统异常"),
    "BIZ_ERR_NEED_RETRY": (500, "268435456", "退款业务流程错误，需要商户触发重试"),
    "SERVICE_UNAVAILABLE": (503, "268435456", "服务不可用"),
    "USERPAYING": (202, "0", "需要用户输入支付密码"),
    "FREQUENCY_LIMITED": (429, "268447840", "频率超限"),
    "RATELIMIT_EXCEEDED": (429, "268447840", "接口调用频率超限"),
    "NOT_ENOUGH": (403, "268435463", "用户账号余额不足"),
    "AUTH_CODE_EXPIRE": (403, "268435464", "付款码已过期，请用户刷新后重新扫码"),
    "AUTH_CODE_ERROR": (403, "268435465", "付款码已被使用，每个付款码仅限使用一次"),
    "AUTH_CODE_INVALID": (400, "268435466", "101 每个二维码仅限使用一次，请刷新再试"),
    "TRADE_ERROR": (403, "268435467", "交易失败"),
    "ORDER_PAID": (400, "268449538", "该订单已支付"),
    "ORDER_CLOSED": (400, "268447914", "该订单已关闭"),
    "ORDER_REVERSED": (400, "268435468", "该订单已撤销"),
    "OUT_TRADE_NO_USED": (403, "268498688", "商户订单号重复，且参数与原请求不一致"),
    "ACCOUNT_ERROR": (403, "268435469", "账号异常"),
    "RULE_LIMIT": (403, "268435470", "业务规则限制"),
    "ORDER_NOT_EXIST": (404, "268512771", "订单不存在"),
    "RESOURCE_NOT_EXISTS": (404, "268435471", "退款单不存在"),
    "PARAM_ERROR": (400, "268435472", "参数错误"),
    "INVALID_REQUEST": (400, "268435473", "请求不合法"),
    "SIGN_ERROR": (401, "268443699", "签名错误"),
    "NO_AUTH": (403, "268435474", "没有权限"),
    "APPID_MCHID_NOT_MATCH": (400, "268435475", "appid和mch_id不匹配"),
    "NO_STATEMENT_EXIST": (400, "268435478", "账单文件不存在"),
    "STATEMENT_CREATING": (400, "268435479", "账单生成中，请稍后再试"),
    "MCH_NOT_EXISTS": (400, "268435476", "商户号不存在"),
}

REFUSALS: Final[dict[str, tuple[str, str]]] = {
    Refusal.INSUFFICIENT_FUNDS: ("NOT_ENOUGH", "用户账号余额不足"),
    Refusal.CODE_EXPIRED: ("AUTH_CODE_EXPIRE", "付款码已过期，请用户刷新后重新扫码"),
    Refusal.CODE_USED: ("AUTH_CODE_ERROR", "付款码已被使用，每个付款码仅限使用一次"),
    Refusal.RISK: ("TRADE_ERROR", "交易存在风险，已被拦截"),
    Refusal.CUSTOMER_CANCELLED: ("TRADE_ERROR", "用户取消支付"),
}


def beijing_time(at_ms: int) -> str:
    """RFC 3339 to the second, as WeChat writes it: 2026-11-22T10:15:30+08:00."""
    return beijing_text(at_ms // 1_000, "%Y-%m-%dT%H:%M:%S+08:00")


def _request_id(suffix: str) -> tuple[bytes, bytes]:
    return (b"Request-ID", f"08{os.urandom(12).hex().upper()}-{suffix}".encode())


@dataclass(frozen=True, slots=True)
class WechatDraft:
    """An answer of the WeChat simulator before it is signed with the key that the merchant expects."""

    account: WechatAccount = field(repr=False)
    serial: str
    status: int
    body: bytes
    error_id: str = "0"

    def seal(self, sealing: Sealing) -> Sealed:
        """All five headers on every 2xx, the empty 204 too; errors go unsigned."""
        headers: Headers = [_request_id(self.error_id)]
        if self.body:
            headers.append(JSON)
        if self.status >= 300 or sealing is Sealing.UNSIGNED:
            return HttpAnswer(self.status, headers, self.body)
        timestamp, nonce = str(int(time.time())), os.urandom(16).hex()
        signed = self.body if sealing is Sealing.SIGNED else self.body + b" "

        def finish(signature: bytes) -> HttpAnswer:
            proof = headers_with(signature, self.serial, timestamp, nonce)
            return HttpAnswer(self.status, headers + proof, self.body)

        return Unsigned(self.account.platform_keys[self.serial], answer_text(timestamp, nonce, signed), finish)

    def malformed(self) -> HttpAnswer:
        """Half of the JSON, correctly signed."""
        half = self.body[: len(self.body) // 2] or b"{"
        return signed_at_once(WechatDraft(self.account, self.serial, 200, half).seal(Sealing.SIGNED))


def ok(account: WechatAccount, serial: str, document: object) -> WechatDraft:
    """A 200 with a JSON document."""
    return WechatDraft(account, serial, 200, orjson.dumps(document))


def failure(
    account: WechatAccount, serial: str, code: str, message: str | None = None, detail: dict[str, Any] | None = None
) -> WechatDraft:
    """An error answer.  A code outside the table is answered as 403, the class of business refusals."""
    status, error_id, default = ERRORS.get(code, (403, "268435477", "业务错误"))
    document: dict[str, Any] = {"code": code, "message": message or default}
    if detail is not None:
        document["detail"] = detail
    return WechatDraft(account, serial, status, orjson.dumps(document), error_id)


def refusal_of(trade: Trade) -> tuple[str, str | None]:
    """The code and message of a payment that was refused."""
    return REFUSALS.get(trade.reason or "", (trade.reason or "TRADE_ERROR", None))


_STATES: Final = {
    Status.OPEN: ("NOTPAY", "订单未支付"),
    Status.PENDING: ("USERPAYING", "需要用户输入支付密码"),
    Status.CAPTURED: ("SUCCESS", "支付成功"),
    Status.REFUNDED: ("REFUND", "订单发生过退款"),
    Status.REVERSED: ("REVOKED", "订单已撤销"),
    Status.CLOSED: ("CLOSED", "订单已关闭"),
}


def trade_state(trade: Trade) -> tuple[str, str]:
    """trade_state and its description."""
    if trade.status == Status.REFUSED:
        return "PAYERROR", refusal_of(trade)[1] or "支付失败"
    refunded = trade.status == Status.CAPTURED and trade.refunded_fen
    return _STATES[Status.REFUNDED if refunded else Status(trade.status)]


def order_object(account: WechatAccount, trade: Trade, shown_order_no: str, amount_fen: int) -> dict[str, Any]:
    """The order as codepay and the query answer it."""
    state, description = trade_state(trade)
    details = orjson.loads(trade.details)
    document: dict[str, Any] = {
        "appid": account.appid,
        "mchid": account.mchid,
        "out_trade_no": shown_order_no,
        "trade_type": details["trade_type"],
        "trade_state": state,
        "trade_state_desc": description,
        "amount": {"total": amount_fen, "currency": "CNY"},
    }
    if details.get("attach"):
        document["attach"] = details["attach"]
    if details.get("device_id"):
        document["scene_info"] = {"device_id": details["device_id"]}
    if trade.captured_ms is not None:
        document |= {
            "transaction_id": trade_no("wechat", trade),
            "bank_type": "OTHERS",
            "success_time": beijing_time(trade.captured_ms),
            "payer": {"openid": OPENID_PREFIX + trade.payer},
            "promotion_detail": [],
        }
        document["amount"] |= {"payer_total": amount_fen, "payer_currency": "CNY"}
    return document


REFUND_STATES: Final = {
    RefundOutcome.SUCCEEDED: "SUCCESS",
    RefundOutcome.ABNORMAL: "ABNORMAL",
    RefundOutcome.CLOSED: "CLOSED",
}


def refund_object(trade: Trade, refund: Refund, now_ms: int, shown_order_no: str) -> dict[str, Any]:
    """The refund as asking for it and querying it answer it."""
    state = REFUND_STATES[RefundOutcome(refund.outcome)] if refund.settles_ms <= now_ms else "PROCESSING"
    document: dict[str, Any] = {
        "refund_id": refund_no("wechat", refund),
        "out_refund_no": refund.refund_no,
        "transaction_id": trade_no("wechat", trade),
        "out_trade_no": shown_order_no,
        "channel": "ORIGINAL",
        "user_received_account": received_by(refund),
        "create_time": beijing_time(refund.created_ms),
        "status": state,
        "funds_account": "AVAILABLE",
        "amount": {
            "total": trade.amount_fen,
            "refund": refund.amount_fen,
            "payer_total": trade.amount_fen,
            "payer_refund": refund.amount_fen,
            "settlement_total": trade.amount_fen,
            "settlement_refund": refund.amount_fen,
            "discount_refund": 0,
            "currency": "CNY",
        },
        "promotion_detail": [],
    }
    if state == "SUCCESS":
        document["success_time"] = beijing_time(refund.settles_ms)
    return document


def received_by(refund: Refund) -> str:
    """Where the money goes: the payer's balance, or the card of an abnormal refund that was sent again."""
    return str(orjson.loads(refund.details).get("received_by", "支付用户零钱"))
