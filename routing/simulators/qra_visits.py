"""The page behind a displayed code of the front: a customer who scanned it with one of several wallets pays there."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import parse_qs

from routing.simulators import pages
from routing.simulators.books import Books, Status, Trade
from routing.simulators.channel import HttpAnswer, HttpRequest, Visit
from routing.simulators.qra_wallets import SCANNERS
from routing.simulators.wallet import Action, Wallet, WalletRefused

_TITLE: Final = "模拟条码前置"
_NAMES: Final = {"unionpay": "云闪付", "wechat": "微信", "alipay": "支付宝"}
_SIGNS: Final = (("MicroMessenger", "wechat"), ("AlipayClient", "alipay"))
"""What of a User-Agent tells the wallet whose browser it is; every other one is taken for UnionPay's."""
_REFUSALS: Final = {
    "paid": "订单已支付",
    "closed": "订单已关闭",
    "expired": "订单已超时",
    "declined": "支付失败",
    "unknown": "订单不存在",
}


class QraVisits:
    """Serves browsers at the page."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def read(self, request: HttpRequest) -> Visit | HttpAnswer:
        """GET shows the order, POST pays it or leaves it."""
        query = pages.query_of(request)
        token = query.get("code", "")
        if request.method == "GET":
            return Visit(lambda wallet: self._show(request, wallet, token))
        if request.method != "POST":
            return HttpAnswer(405)
        form = {name: values[-1] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        trade = self._books.find_by_handle(token)
        return Visit(
            lambda wallet: self._decide(request, wallet, token, form), trade.order_no if trade is not None else ""
        )

    def _show(self, request: HttpRequest, wallet: Wallet, token: str) -> HttpAnswer:
        """The page with the amount, the wallet to pay with, and two buttons."""
        try:
            trade = wallet.scan(token, Action.SCAN)
        except WalletRefused as error:
            return _refused(error.reason)
        _, headers = pages.payer_of_visit(request, pages.query_of(request))
        return pages.html(_TITLE, _sheet(trade, _wallet_of(request)), headers=headers)

    def _decide(self, request: HttpRequest, wallet: Wallet, token: str, form: dict[str, str]) -> HttpAnswer:
        app, action = form.get("wallet", ""), form.get("action", "")
        if app not in SCANNERS or action not in ("pay", "cancel"):
            return _refused("unknown")
        if action == "cancel":
            return pages.html(_TITLE, f'<h1>{_TITLE}</h1><p data-testid="wallet-cancelled">未付款</p>')
        payer, headers = pages.payer_of_visit(request, pages.query_of(request))
        try:
            trade = wallet.scan(token, Action.PAY, payer, app=app)
        except WalletRefused as error:
            return _refused(error.reason)
        said = "支付成功" if trade.status == Status.CAPTURED else "支付处理中"
        body = f'<h1>{_NAMES[app]}</h1><p data-testid="wallet-paid">{said}</p>'
        return pages.html(_TITLE, body, headers=headers)


def _wallet_of(request: HttpRequest) -> str:
    """`?wallet=` where a test names one, or whose browser it is."""
    named, browser = pages.query_of(request).get("wallet", ""), request.header(b"user-agent")
    if named in SCANNERS:
        return named
    return next((wallet for sign, wallet in _SIGNS if sign in browser), SCANNERS[0])


def _sheet(trade: Trade, usual: str) -> str:
    options = "".join(
        [f'<option value="{name}"{" selected" if name == usual else ""}>{_NAMES[name]}</option>' for name in SCANNERS]
    )
    return (
        f'<form method="post" data-testid="wallet-sheet"><h1>{_TITLE}</h1>'
        f'<p>商户 <b data-testid="wallet-merchant">{escape(trade.merchant)}</b></p>'
        f'<p>¥<b data-testid="wallet-amount">{trade.amount_fen // 100}.{trade.amount_fen % 100:02d}</b></p>'
        f'<p><select name="wallet" data-testid="wallet-name">{options}</select></p>'
        '<button name="action" value="pay" data-testid="wallet-pay">立即付款</button>'
        '<button name="action" value="cancel" data-testid="wallet-cancel">取消</button></form>'
    )


def _refused(reason: str) -> HttpAnswer:
    text = _REFUSALS.get(reason, "支付失败")
    return pages.html(_TITLE, f'<h1>{_TITLE}</h1><p data-testid="wallet-refused">{text}</p>', 409)
