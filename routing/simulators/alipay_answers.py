"""What the Alipay simulator answers: nodes, result codes, and how yuan are written (CHANNEL-PROTOCOLS 2.2–2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from routing.simulators.acts import Refusal, Sealing
from routing.simulators.alipay_signing import envelope
from routing.simulators.books import Status, Trade
from routing.simulators.channel import HttpAnswer, Sealed, Unsigned, signed_at_once
from routing.simulators.moments import beijing_text
from routing.simulators.numbers import trade_no

SUCCESS: Final = {"code": "10000", "msg": "Success"}
WAITING: Final = {"code": "10003", "msg": "order success pay inprocess"}
_USER_ID: Final = re.compile("2088([0-9]{12})")
_OPEN_ID: Final = re.compile("0sim([0-9a-f]{24})")
_YUAN: Final = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?")

REFUSALS: Final[dict[str, str]] = {
    Refusal.INSUFFICIENT_FUNDS: "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    Refusal.CODE_EXPIRED: "ACQ.PAYMENT_AUTH_CODE_INVALID",
    Refusal.CODE_USED: "ACQ.PAYMENT_AUTH_CODE_INVALID",
    Refusal.RISK: "ACQ.PAYMENT_REQUEST_HAS_RISK",
    Refusal.CUSTOMER_CANCELLED: "ACQ.PAYMENT_FAIL",
}

_SUB_MESSAGES: Final[dict[str, str]] = {
    "ACQ.BUYER_BALANCE_NOT_ENOUGH": "买家余额不足",
    "ACQ.PAYMENT_AUTH_CODE_INVALID": "支付失败，获取顾客账户信息失败，请顾客刷新付款码后重新收款",
    "ACQ.PAYMENT_REQUEST_HAS_RISK": "支付有风险",
    "ACQ.PAYMENT_FAIL": "支付失败",
    "ACQ.CONTEXT_INCONSISTENT": "交易信息被篡改",
    "ACQ.TRADE_HAS_CLOSE": "交易已经关闭",
    "ACQ.TRADE_NOT_EXIST": "交易不存在",
    "ACQ.TRADE_STATUS_ERROR": "交易状态不合法",
    "ACQ.REASON_TRADE_STATUS_INVALID": "交易状态异常",
    "ACQ.TRADE_HAS_SUCCESS": "交易已被支付",
    "ACQ.SYSTEM_ERROR": "系统错误",
    "ACQ.INVALID_PARAMETER": "参数无效",
    "ACQ.TRADE_CANCEL_TIME_OUT": "超过撤销时间范围",
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": "退款金额超限",
    "ACQ.DISCORDANT_REPEAT_REQUEST": "请求信息不一致",
    "BILL_NOT_EXIST": "账单不存在",
    "INVAILID_ARGUMENTS": "入参不合法",
    "TYPE_NOT_SUPPORTED": "账单类型不支持",
    "isv.code-invalid": "授权码code无效",
    "isv.grant-type-invalid": "grant_type参数不正确",
    "isv.app-call-limited": "应用调用次数超限",
    "isp.unknow-error": "系统繁忙",
}

_GATEWAY_CODES: Final = (
    # prefix of the sub_code            code     msg
    ("ACQ.", "40004", "Business Failed"),
    ("isp.", "20000", "Service Currently Unavailable"),
    ("aop.unknow", "20000", "Service Currently Unavailable"),
    ("aop.", "20001", "Insufficient Token Permissions"),
    ("isv.missing-signature-config", "40003", "Insufficient Conditions"),
    ("isv.missing", "40001", "Missing Required Arguments"),
    ("isv.app-call-limited", "40005", "Call Limited"),
    ("isv.method-call-limited", "40005", "Call Limited"),
    ("isv.insufficient", "40006", "Insufficient Permissions"),
    ("isv.", "40002", "Invalid Arguments"),
)


def yuan(amount_fen: int) -> str:
    """2599 → "25.99"."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def fen(text: object) -> int | None:
    """Fen of a decimal yuan text ("25.99") or JSON number; None where it is neither."""
    found = _YUAN.fullmatch(str(text)) if isinstance(text, (str, int, float)) and not isinstance(text, bool) else None
    return None if found is None else int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def alipay_time(at_ms: int) -> str:
    """2026-11-22 10:15:30, in Beijing."""
    return beijing_text(at_ms // 1_000, "%Y-%m-%d %H:%M:%S")


def failure(sub_code: str, message: str | None = None) -> dict[str, Any]:
    """The node of an error."""
    code, msg = next(((c, m) for prefix, c, m in _GATEWAY_CODES if sub_code.startswith(prefix)), _GATEWAY_CODES[0][1:])
    return {"code": code, "msg": msg, "sub_code": sub_code, "sub_msg": message or _SUB_MESSAGES.get(sub_code, sub_code)}


def refusal_of(trade: Trade) -> str:
    """The sub_code of a payment that was refused."""
    return REFUSALS.get(trade.reason or "", trade.reason or "ACQ.PAYMENT_FAIL")


@dataclass(frozen=True, slots=True)
class AlipayDraft:
    """An answer of the Alipay simulator before it is signed; `signed` is false for gateway errors that never are."""

    key: RSAPrivateKey = field(repr=False)
    node_name: str
    node: dict[str, Any]
    charset: str = "utf-8"
    signed: bool = True

    def seal(self, sealing: Sealing) -> Sealed:
        """HTTP 200 and text/html, although the body is JSON."""
        node = self._node_bytes()
        if not self.signed or sealing is Sealing.UNSIGNED:
            return self._answer(envelope(self.node_name, node, None))
        return Unsigned(
            self.key,
            node if sealing is Sealing.SIGNED else node + b" ",
            lambda signature: self._answer(envelope(self.node_name, node, signature)),
        )

    def malformed(self) -> HttpAnswer:
        """Half of the answer."""
        whole = signed_at_once(self.seal(Sealing.SIGNED)).body
        return self._answer(whole[: len(whole) // 2])

    def _node_bytes(self) -> bytes:
        node = orjson.dumps(self.node)
        return node if self.charset == "utf-8" else node.decode().encode(self.charset, "replace")

    def _answer(self, body: bytes) -> HttpAnswer:
        return HttpAnswer(200, [(b"Content-Type", f"text/html;charset={self.charset}".encode())], body)


def identity(trade: Trade, shown_order_no: str) -> dict[str, Any]:
    """Both numbers of the trade."""
    return {"trade_no": trade_no("alipay", trade), "out_trade_no": shown_order_no}


def user_id(payer: str) -> str:
    """A payer as 2088 and twelve digits."""
    return f"2088{int(payer, 16) % 10**12:012d}"


def open_id(payer: str) -> str:
    """The same payer as one application knows them; it tells neither more nor less than the user id."""
    return f"0sim{int(payer, 16) % 10**12:024x}"


def payer_behind(content: dict[str, Any]) -> str | None:
    """The payer whom `buyer_id` or `buyer_open_id` names; None where they name nobody."""
    user, person = content.get("buyer_id"), content.get("buyer_open_id")
    if isinstance(user, str) and (found := _USER_ID.fullmatch(user)):
        return f"{int(found[1]):024x}"
    found = _OPEN_ID.fullmatch(person) if isinstance(person, str) else None
    return None if found is None else found[1]


def buyer(trade: Trade) -> dict[str, Any]:
    """The buyer as an answer names them."""
    user = user_id(trade.payer)
    return {"buyer_logon_id": f"158****{user[-4:]}", "buyer_user_id": user, "buyer_open_id": open_id(trade.payer)}


def shown_details(trade: Trade) -> dict[str, Any]:
    """What a query repeats of the order."""
    kept = orjson.loads(trade.details)
    return {name: kept[name] for name in ("store_id", "terminal_id") if name in kept}


def amounts(trade: Trade, amount_fen: int) -> dict[str, Any]:
    """The amounts of a trade; nothing was paid while it is open."""
    paid = yuan(amount_fen if trade.captured_ms is not None else 0)
    return {
        "total_amount": yuan(amount_fen),
        "receipt_amount": paid,
        "buyer_pay_amount": paid,
        "point_amount": "0.00",
        "invoice_amount": paid,
    }


def fund_bills(amount_fen: int) -> list[dict[str, str]]:
    """Where the money came from."""
    return [{"amount": yuan(amount_fen), "fund_channel": "ALIPAYACCOUNT"}]


def trade_status(trade: Trade) -> str:
    """trade_status: closed covers refused, closed, cancelled and fully refunded alike."""
    match trade.status:
        case Status.PENDING | Status.OPEN:
            return "WAIT_BUYER_PAY"
        case Status.CAPTURED:
            return "TRADE_SUCCESS"
        case _:
            return "TRADE_CLOSED"
