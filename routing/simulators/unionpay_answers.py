"""What the UnionPay simulator answers: flat signed fields, respCodes, clearing days (CHANNEL-PROTOCOLS 3.1–3.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

import orjson

from gateway.kernel.clock import BEIJING
from routing.simulators.acts import RefundOutcome, Refusal, Sealing
from routing.simulators.books import GivenBack, Refund, Status, Trade
from routing.simulators.channel import HttpAnswer, Sealed, Unsigned, signed_at_once
from routing.simulators.numbers import refund_no, trade_no
from routing.simulators.signatures import sign
from routing.simulators.unionpay_account import KeyedMerchant, Merchant, UnionpayAccount
from routing.simulators.unionpay_signing import digest_hex, encoding_of, keyed_hash, raw_answer

Fields = dict[str, str]

ACCEPTED: Final = "00"
IN_PROCESS: Final = "05"
UNCLEAR: Final = "04"
BAD_FORMAT: Final = "10"
BAD_SIGNATURE: Final = "11"
DUPLICATE: Final = "12"
MISSING_FIELD: Final = "13"
UNKNOWN_MERCHANT: Final = "31"
NO_PERMISSION: Final = "32"
FAILED: Final = "01"
NO_SUCH_TRANSACTION: Final = "34"
ORIGINAL_MISSING: Final = "35"
ORIGINAL_MISMATCH: Final = "36"
TOO_FREQUENT: Final = "37"
ALREADY_GIVEN_BACK: Final = "45"
BAD_CODE: Final = "61"
CODE_IS_SPENT: Final = "80"
NO_FILE: Final = "98"

REFUSALS: Final[dict[str, str]] = {
    Refusal.INSUFFICIENT_FUNDS: "64",
    Refusal.CODE_EXPIRED: CODE_IS_SPENT,
    Refusal.CODE_USED: CODE_IS_SPENT,
    Refusal.RISK: "38",
    Refusal.CUSTOMER_CANCELLED: "69",
}

_MESSAGES: Final[dict[str, str]] = {
    ACCEPTED: "成功[0000000]",
    FAILED: "交易失败，订单已超时未支付[1000001]",
    UNCLEAR: "交易状态未明，请查询对账结果[2040004]",
    IN_PROCESS: "交易已受理，请稍后查询交易结果[2050005]",
    BAD_FORMAT: "报文格式错误[1010010]",
    BAD_SIGNATURE: "验证签名失败[1010011]",
    DUPLICATE: "重复交易[1010012]",
    MISSING_FIELD: "报文交易要素缺失[1010013]",
    UNKNOWN_MERCHANT: "商户状态不正确[3010031]",
    NO_PERMISSION: "无此交易权限[3010032]",
    NO_SUCH_TRANSACTION: "查无此交易[2600000]",
    ORIGINAL_MISSING: "原交易不存在[3010035]",
    ORIGINAL_MISMATCH: "与原交易信息不符[3010036]",
    TOO_FREQUENT: "已超过最大查询次数或操作过于频繁[3010037]",
    "38": "银联风险受限[3010038]",
    ALREADY_GIVEN_BACK: "原交易已被成功退货或已被成功撤销[3010045]",
    BAD_CODE: "输入的卡号无效，请确认后输入[6100061]",
    "64": "您的余额不足[6100064]",
    "69": "交易超时，客户未确认[6100069]",
    CODE_IS_SPENT: "付款码已失效，请刷新后重试[6100080]",
    NO_FILE: "文件不存在[9000098]",
}

_ENDS: Final[dict[str, str]] = {
    RefundOutcome.SUCCEEDED: ACCEPTED,
    RefundOutcome.ABNORMAL: UNCLEAR,
    RefundOutcome.CLOSED: FAILED,
}
_ECHOED: Final = (
    "version", "encoding", "signMethod", "txnType", "txnSubType", "bizType", "accessType",
    "merId", "orderId", "txnTime", "txnAmt", "currencyCode", "origQryId", "reqReserved",
    "settleDate", "fileType",
)  # fmt: skip
_KEPT: Final = ("encoding", "bizType", "accessType", "qrNo", "termId", "reqReserved", "frontUrl")
_CLEARING_CUT: Final = timedelta(hours=1)
"""A clearing day runs from 23:00 to 23:00, so an hour later it is the calendar's day."""


def message_of(code: str) -> str:
    """respMsg of a respCode."""
    return _MESSAGES.get(code, f"交易失败[99000{code}]")


def echo(request: Fields) -> Fields:
    """The fields of a request that its answer repeats."""
    return {name: request[name] for name in _ECHOED if request.get(name)}


def kept(request: Fields) -> str:
    """What is kept of a request for its notification and its line of the file, as JSON."""
    return orjson.dumps({name: request[name] for name in _KEPT if request.get(name)}).decode()


def _beijing(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, BEIJING)


def same_clearing_day(one_ms: int, other_ms: int) -> bool:
    """Whether two moments lie between the same 23:00 and 23:00."""
    return clearing_day(one_ms) == clearing_day(other_ms)


