"""The WeChat simulator's bar code payments, queries and certificates (CHANNEL-PROTOCOLS 1.3, 1.5, 1.7)."""

from __future__ import annotations

import re
import secrets
from typing import Any, Final

import orjson

from gateway.kernel.clock import BEIJING
from routing.simulators.acts import Act
from routing.simulators.books import GivenBack, Method, Status, Trade, digest_of
from routing.simulators.numbers import seq_of
from routing.simulators.till import Sale, take, undo
from routing.simulators.wechat_answers import MICROPAY, WechatDraft, ok, order_object, refusal_of
from routing.simulators.wechat_desk import Asked, Desk
from routing.simulators.wechat_fields import BadField, fen, nested, order_number, text
from routing.simulators.wechat_signing import encrypt

_AUTH_CODE: Final = re.compile(r"1[0-5][0-9]{16}")
_REVERSAL_EARLIEST_MS: Final = 15_000
_REVERSAL_LATEST_MS: Final = 7 * 86_400_000


class BarcodeDesk(Desk):
    """Bar code payments, and what is asked about orders of every kind."""

    def _read_sale(self, document: dict[str, Any]) -> Sale:
        self.check_owner(document)
        appid = text(document, "appid", 32)
        description = text(document, "description", 127)
        order_no = order_number(document)
        total = fen(nested(document, "amount"), "total")
        attach = text(document, "attach", 128, required=False)
        scene = nested(document, "scene_info")
        store = nested(scene, "store_info", "/scene_info")
        if not store.get("id") and not store.get("out_id"):
            raise BadField("PARAM_ERROR", "/scene_info/store_info", "id与out_id至少填一个")
        code = text(nested(document, "payer"), "auth_code", 32, "/payer")
        if not _AUTH_CODE.fullmatch(code):
            raise BadField("AUTH_CODE_INVALID", "/payer/auth_code", "101 付款码无效，请重新扫码")
        details = {"trade_type": MICROPAY, "description": description, "attach": attach}
        if isinstance(scene.get("device_id"), str):
            details["device_id"] = scene["device_id"]
        return Sale(
            merchant=self.account.mchid,
            order_no=order_no,
            amount_fen=total,
            auth_code=code,
            fingerprint=digest_of(appid, description, total, attach, code),
            details=orjson.dumps(details).decode(),
        )

    def codepay(self, asked: Asked, act: Act) -> WechatDraft:
        """Take a bar code payment, or answer again for one that was taken."""
        try:
            sale = self._read_sale(asked.document)
        except BadField as error:
            return self.bad(asked, error)
        taken = take(self.books, sale, act)
        trade = taken.trade
        if not taken.same:
            return self.fail(asked, "OUT_TRADE_NO_USED")
        refused = self._refusal(asked, trade)
        if refused is not None:
            return refused
        document = order_object(self.account, trade, act.shown_order_no(trade.order_no), trade.amount_fen)
        return ok(self.account, asked.serial, document)

    def _refusal(self, asked: Asked, trade: Trade) -> WechatDraft | None:
        match trade.status:
            case Status.REFUSED:
                return self.fail(asked, *refusal_of(trade))
            case Status.REVERSED:
                return self.fail(asked, "ORDER_REVERSED")
            case Status.CLOSED:
                return self.fail(asked, "ORDER_CLOSED")
            case Status.PENDING if self.account.settings.userpaying == "202":
                return self.fail(asked, "USERPAYING")
            case _:
                return None

    def _show(self, asked: Asked, trade: Trade | None, act: Act) -> WechatDraft:
        if asked.query.get("mchid") != self.account.mchid:
            return self.bad(asked, BadField("PARAM_ERROR", "mchid", "与签名的商户号不一致"))
        if trade is None:
            return self.fail(asked, "ORDER_NOT_EXIST")
        shown_fen = trade.amount_fen + act.amount_delta_fen
        document = order_object(self.account, trade, act.shown_order_no(trade.order_no), shown_fen)
        return ok(self.account, asked.serial, document)

    def query(self, asked: Asked, act: Act) -> WechatDraft:
        """Where the order with our number stands."""
        return self._show(asked, self.order(asked), act)

    def query_by_id(self, asked: Asked, act: Act) -> WechatDraft:
        """The same by WeChat's number, which only a paid order has."""
        seq = seq_of(asked.number)
        trade = None if seq is None else self.books.find_by_seq(self.account.mchid, seq)
        return self._show(asked, trade if trade is not None and trade.captured_ms is not None else None, act)

    def reverse(self, asked: Asked, act: Act) -> WechatDraft:
        """Shut a bar code order: an unpaid one is revoked, a paid one refunded in full."""
        try:
            self.check_owner(asked.document)
        except BadField as error:
            return self.bad(asked, error)
        trade = self.order(asked)
        if trade is None:
            return self.fail(asked, "ORDER_NOT_EXIST")
        refused = self._irreversible(trade)
        if refused is not None:
            return self.fail(asked, *refused)
        undo(self.books, trade, GivenBack.REVERSAL, f"REV{trade.order_no}")
        shown = act.shown_order_no(trade.order_no)
        document = {"appid": self.account.appid, "mchid": self.account.mchid, "out_trade_no": shown}
        return ok(self.account, asked.serial, document)

    def _irreversible(self, trade: Trade) -> tuple[str, str] | None:
        """Why an order cannot be reversed; one that is reversed too early is flagged where that is not refused."""
        age_ms = self.books.now_ms() - trade.created_ms
        if trade.method != Method.BARCODE:
            return "INVALID_REQUEST", "非付款码订单，请关单或退款"
        if age_ms > _REVERSAL_LATEST_MS:
            return "TRADE_ERROR", "订单超过7天，不可撤销，请退款"
        if trade.status == Status.REFUNDED or (trade.status == Status.CAPTURED and trade.refunded_fen):
            return "TRADE_ERROR", "订单已发生退款，不可撤销"
        if age_ms < _REVERSAL_EARLIEST_MS and trade.status in (Status.PENDING, Status.CAPTURED):
            if self.account.settings.early_reversal == "refuse":
                return "INVALID_REQUEST", "支付15秒内不可撤销"
            trade.early_reversal = 1
        return None

    def certificates(self, asked: Asked, _act: Act) -> WechatDraft:
        """The platform certificate, encrypted under the APIv3 key."""
        certificate, nonce = self.account.certificate, secrets.token_hex(6)
        entry = {
            "serial_no": self.account.certificate_serial,
            "effective_time": certificate.not_valid_before_utc.astimezone(BEIJING).isoformat(),
            "expire_time": certificate.not_valid_after_utc.astimezone(BEIJING).isoformat(),
            "encrypt_certificate": encrypt(self.account.api_v3_key, nonce, self.account.certificate_pem, "certificate"),
        }
        return ok(self.account, asked.serial, {"data": [entry]})
