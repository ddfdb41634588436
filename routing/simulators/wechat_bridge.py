"""The simulator's side of the in-page bridge: checks what the merchant signed, shows the order, takes the money."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any, Final

import orjson

from routing.simulators.books import Books, Method
from routing.simulators.channel import HttpAnswer, HttpRequest, Visit
from routing.simulators.pages import json_answer, preflight, script
from routing.simulators.wallet import Action, Wallet, WalletRefused
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_signing import call_up_text, verifies

SCRIPT: Final = "/_simulator/bridge.js"
OPEN: Final = "/_simulator/bridge/open"
PAY: Final = "/_simulator/bridge/pay"
_SOURCE: Final = Path(__file__).with_name("wechat_bridge.js")
_PREFIX: Final = "prepay_id="
_NAMES: Final = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")


class BadCallUp(Exception):
    """The parameters of getBrandWCPayRequest are not what the merchant's server must have signed."""


class Bridge:
    """Serves the script and what it asks."""

    def __init__(self, account: WechatAccount, books: Books) -> None:
        self._account = account
        self._books = books
        self._source = _SOURCE.read_text("utf-8")

    def visit(self, request: HttpRequest) -> Visit | None:
        """The script, or an order in the sheet; None for any other path."""
        match request.method, request.path:
            case "GET", path if path == SCRIPT:
                return Visit(lambda _: script(self._source))
            case "OPTIONS", path if path in (OPEN, PAY):
                return Visit(lambda _: preflight())
            case "POST", path if path in (OPEN, PAY):
                return self._read(request.body, pays=path == PAY)
            case _:
                return None

    def _read(self, body: bytes, *, pays: bool) -> Visit:
        try:
            prepay_id = self._prepay_id(body)
        except BadCallUp as error:
            problem = str(error)
            return Visit(lambda _: json_answer({"error": problem}))
        trade = self._books.find_by_handle(prepay_id)
        order_no = "" if trade is None or not pays else trade.order_no
        return Visit(lambda wallet: self._serve(wallet, prepay_id, pays=pays), order_no)

    def _prepay_id(self, body: bytes) -> str:
        """The prepay_id that the merchant signed for.  Raises BadCallUp."""
        try:
            document: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise BadCallUp("支付参数格式错误")
        values = [document.get(name) for name in _NAMES]
        missing = [name for name, value in zip(_NAMES, values, strict=True) if not isinstance(value, str) or not value]
        if missing:
            raise BadCallUp(f"缺少参数{missing[0]}")
        app_id, timestamp, nonce, package, sign_type, signature = [str(value) for value in values]
        if app_id != self._account.appid:
            raise BadCallUp("appId错误")
        if not timestamp.isdigit() or not package.startswith(_PREFIX) or sign_type != "RSA":
            raise BadCallUp("支付参数格式错误")
        if not self._signed(call_up_text(app_id, timestamp, nonce, package), signature):
            raise BadCallUp("支付验证签名失败")
        return package.removeprefix(_PREFIX)

    def _signed(self, text: bytes, signature: str) -> bool:
        try:
            raw = base64.b64decode(signature, validate=True)
        except binascii.Error:
            return False
        return any(verifies(key, raw, text) for key in self._account.merchant_keys.values())

    def _serve(self, wallet: Wallet, prepay_id: str, *, pays: bool) -> HttpAnswer:
        try:
            trade = wallet.open(prepay_id)
            if trade.method != Method.PAGE:
                return json_answer({"error": "unknown"})
            if pays:
                trade = wallet.scan(prepay_id, Action.PAY)
        except WalletRefused as error:
            return json_answer({"error": error.reason, "detail": str(error)})
        details = orjson.loads(trade.details)
        return json_answer(
            {
                "merchant": self._account.settings.merchant_name,
                "description": details["description"],
                "amount": f"¥{trade.amount_fen // 100}.{trade.amount_fen % 100:02d}",
                "status": trade.status,
            }
        )
