"""The WeChat simulator's orders that customers scan or pay in a page: native, jsapi, close (CHANNEL-PROTOCOLS 1.5)."""

from __future__ import annotations

import re
import secrets
import string
from typing import Any, Final

import orjson

from routing.simulators.acts import Act
from routing.simulators.books import Method, Status, Trade, digest_of
from routing.simulators.moments import beijing_text
from routing.simulators.wechat_answers import MICROPAY, OPENID_PREFIX, WechatDraft, ok
from routing.simulators.wechat_desk import Asked, Desk
from routing.simulators.wechat_fields import BadField, fen, moment_ms, nested, notify_address, order_number, text

CODE_URL: Final = "weixin://wxpay/bizpayurl?pr="
_ALPHABET: Final = string.ascii_letters + string.digits
_HANDLE_MS: Final = 2 * 3_600_000
"""Both a code_url and a prepay_id are good for two hours."""
_SHORTEST_MS: Final = 60_000
_CLOSES_AFTER_MS: Final = 7 * 86_400_000
_OPENID: Final = re.compile(f"{OPENID_PREFIX}([0-9a-f]{{24}})")
_OVER: Final = {
    Status.CAPTURED: "ORDER_PAID",
    Status.REFUNDED: "ORDER_PAID",
    Status.CLOSED: "ORDER_CLOSED",
    Status.REVERSED: "ORDER_REVERSED",
}


class OrderDesk(Desk):
    """Orders on display."""

    def native(self, asked: Asked, act: Act) -> WechatDraft:
        """A code for the customer to scan."""
        return self._place(asked, act, Method.CODE)

    def jsapi(self, asked: Asked, act: Act) -> WechatDraft:
        """An order that the identified payer pays in a page."""
        return self._place(asked, act, Method.PAGE)

    def _place(self, asked: Asked, act: Act, method: Method) -> WechatDraft:
        try:
            order = self._read(asked.document, method)
        except BadField as error:
            return self.bad(asked, error)
        order.amount_fen = max(1, order.amount_fen + act.amount_delta_fen)
        trade = self.books.find_underway(order.merchant, order.order_no)
        if trade is None:
            trade = order
            trade.seq = self.books.next_trade_seq()
            self.books.add(trade)
        elif trade.fingerprint != order.fingerprint:
            return self.fail(asked, "OUT_TRADE_NO_USED")
        elif trade.status != Status.OPEN:
            return self.fail(asked, _OVER.get(Status(trade.status), "ORDER_CLOSED"))
        elif trade.pay_until_ms is not None and trade.pay_until_ms <= self.books.now_ms():
            return self.fail(asked, "ORDER_CLOSED", "订单已过期")
        else:
            trade.handle, trade.handle_until_ms = order.handle, order.handle_until_ms
            self.books.save(trade)
        name = "code_url" if method is Method.CODE else "prepay_id"
        return ok(self.account, asked.serial, {name: trade.handle})

    def _read(self, document: dict[str, Any], method: Method) -> Trade:
        """The order as it will stand in the books, `seq` still missing.  Raises BadField."""
        self.check_owner(document)
        text(document, "appid", 32)
        now_ms = self.books.now_ms()
        details = {
            "trade_type": "NATIVE" if method is Method.CODE else "JSAPI",
            "description": text(document, "description", 127),
            "attach": text(document, "attach", 128, required=False),
        }
        scene = document.get("scene_info")
        if isinstance(scene, dict) and isinstance(scene.get("device_id"), str):
            details["device_id"] = scene["device_id"]
        return Trade(
            seq=0,
            merchant=self.account.mchid,
            order_no=order_number(document),
            txn_time="",
            fingerprint=digest_of(method, orjson.dumps(document, option=orjson.OPT_SORT_KEYS)),
            amount_fen=fen(nested(document, "amount"), "total"),
            status=Status.OPEN,
            created_ms=now_ms,
            code_key=0,
            code_tail="",
            payer=_payer(document) if method is Method.PAGE else "",
            details=orjson.dumps(details).decode(),
            due_ms=now_ms + _CLOSES_AFTER_MS,
            due_status=Status.CLOSED,
            method=method,
            notify_url=notify_address(document, required=True),
            handle=_code_url() if method is Method.CODE else _prepay_id(now_ms),
            handle_until_ms=now_ms + _HANDLE_MS,
            pay_until_ms=_pay_until(document, now_ms),
        )

    def close(self, asked: Asked, _act: Act) -> WechatDraft:
        """Close an unpaid order that was shown or opened in a page; a bar code order must be reversed."""
        try:
            self.check_owner(asked.document)
        except BadField as error:
            return self.bad(asked, error)
        trade = self.order(asked)
        if trade is None:
            return self.fail(asked, "ORDER_NOT_EXIST")
        if orjson.loads(trade.details)["trade_type"] == MICROPAY:
            draft = self.fail(asked, "INVALID_REQUEST", "付款码订单只能撤销，不可关单")
            return WechatDraft(draft.account, draft.serial, draft.status, draft.body, "268449641")
        if trade.status in (Status.CAPTURED, Status.REFUNDED):
            return self.fail(asked, "ORDER_PAID")
        if trade.status == Status.OPEN:
            trade.become(Status.CLOSED, self.books.now_ms())
            self.books.save(trade)
        return WechatDraft(self.account, asked.serial, 204, b"")


def _pay_until(document: dict[str, Any], now_ms: int) -> int | None:
    """time_expire; a moment nearer than one minute is raised to one minute, one in the past is refused."""
    wanted_ms = moment_ms(document, "time_expire")
    if wanted_ms is None:
        return None
    if wanted_ms <= now_ms:
        raise BadField("PARAM_ERROR", "/time_expire", "订单失效时间必须晚于当前时间")
    return max(wanted_ms, now_ms + _SHORTEST_MS)


def _payer(document: dict[str, Any]) -> str:
    """The payer behind the openid that our own authorisation page gave out."""
    found = _OPENID.fullmatch(text(nested(document, "payer"), "openid", 128, "/payer"))
    if found is None:
        raise BadField("PARAM_ERROR", "/payer/openid", "无效的openid")
    return found[1]


def _code_url() -> str:
    return CODE_URL + "".join(secrets.choice(_ALPHABET) for _ in range(11))


def _prepay_id(now_ms: int) -> str:
    """36 characters, as real ones have."""
    return f"wx{beijing_text(now_ms // 1_000, '%d%H%M%S')}{secrets.token_hex(11)}0000"
