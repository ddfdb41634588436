"""What the WeChat simulator does with each verified call (CHANNEL-PROTOCOLS 1.5, 1.7)."""

from __future__ import annotations

import re
import secrets
from typing import Any, Final, Protocol

import orjson

from gateway.kernel.clock import BEIJING
from routing.simulators.acts import Act
from routing.simulators.books import Books, GivenBack, Status, Trade, digest_of
from routing.simulators.numbers import seq_of
from routing.simulators.till import GiveBack, RefundRules, RefundVerdict, Sale, give_back, take, undo
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import (
    MICROPAY,
    WechatDraft,
    failure,
    ok,
    order_object,
    refund_object,
    refusal_of,
)
from routing.simulators.wechat_signing import encrypt

_ORDER_NO: Final = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
_REFUND_NO: Final = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_AUTH_CODE: Final = re.compile(r"1[0-5][0-9]{16}")
_REVERSAL_EARLIEST_MS: Final = 15_000
_REVERSAL_LATEST_MS: Final = 7 * 86_400_000
_REFUND_LATEST_MS: Final = 365 * 86_400_000
_TOTAL_MAX_FEN: Final = 10_000_000_000

_REFUND_FAILURES: Final = {
    RefundVerdict.DIFFERENT: ("INVALID_REQUEST", "退款单号已存在，且参数与原请求不一致"),
    RefundVerdict.NOT_PAID: ("INVALID_REQUEST", "订单未支付或已撤销，不可退款"),
    RefundVerdict.TOO_MUCH: ("INVALID_REQUEST", "申请退款金额大于订单剩余可退金额"),
    RefundVerdict.TOO_SOON: ("FREQUENCY_LIMITED", "同一订单一分钟内只能申请一次退款"),
    RefundVerdict.TOO_MANY: ("RULE_LIMIT", "同一订单退款次数超过50次"),
}


class Asked(Protocol):
    """What a verified request holds."""

    @property
    def serial(self) -> str:
        """The key that the answer is to be signed with."""

    @property
    def number(self) -> str:
        """The number in the path; empty where the path has none."""

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""

    @property
    def document(self) -> dict[str, Any]:
        """The body."""


class BadField(Exception):
    """A field of the request that breaks WeChat's rules."""

    def __init__(self, code: str, field: str, issue: str) -> None:
        super().__init__(issue)
        self.code = code
        self.field = field
        self.issue = issue


def _text(document: dict[str, Any], name: str, most: int, path: str = "", *, required: bool = True) -> str:
    value = document.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value or len(value) > most:
        raise BadField("PARAM_ERROR", f"{path}/{name}", f"必填，且不超过{most}个字符")
    return value


