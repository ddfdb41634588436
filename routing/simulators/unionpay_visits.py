"""A customer's browser at UnionPay: the page that tells who they are, and the page on which they pay an order."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import parse_qs, urlencode

import orjson

from routing.simulators import pages
from routing.simulators.acts import Act
from routing.simulators.books import Books, Method, Status, Trade
from routing.simulators.channel import HttpAnswer, HttpRequest, Visit
from routing.simulators.grants import Grants
from routing.simulators.unionpay_account import UnionpayAccount
from routing.simulators.unionpay_answers import ACCEPTED, CODE_IS_SPENT, Fields, proven_by_us, result
from routing.simulators.unionpay_fields import Ask
from routing.simulators.unionpay_news import news_of_trade
from routing.simulators.unionpay_orders import PAY_PATH
from routing.simulators.unionpay_payers import app_user_id, auth_code_of, grant_of
from routing.simulators.wallet import Action, Wallet, WalletRefused

AUTHORIZE_PATH: Final = "/qrcGtwWeb-web/api/userAuth"
PATHS: Final = frozenset({AUTHORIZE_PATH, PAY_PATH})
_EVERY_MERCHANT: Final = "unionpay"
_REFUSALS: Final = {
    "paid": "订单已支付",
    "closed": "订单已关闭",
    "expired": "订单已超时",
    "declined": "支付失败",
    "unknown": "订单不存在",
}


class UnionpayVisits:
    """The pages, and the transaction that redeems what the first of them gave."""

    def __init__(self, account: UnionpayAccount, books: Books) -> None:
        self._account = account
        self._books = books
        self._grants = Grants(books)

    def read(self, request: HttpRequest) -> Visit | HttpAnswer:
        """Serve a browser at one of PATHS."""
        if request.path == AUTHORIZE_PATH:
            return Visit(lambda _: self._authorize(request)) if request.method == "GET" else HttpAnswer(405)
        if request.method == "GET":
            number = pages.query_of(request).get("tn", "")
            return Visit(lambda wallet: self._show(wallet, number))
        if request.method != "POST":
            return HttpAnswer(405)
        form = {name: values[-1] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        number = form.get("tn", "")
        trade = self._order(number)
        return Visit(
            lambda wallet: self._decide(wallet, number, form.get("action", "")),
            trade.order_no if trade is not None else "",
        )

    def _authorize(self, request: HttpRequest) -> HttpAnswer:
        """Back to the merchant's page with a userAuthCode.  There is no merchant and no state in the request."""
        query = pages.query_of(request)
        back = query.get("redirectUrl", "")
        if query.get("version") != "1.0.0" or not pages.web_address(back):
            return pages.html("模拟云闪付", "<h1>授权失败</h1><p>参数错误</p>", 400)
        payer, headers = pages.payer_of_visit(request, query)
        code = auth_code_of(self._grants.give(_EVERY_MERCHANT, payer))
        before, mark, anchor = back.partition("#")
        joined = f"{before}{'&' if '?' in before else '?'}{urlencode({'userAuthCode': code, 'respCode': ACCEPTED})}"
        return pages.redirect(f"{joined}{mark}{anchor}", headers)

    def identify(self, ask: Ask, act: Act) -> Fields:
        """00/10: the appUserId behind a userAuthCode, once."""
        grant = grant_of(ask.fields["userAuthCode"])
        payer = None if grant is None else self._grants.redeem(_EVERY_MERCHANT, grant)
        if payer is None:
            return result(CODE_IS_SPENT)
        named = {"orderId": act.shown_order_no(ask.fields["orderId"])}
        return result(ACCEPTED) | named | {"appUserId": app_user_id(ask.fields["merId"], payer)}

    def _order(self, number: str) -> Trade | None:
        """The order of a page; the content of a code is no number."""
        trade = self._books.find_by_handle(number)
        return trade if trade is not None and trade.method == Method.PAGE else None

    def _show(self, wallet: Wallet, number: str) -> HttpAnswer:
        """The page with the amount and two buttons."""
        trade = self._order(number)
        try:
            wallet.scan(number if trade is not None else "", Action.SCAN)
        except WalletRefused as error:
            return _refused(error.reason, trade)
        assert trade is not None
        body = (
            '<form method="post" data-testid="wallet-sheet"><h1>模拟云闪付</h1>'
            f'<p>商户 <b data-testid="wallet-merchant">{escape(trade.merchant)}</b></p>'
            f'<p>¥<b data-testid="wallet-amount">{trade.amount_fen // 100}.{trade.amount_fen % 100:02d}</b></p>'
            f'<input type="hidden" name="tn" value="{escape(number)}">'
            '<button name="action" value="pay" data-testid="wallet-pay">立即付款</button>'
            '<button name="action" value="cancel" data-testid="wallet-cancel">取消</button></form>'
        )
        return pages.html("模拟云闪付", body)

    def _decide(self, wallet: Wallet, number: str, action: str) -> HttpAnswer:
        """Pay or do not, and go back to the merchant's page."""
        trade = self._order(number)
        if trade is None or action not in ("pay", "cancel"):
            return _refused("unknown", trade)
        if action == "cancel":
            return pages.redirect(_front_url(trade))
        try:
            trade = wallet.scan(number, Action.PAY)
        except WalletRefused as error:
            return _refused(error.reason, trade)
        if self._account.settings.front_return == "get" or trade.status != Status.CAPTURED:
            return pages.redirect(_front_url(trade))
        return self._post_back(trade)

    def _post_back(self, trade: Trade) -> HttpAnswer:
        """A page that posts the signed result to frontUrl by itself."""
        merchant = self._account.merchant(trade.merchant)
        assert merchant is not None
        news = news_of_trade(trade) | {"signMethod": merchant.sign_method}
        fields = proven_by_us(self._account, merchant, news)
        inputs = "".join(
            [f'<input type="hidden" name="{escape(name)}" value="{escape(text)}">' for name, text in fields.items()]
        )
        action = escape(_front_url(trade))
        form = f'<form id="back" method="post" action="{action}">{inputs}<button>返回商户</button></form>'
        return pages.html("模拟云闪付", f'{form}<script>document.getElementById("back").submit()</script>')


def _refused(reason: str, trade: Trade | None) -> HttpAnswer:
    """Why it cannot be paid, and the way back to the merchant where there is one."""
    text = _REFUSALS.get(reason, "支付失败")
    link = (
        "" if trade is None else f'<p><a href="{escape(_front_url(trade))}" data-testid="wallet-back">返回商户</a></p>'
    )
    return pages.html("模拟云闪付", f'<h1>模拟云闪付</h1><p data-testid="wallet-refused">{text}</p>{link}', 409)


def _front_url(trade: Trade) -> str:
    return str(orjson.loads(trade.details)["frontUrl"])
