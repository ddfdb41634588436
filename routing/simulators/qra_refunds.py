"""The front simulator's refunds, and what is asked of them (CHANNEL-PROTOCOLS 3.6)."""

from __future__ import annotations

from typing import Final

from routing.simulators.acts import Act
from routing.simulators.books import Books, GivenBack, Refund, Trade
from routing.simulators.numbers import seq_of, trade_no
from routing.simulators.qra_account import QraAccount
from routing.simulators.qra_answers import DONE, failed, refund_fields
from routing.simulators.qra_calls import QraDesk
from routing.simulators.qra_fields import Ask, Fields, fen, order_number, text
from routing.simulators.till import GiveBack, RefundRules, RefundVerdict, give_back

_FAILURES: Final = {
    RefundVerdict.DIFFERENT: ("REFUND_FEE_MISMATCH", "退款单号已存在，且参数与原请求不一致"),
    RefundVerdict.NOT_PAID: ("TRADE_ERROR", "订单未支付或已撤销，不可退款"),
    RefundVerdict.TOO_MUCH: ("INVALID_REQUEST", "申请退款金额大于订单剩余可退金额"),
    RefundVerdict.TOO_SOON: ("FREQUENCY_LIMITED", "同一订单退款过于频繁"),
    RefundVerdict.TOO_MANY: ("INVALID_REQUEST", "同一订单退款次数超限"),
}
_REFUND_LATEST_MS: Final = 365 * 86_400_000
_OF_ORDER: Final = " WHERE merchant = ? AND trade_seq = ? AND kind = ? ORDER BY seq"


class QraRefunds(QraDesk):
    """Refunds of orders, partial and repeated."""

    def __init__(self, account: QraAccount, books: Books) -> None:
        super().__init__(account, books)
        settings = account.settings
        self._rules = RefundRules(
            settings.refund_interval_s, settings.refund_count_max, settings.refund_settles_after_s
        )

    def refund(self, ask: Ask, act: Act) -> Fields:
        """Give money back under a refund number that makes repetition safe."""
        fields = ask.fields
        refund_no = order_number(fields, "out_refund_no")
        refund_fen, total_fen = fen(fields, "refund_fee"), fen(fields, "total_fee")
        trade = self.order(fields)
        if trade is None:
            return failed("ORDERNOTEXIST")
        if total_fen != trade.amount_fen:
            return failed("REFUND_FEE_MISMATCH", "订单金额与原订单不一致")
        if self.books.now_ms() - trade.created_ms > _REFUND_LATEST_MS:
            return failed("TRADE_OVERDUE", "订单已超过退款期限")
        verdict, refund = give_back(
            self.books, trade, GiveBack(refund_no, refund_fen, outcome=act.refund_outcome), self._rules
        )
        if refund is None or verdict is RefundVerdict.DIFFERENT:
            return failed(*_FAILURES[verdict])
        return DONE | self._named(trade, act) | refund_fields(refund, self.books.now_ms())

    def query(self, ask: Ask, act: Act) -> Fields:
        """One refund by its number or the front's, or all of an order."""
        found = self._found(ask.fields)
        if not found:
            return failed("REFUNDNOTEXIST")
        listed: Fields = {"refund_count": str(len(found))}
        for place, refund in enumerate(found):
            listed |= refund_fields(refund, self.books.now_ms(), f"_{place}")
        return DONE | self._named(self.books.by_seq(found[0].trade_seq), act) | listed

    def _found(self, fields: Fields) -> list[Refund]:
        mch_id = self.account.mch_id
        if text(fields, "refund_id", 32, required=False):
            seq = seq_of(fields["refund_id"])
            return self.books.refunds_where(" WHERE merchant = ? AND seq = ?", mch_id, seq) if seq is not None else []
        if text(fields, "out_refund_no", 32, required=False):
            refund = self.books.find_refund(mch_id, fields["out_refund_no"])
            return [] if refund is None else [refund]
        trade = self.order(fields)
        return [] if trade is None else self.books.refunds_where(_OF_ORDER, mch_id, trade.seq, GivenBack.REFUND)

    def _named(self, trade: Trade, act: Act) -> Fields:
        return {"out_trade_no": act.shown_order_no(trade.order_no), "transaction_id": trade_no("qra", trade)}