def _object(document: dict[str, Any], name: str, path: str = "") -> dict[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise BadField("PARAM_ERROR", f"{path}/{name}", "必填")
    return value


def _fen(amount: dict[str, Any], name: str) -> int:
    value = amount.get(name)
    if type(value) is not int or not 1 <= value <= _TOTAL_MAX_FEN:
        raise BadField("PARAM_ERROR", f"/amount/{name}", "应为不小于1的整数，单位为分")
    if amount.get("currency", "CNY") != "CNY":
        raise BadField("PARAM_ERROR", "/amount/currency", "仅支持CNY")
    return value


class WechatDesk:
    """Carries out verified calls for one account."""

    def __init__(self, account: WechatAccount, books: Books) -> None:
        self.account = account
        self._books = books
        settings = account.settings
        self._refund_rules = RefundRules(
            settings.refund_interval_s, settings.refund_count_max, settings.refund_settles_after_s
        )

    def _bad(self, asked: Asked, error: BadField) -> WechatDraft:
        detail = {"field": error.field, "value": "", "issue": error.issue, "location": "body"}
        return failure(self.account, asked.serial, error.code, error.issue, detail)

    def _fail(self, asked: Asked, code: str, message: str | None = None) -> WechatDraft:
        return failure(self.account, asked.serial, code, message)

    def _check_owner(self, document: dict[str, Any]) -> None:
        if document.get("mchid") != self.account.mchid:
            raise BadField("PARAM_ERROR", "/mchid", "与签名的商户号不一致")
        if document.get("appid", self.account.appid) != self.account.appid:
            raise BadField("APPID_MCHID_NOT_MATCH", "/appid", "appid和mch_id不匹配")

    def _read_sale(self, document: dict[str, Any]) -> Sale:
        self._check_owner(document)
        appid = _text(document, "appid", 32)
        description = _text(document, "description", 127)
        order_no = _text(document, "out_trade_no", 32)
        if not _ORDER_NO.fullmatch(order_no):
            raise BadField("PARAM_ERROR", "/out_trade_no", "6-32个字符，只能是数字、大小写字母_-|*")
        total = _fen(_object(document, "amount"), "total")
        attach = _text(document, "attach", 128, required=False)
        scene = _object(document, "scene_info")
        store = _object(scene, "store_info", "/scene_info")
        if not store.get("id") and not store.get("out_id"):
            raise BadField("PARAM_ERROR", "/scene_info/store_info", "id与out_id至少填一个")
        code = _text(_object(document, "payer"), "auth_code", 32, "/payer")
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
            return self._bad(asked, error)
        taken = take(self._books, sale, act)
        trade = taken.trade
        if not taken.same:
            return self._fail(asked, "OUT_TRADE_NO_USED")
        refused = self._refusal(asked, trade)
        if refused is not None:
            return refused
        document = order_object(self.account, trade, act.shown_order_no(trade.order_no), trade.amount_fen)
        return ok(self.account, asked.serial, document)

    def _refusal(self, asked: Asked, trade: Trade) -> WechatDraft | None:
        match trade.status:
            case Status.REFUSED:
                return self._fail(asked, *refusal_of(trade))
            case Status.REVERSED:
                return self._fail(asked, "ORDER_REVERSED")
            case Status.CLOSED:
                return self._fail(asked, "ORDER_CLOSED")
            case Status.PENDING if self.account.settings.userpaying == "202":
                return self._fail(asked, "USERPAYING")
            case _:
                return None

    def _order(self, asked: Asked) -> Trade | None:
        return self._books.find(self.account.mchid, asked.number)

    def _show(self, asked: Asked, trade: Trade | None, act: Act) -> WechatDraft:
        if asked.query.get("mchid") != self.account.mchid:
            return self._bad(asked, BadField("PARAM_ERROR", "mchid", "与签名的商户号不一致"))
        if trade is None:
            return self._fail(asked, "ORDER_NOT_EXIST")
        shown_fen = trade.amount_fen + act.amount_delta_fen
        document = order_object(self.account, trade, act.shown_order_no(trade.order_no), shown_fen)
        return ok(self.account, asked.serial, document)

    def query(self, asked: Asked, act: Act) -> WechatDraft:
        """Where the order with our number stands."""
        return self._show(asked, self._order(asked), act)

    def query_by_id(self, asked: Asked, act: Act) -> WechatDraft:
        """The same by WeChat's number, which only a paid order has."""
        seq = seq_of(asked.number)
        trade = None if seq is None else self._books.find_by_seq(self.account.mchid, seq)
        return self._show(asked, trade if trade is not None and trade.captured_ms is not None else None, act)

    def reverse(self, asked: Asked, act: Act) -> WechatDraft:
        """Shut a bar code order: an unpaid one is revoked, a paid one refunded in full."""
        try:
            self._check_owner(asked.document)
        except BadField as error:
            return self._bad(asked, error)
        trade = self._order(asked)
        if trade is None:
            return self._fail(asked, "ORDER_NOT_EXIST")
        age_ms = self._books.now_ms() - trade.created_ms
        if age_ms > _REVERSAL_LATEST_MS:
            return self._fail(asked, "TRADE_ERROR", "订单超过7天，不可撤销，请退款")
        if trade.status == Status.REFUNDED or (trade.status == Status.CAPTURED and trade.refunded_fen):
            return self._fail(asked, "TRADE_ERROR", "订单已发生退款，不可撤销")
        if age_ms < _REVERSAL_EARLIEST_MS and trade.status in (Status.PENDING, Status.CAPTURED):
            if self.account.settings.early_reversal == "refuse":
                return self._fail(asked, "INVALID_REQUEST", "支付15秒内不可撤销")
            trade.early_reversal = 1
        undo(self._books, trade, GivenBack.REVERSAL, f"REV{trade.order_no}")
        shown = act.shown_order_no(trade.order_no)
        document = {"appid": self.account.appid, "mchid": self.account.mchid, "out_trade_no": shown}
        return ok(self.account, asked.serial, document)

    def close(self, asked: Asked, _act: Act) -> WechatDraft:
        """Close an unpaid order that the customer was to scan; a bar code order must be reversed."""
        try:
            self._check_owner(asked.document)
        except BadField as error:
            return self._bad(asked, error)
        trade = self._order(asked)
        if trade is None:
            return self._fail(asked, "ORDER_NOT_EXIST")
        if orjson.loads(trade.details)["trade_type"] == MICROPAY:
            draft = self._fail(asked, "INVALID_REQUEST", "付款码订单只能撤销，不可关单")
            return WechatDraft(draft.account, draft.serial, draft.status, draft.body, "268449641")
        if trade.status in (Status.CAPTURED, Status.REFUNDED):
            return self._fail(asked, "ORDER_PAID")
        if trade.status == Status.PENDING:
            trade.become(Status.CLOSED, self._books.now_ms())
            self._books.save(trade)
        return WechatDraft(self.account, asked.serial, 204, b"")

    def _refunded_order(self, document: dict[str, Any]) -> Trade | None:
        transaction_id = document.get("transaction_id")
        if transaction_id is not None:
            seq = seq_of(str(transaction_id))
            return None if seq is None else self._books.find_by_seq(self.account.mchid, seq)
        return self._books.find(self.account.mchid, _text(document, "out_trade_no", 32))

    def refund(self, asked: Asked, act: Act) -> WechatDraft:
        """Give money back under a refund number that makes repetition safe."""
        try:
            wanted_no = _text(asked.document, "out_refund_no", 64)
            if not _REFUND_NO.fullmatch(wanted_no):
                raise BadField("PARAM_ERROR", "/out_refund_no", "只能是数字、大小写字母_-|*@")  # noqa: TRY301
            amount = _object(asked.document, "amount")
            refund_fen, total_fen = _fen(amount, "refund"), _fen(amount, "total")
            _text(amount, "currency", 3, "/amount")
            trade = self._refunded_order(asked.document)
        except BadField as error:
            return self._bad(asked, error)
        if trade is None:
            return self._fail(asked, "RESOURCE_NOT_EXISTS", "订单不存在")
        if total_fen != trade.amount_fen:
            return self._fail(asked, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致")
        if self._books.now_ms() - trade.created_ms > _REFUND_LATEST_MS:
            return self._fail(asked, "INVALID_REQUEST", "订单超过一年，不可退款")
        verdict, refund = give_back(self._books, trade, GiveBack(wanted_no, refund_fen), self._refund_rules)
        if refund is None or verdict is RefundVerdict.DIFFERENT:
            return self._fail(asked, *_REFUND_FAILURES[verdict])
        document = refund_object(trade, refund, self._books.now_ms(), act.shown_order_no(trade.order_no))
        return ok(self.account, asked.serial, document)

    def query_refund(self, asked: Asked, act: Act) -> WechatDraft:
        """Where a refund stands."""
        refund = self._books.find_refund(self.account.mchid, asked.number)
        trade = None if refund is None else self._books.find_by_seq(self.account.mchid, refund.trade_seq)
        if refund is None or trade is None:
            return self._fail(asked, "RESOURCE_NOT_EXISTS")
        document = refund_object(trade, refund, self._books.now_ms(), act.shown_order_no(trade.order_no))
        return ok(self.account, asked.serial, document)

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
