"""A receipt as a page: small, plain, to read on a phone and to print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from fastapi import Response

from gateway.http.pages import Language, page
from gateway.kernel.money import Money
from gateway.ledger.postings import MERCHANT
from gateway.receipts.receipt import Receipt, ShownDiscounts, Standing
from gateway.refunds.refund import RefundStatus

_STYLE: Final = """
:root{color-scheme:light}*{box-sizing:border-box}
body{margin:0;background:#f3f4f6;color:#1b1f24;font:16px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:26rem;margin:0 auto;padding:1.5rem 1.25rem;background:#fff;min-height:100vh}
h1{font-size:1rem;font-weight:600;margin:0;text-align:center;color:#57606a}
.shop{font-size:1.25rem;font-weight:700;margin:.25rem 0 0;text-align:center;overflow-wrap:anywhere}
.sum{font-size:2.25rem;font-weight:700;margin:.75rem 0 0;text-align:center;font-variant-numeric:tabular-nums}
.state{margin:0 0 1rem;text-align:center;font-weight:600}.paid{color:#116329}.back{color:#8a4600}
h2{font-size:1rem;margin:1.25rem 0 .25rem}
dl{margin:0;border-top:1px solid #d8dee4}
dl div{display:flex;justify-content:space-between;gap:1rem;padding:.5rem 0;border-bottom:1px solid #d8dee4}
dt{color:#57606a;flex:none;max-width:50%;overflow-wrap:anywhere}
dd{margin:0;text-align:right;overflow-wrap:anywhere;min-width:0;font-variant-numeric:tabular-nums}
.total dt,.total dd{font-weight:700;color:#1b1f24}
footer{margin-top:1.25rem;color:#57606a;font-size:.8125rem;text-align:center}
@media print{body{background:#fff;font-size:12px}main{max-width:none;min-height:0;padding:0}
h2,dl div{break-inside:avoid}}
"""


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    missing_title: str
    missing: str
    states: Mapping[Standing, str]
    wallets: Mapping[str, str]
    store: str
    terminal: str
    order: str
    wallet: str
    trade: str
    time: str
    amounts: str
    goods: str
    discount: str
    merchant: str
    paid: str
    refunds: str
    returned: str
    pending: str
    zone: str


_WORDS: Final[Mapping[Language, _Words]] = {
    Language.CHINESE: _Words(
        title="电子凭证",
        missing_title="没有这张凭证",
        missing="链接不完整，或这笔订单没有收款。请向商家索取新的链接。",
        states={
            Standing.PAID: "支付成功",
            Standing.PARTLY_REFUNDED: "已部分退款",
            Standing.REFUNDED: "已全额退款",
            Standing.REVERSED: "已撤销，款项已退回",
        },
        wallets={
            "wechat": "微信支付",
            "alipay": "支付宝",
            "unionpay": "云闪付",
            "digital_rmb": "数字人民币",
            "jd": "京东支付",
            "best_pay": "翼支付",
            "qq": "QQ钱包",
        },
        store="门店",
        terminal="终端",
        order="商家订单号",
        wallet="支付方式",
        trade="交易单号",
        time="支付时间",
        amounts="金额",
        goods="商品金额",
        discount="优惠",
        merchant="商家优惠",
        paid="实付",
        refunds="退款",
        returned="退回合计",
        pending="处理中",
        zone="时区",
    ),
    Language.ENGLISH: _Words(
        title="Receipt",
        missing_title="There is no such receipt",
        missing="The link is not complete, or nothing was paid. Ask the shop for a new one.",
        states={
            Standing.PAID: "Paid",
            Standing.PARTLY_REFUNDED: "Partly refunded",
            Standing.REFUNDED: "Refunded",
            Standing.REVERSED: "Reversed: the money went back",
        },
        wallets={
            "wechat": "WeChat Pay",
            "alipay": "Alipay",
            "unionpay": "UnionPay",
            "digital_rmb": "Digital RMB",
            "jd": "JD Pay",
            "best_pay": "Best Pay",
            "qq": "QQ Wallet",
        },
        store="Store",
        terminal="Terminal",
        order="Order",
        wallet="Paid with",
        trade="Transaction",
        time="Paid at",
        amounts="Amounts",
        goods="Goods",
        discount="Discount",
        merchant="from the shop",
        paid="Paid",
        refunds="Refunds",
        returned="Returned in all",
        pending="under way",
        zone="Time zone",
    ),
}


def receipt_page(receipt: Receipt, language: Language) -> Response:
    """The page; times in the merchant's time zone."""
    words, standing = _WORDS[language], receipt.standing
    kind = "paid" if standing is Standing.PAID else "back"
    body = (
        f'<main><h1>{words.title}</h1><p class="shop">{escape(receipt.shop.name)}</p>'
        f'<p class="sum">{_yuan(receipt.payable)}</p><p class="state {kind}">{words.states[standing]}</p>'
        f"{_facts(receipt, words)}{_amounts(receipt, words)}{_refunds(receipt, words)}"
        f"<footer>{words.zone} {escape(receipt.shop.timezone)}</footer></main>"
    )
    return page(language, f"{words.title} · {receipt.shop.name}", _STYLE, body)


def missing_page(language: Language) -> Response:
    """The page of a link that leads nowhere."""
    words = _WORDS[language]
    body = f'<main><h1>{words.title}</h1><p class="shop">{words.missing_title}</p><p>{words.missing}</p></main>'
    return page(language, words.missing_title, _STYLE, body, status=404)


def _facts(receipt: Receipt, words: _Words) -> str:
    payment = receipt.payment
    rows = [
        (words.store, payment.store_id),
        (words.terminal, payment.terminal_id),
        (words.order, payment.merchant_order_no),
        (words.wallet, words.wallets.get(payment.wallet or "", payment.wallet)),
        (words.trade, payment.channel_trade_no),
        (words.time, _time(receipt, receipt.paid_at)),
    ]
    return f"<dl>{''.join(_row(name, value) for name, value in rows if value is not None)}</dl>"


def _amounts(receipt: Receipt, words: _Words) -> str:
    """Goods, discounts and what was paid, as far as the merchant shows them."""
    shows = receipt.shop.discounts
    if shows is ShownDiscounts.NONE or not receipt.discount:
        return ""
    parts = [(words.discount, -receipt.discount)]
    if shows is ShownDiscounts.BY_FUNDER and receipt.funding:
        parts = [(_funder(sponsor, words), -amount.amount_fen) for sponsor, amount, _ in receipt.funding]
    rows = [(words.goods, receipt.amount), *parts]
    body = "".join(_row(name, _yuan(fen)) for name, fen in rows)
    return f"<h2>{words.amounts}</h2><dl>{body}{_row(words.paid, _yuan(receipt.payable), 'total')}</dl>"


def _funder(sponsor: str, words: _Words) -> str:
    return f"{words.discount} ({words.merchant if sponsor == MERCHANT else sponsor})"


def _refunds(receipt: Receipt, words: _Words) -> str:
    if not receipt.refunds and receipt.standing is not Standing.REVERSED:
        return ""
    body = ""
    for refund in receipt.refunds:
        state = f" ({words.pending})" if refund.status is RefundStatus.PENDING else ""
        name = f"{_time(receipt, refund.made_at)} {refund.merchant_refund_no}{state}"
        body += _row(name, _yuan(-refund.returned_to_customer))
    return f"<h2>{words.refunds}</h2><dl>{body}{_row(words.returned, _yuan(-receipt.returned), 'total')}</dl>"


def _row(name: str, value: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f"<div{attribute}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _time(receipt: Receipt, moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(receipt.shop.timezone)).strftime("%Y-%m-%d %H:%M:%S")


def _yuan(fen: int) -> str:
    return f"{'−' if fen < 0 else ''}¥{Money(abs(fen)).yuan}"