@dataclass(frozen=True, slots=True)
class UnionpayDraft:
    """An answer of the UnionPay simulator before it is signed by the merchant's own method."""

    account: UnionpayAccount = field(repr=False)
    merchant: Merchant | None
    fields: Fields

    def seal(self, sealing: Sealing) -> Sealed:
        """Signed with our certificate, or by keyed hash for a merchant that has no certificate."""
        if sealing is Sealing.UNSIGNED:
            return self._answer(raw_answer(self.fields))
        broken = sealing is Sealing.BADLY_SIGNED
        if isinstance(self.merchant, KeyedMerchant):
            return self._answer(raw_answer(proven_by_us(self.account, self.merchant, self.fields, broken=broken)))
        whole, text = _to_sign(self.account, self.fields, broken=broken)
        return Unsigned(
            self.account.sign_key,
            text,
            lambda signature: self._answer(raw_answer(whole | {"signature": signature.decode()})),
        )

    def malformed(self) -> HttpAnswer:
        """Half of the answer, cut within the certificate or a field."""
        whole = signed_at_once(self.seal(Sealing.SIGNED)).body
        return self._answer(whole[: len(whole) // 2])

    def _answer(self, body: bytes) -> HttpAnswer:
        charset = encoding_of(self.fields).upper().encode()
        return HttpAnswer(200, [(b"Content-Type", b"text/html;charset=" + charset)], body)


def proven_by_us(
    account: UnionpayAccount, merchant: Merchant | None, fields: Fields, *, broken: bool = False
) -> Fields:
    """The fields with our signature by the merchant's own method; a broken one belongs to another text."""
    if isinstance(merchant, KeyedMerchant):
        return fields | {"signature": keyed_hash(merchant.secret_key, _another(fields) if broken else fields)}
    whole, text = _to_sign(account, fields, broken=broken)
    return whole | {"signature": sign(account.sign_key, text).decode()}


def _to_sign(account: UnionpayAccount, fields: Fields, *, broken: bool) -> tuple[Fields, bytes]:
    """The fields with our certificate, and what RSA signs of them."""
    whole = fields | {"signPubKeyCert": account.sign_certificate_pem}
    return whole, digest_hex(_another(whole) if broken else whole)


def _another(fields: Fields) -> Fields:
    return fields | {"respMsg": "伪造"}


def result(code: str) -> Fields:
    """respCode with its message."""
    return {"respCode": code, "respMsg": message_of(code)}


def refusal_of(trade: Trade) -> str:
    """The respCode of a payment that was refused."""
    return REFUSALS.get(trade.reason or "", trade.reason or "01")


def original_code(trade: Trade) -> str:
    """origRespCode: the transaction's own result; 01 for an order that nobody paid in time.

    A void is a transaction of its own and leaves the consume's 00.
    """
    match trade.status:
        case Status.PENDING | Status.OPEN:
            return IN_PROCESS
        case Status.CLOSED:
            return FAILED
        case Status.REFUSED:
            return refusal_of(trade)
        case Status.REVERSED if trade.reason != GivenBack.VOID:
            return ALREADY_GIVEN_BACK
        case _:
            return ACCEPTED


def traces(query_id: str, at_ms: int) -> Fields:
    """The numbers by which UnionPay's own papers know a transaction."""
    moment = _beijing(at_ms)
    return {
        "queryId": query_id,
        "traceNo": query_id[-6:],
        "traceTime": f"{moment:%m%d%H%M%S}",
        "settleDate": f"{moment + _CLEARING_CUT:%m%d}",
        "settleCurrencyCode": "156",
    }


def clearing_day(at_ms: int) -> date:
    """The settlement date of a moment."""
    return (_beijing(at_ms) + _CLEARING_CUT).date()


def masked_account(trade: Trade) -> str:
    return f"6225***********{int(trade.payer, 16) % 10_000:04d}"


def paid_with(trade: Trade, amount_fen: int) -> Fields:
    """What was settled, and the card behind it."""
    card = {"accNo": masked_account(trade), "payCardType": "01", "payType": "0001", "issInsCode": "01020000"}
    return {"settleAmt": str(amount_fen)} | card


def consume_result(trade: Trade, amount_fen: int) -> Fields:
    """What a query tells of a consume."""
    code = original_code(trade)
    fields = {"origRespCode": code, "origRespMsg": message_of(code), "txnAmt": str(amount_fen), "currencyCode": "156"}
    fields |= traces(trade_no("unionpay", trade), trade.captured_ms or trade.created_ms)
    return fields | ({} if trade.captured_ms is None else paid_with(trade, amount_fen))


def refund_result(refund: Refund, now_ms: int) -> Fields:
    """What a query tells of a refund or a void."""
    code = IN_PROCESS if refund.settles_ms > now_ms else _ENDS[refund.outcome]
    fields = {"origRespCode": code, "origRespMsg": message_of(code), "txnAmt": str(refund.amount_fen)}
    fields |= traces(refund_no("unionpay", refund), refund.created_ms)
    return fields | {"currencyCode": "156", "settleAmt": str(refund.amount_fen)}
