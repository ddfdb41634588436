"""The WeChat simulator's refunds, the abnormal ones too (CHANNEL-PROTOCOLS 1.5)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

import orjson

from routing.simulators.acts import Act, RefundOutcome
from routing.simulators.books import Books, Refund, Trade
from routing.simulators.numbers import seq_of
from routing.simulators.till import GiveBack, RefundRules, RefundVerdict, give_back
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import WechatDraft, ok, refund_object
from routing.simulators.wechat_desk import Asked, Desk
from routing.simulators.wechat_fields import BadField, fen, nested, notify_address, text
from routing.simulators.wechat_signing import open_field

_REFUND_NO: Final = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_REFUND_LATEST_MS: Final = 365 * 86_400_000
_FAILURES: Final = {
    RefundVerdict.DIFFERENT: ("INVALID_REQUEST", "退款单号已存在，且参数与原请求不一致"),
    RefundVerdict.NOT_PAID: ("INVALID_REQUEST", "订单未支付或已撤销，不可退款"),
    RefundVerdict.TOO_MUCH: ("INVALID_REQUEST", "申请退款金额大于订单剩余可退金额"),
    RefundVerdict.TOO_SOON: ("FREQUENCY_LIMITED", "同一订单一分钟内只能申请一次退款"),
    RefundVerdict.TOO_MANY: ("RULE_LIMIT", "同一订单退款次数超过50次"),
}
_TO_PAYER: Final = "USER_BANK_CARD"
_TO_MERCHANT: Final = "MERCHANT_BANK_CARD"


class RefundDesk(Desk):
    """Refunds."""

    def __init__(self, account: WechatAccount, books: Books) -> None:
        super().__init__(account, books)
        settings = account.settings
        self._rules = RefundRules(
            settings.refund_interval_s, settings.refund_count_max, settings.refund_settles_after_s
        )

    def _refunded_order(self, document: dict[str, Any]) -> Trade | None:
        transaction_id = document.get("transaction_id")
        if transaction_id is not None:
            seq = seq_of(str(transaction_id))
            return None if seq is None else self.books.find_by_seq(self.account.mchid, seq)
        return self.books.find(self.account.mchid, text(document, "out_trade_no", 32))

    def refund(self, asked: Asked, act: Act) -> WechatDraft:
        """Give money back under a refund number that makes repetition safe."""
        try:
            wanted, total_fen = _read(asked.document, act)
            trade = self._refunded_order(asked.document)
        except BadField as error:
            return self.bad(asked, error)
        if trade is None:
            return self.fail(asked, "RESOURCE_NOT_EXISTS", "订单不存在")
        if total_fen != trade.amount_fen:
            return self.fail(asked, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致")
        if self.books.now_ms() - trade.created_ms > _REFUND_LATEST_MS:
            return self.fail(asked, "INVALID_REQUEST", "订单超过一年，不可退款")
        verdict, refund = give_back(self.books, trade, wanted, self._rules)
        if refund is None or verdict is RefundVerdict.DIFFERENT:
            return self.fail(asked, *_FAILURES[verdict])
        return self._show(asked, trade, refund, act)

    def query(self, asked: Asked, act: Act) -> WechatDraft:
        """Where a refund stands."""
        refund = self.books.find_refund(self.account.mchid, asked.number)
        trade = None if refund is None else self.books.find_by_seq(self.account.mchid, refund.trade_seq)
        if refund is None or trade is None:
            return self.fail(asked, "RESOURCE_NOT_EXISTS")
        return self._show(asked, trade, refund, act)

    def retry_abnormal(self, asked: Asked, act: Act) -> WechatDraft:
        """Send the money of an abnormal refund to a bank card of the payer's, or back to the merchant."""
        try:
            refund_no = text(asked.document, "out_refund_no", 64)
            receiver = self._read_receiver(asked)
        except BadField as error:
            return self.bad(asked, error)
        refund = self.books.find_refund(self.account.mchid, refund_no)
        if refund is None or seq_of(asked.number) != refund.seq:
            return self.fail(asked, "RESOURCE_NOT_EXISTS")
        trade, now_ms = self.books.by_seq(refund.trade_seq), self.books.now_ms()
        if refund.outcome != RefundOutcome.ABNORMAL or refund.settles_ms > now_ms:
            return self.fail(asked, "INVALID_REQUEST", "退款单状态不是退款异常")
        refund.outcome = RefundOutcome.SUCCEEDED
        refund.settles_ms = now_ms + round(self._rules.settles_after_s * 1_000)
        refund.details = orjson.dumps({"received_by": receiver}).decode()
        self.books.save_refund(trade, refund)
        return self._show(asked, trade, refund, act)

    def _read_receiver(self, asked: Asked) -> str:
        """How the receiving account shows.  The payer's card has a bank, and its number and owner come encrypted."""
        to = text(asked.document, "type", 32)
        if to == _TO_MERCHANT:
            return "商户结算银行账户"
        if to != _TO_PAYER:
            raise BadField("PARAM_ERROR", "/type", f"应为{_TO_PAYER}或{_TO_MERCHANT}")
        bank = text(asked.document, "bank_type", 16)
        opened = {name: self._open(asked, name) for name in ("bank_account", "real_name")}
        return f"{bank}尾号{opened['bank_account'][-4:]}"

    def _open(self, asked: Asked, name: str) -> str:
        sealed = text(asked.document, name, 1_024)
        try:
            return open_field(self.account.platform_keys[asked.serial], base64.b64decode(sealed, validate=True))
        except (ValueError, binascii.Error):
            raise BadField("PARAM_ERROR", f"/{name}", "敏感信息解密失败") from None

    def _show(self, asked: Asked, trade: Trade, refund: Refund, act: Act) -> WechatDraft:
        shown = act.shown_order_no(trade.order_no)
        return ok(self.account, asked.serial, refund_object(trade, refund, self.books.now_ms(), shown))


def _read(document: dict[str, Any], act: Act) -> tuple[GiveBack, int]:
    """The refund that is asked for, and the order's amount that the merchant believes in.  Raises BadField."""
    refund_no = text(document, "out_refund_no", 64)
    if not _REFUND_NO.fullmatch(refund_no):
        raise BadField("PARAM_ERROR", "/out_refund_no", "只能是数字、大小写字母_-|*@")
    text(document, "reason", 80, required=False)
    amount = nested(document, "amount")
    refund_fen, total_fen = fen(amount, "refund"), fen(amount, "total")
    text(amount, "currency", 3, "/amount")
    wanted = GiveBack(
        refund_no,
        refund_fen,
        outcome=act.refund_outcome,
        notify_url=notify_address(document, required=False),
    )
    return wanted, total_fen
