"""The words of the shift report's page, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.http.pages import Language


@dataclass(frozen=True, slots=True)
class Words:
    """One language's."""

    title: str
    made: str
    totals: str
    count: str
    amount: str
    books: str
    payments: str
    discount: str
    refunds: str
    net: str
    fees: str
    agrees: str
    differs: str
    by_terminal: str
    by_operator: str
    by_wallet: str
    by_status: str
    store: str
    terminal: str
    operator: str
    wallet: str
    status: str
    paid: str
    returned: str
    paid_or_returned: str
    customer: str
    goods: str
    sum: str
    payment: str
    refund: str
    open: str
    lines: str
    more: str
    time: str
    number: str
    names: Mapping[str, str]

    def name(self, word: str | None) -> str:
        """A wallet or a status as people call it."""
        return self.names.get(word or "", word or "")


WORDS: Final[Mapping[Language, Words]] = {
    Language.CHINESE: Words(
        title="交班表",
        made="生成于 {}",
        totals="合计",
        count="笔数",
        amount="金额",
        books="账面",
        payments="收款",
        discount="优惠",
        refunds="退款",
        net="净收款",
        fees="手续费",
        agrees="与账本一致",
        differs="与账本不一致，请联系运营人员",
        by_terminal="按门店与终端",
        by_operator="按收银员",
        by_wallet="按钱包",
        by_status="按状态",
        store="门店",
        terminal="终端",
        operator="收银员",
        wallet="钱包",
        status="状态",
        paid="顾客实付",
        returned="退给顾客",
        paid_or_returned="实付/实退",
        customer="实付/实退",
        goods="商品金额",
        sum="合计",
        payment="收款",
        refund="退款",
        open="未完成",
        lines="明细",
        more="明细未全部列出，请缩短时间或下载表格。",
        time="时间",
        number="订单号",
        names={
            "wechat": "微信支付",
            "alipay": "支付宝",
            "unionpay": "云闪付",
            "digital_rmb": "数字人民币",
            "jd": "京东支付",
            "best_pay": "翼支付",
            "qq": "QQ钱包",
            "processing": "处理中",
            "requires_action": "待支付",
            "succeeded": "成功",
            "failed": "失败",
            "closed": "已关闭",
            "reversed": "已撤销",
            "pending": "处理中",
            "reversal": "撤销",
        },
    ),
    Language.ENGLISH: Words(
        title="Shift report",
        made="made at {}",
        totals="Totals",
        count="count",
        amount="amount",
        books="books",
        payments="payments",
        discount="discounts",
        refunds="refunds",
        net="net",
        fees="fees",
        agrees="equal to the ledger",
        differs="not equal to the ledger: call operations",
        by_terminal="By store and terminal",
        by_operator="By operator",
        by_wallet="By wallet",
        by_status="By status",
        store="store",
        terminal="terminal",
        operator="operator",
        wallet="wallet",
        status="status",
        paid="paid",
        returned="returned",
        paid_or_returned="paid / returned",
        customer="paid / returned",
        goods="goods",
        sum="total",
        payment="payment",
        refund="refund",
        open="Open",
        lines="All of them",
        more="Not all are listed: choose a shorter time, or download the spreadsheet.",
        time="time",
        number="order number",
        names={
            "wechat": "WeChat Pay",
            "alipay": "Alipay",
            "unionpay": "UnionPay",
            "digital_rmb": "Digital RMB",
            "jd": "JD Pay",
            "best_pay": "Best Pay",
            "qq": "QQ Wallet",
            "requires_action": "to be paid",
        },
    ),
}
