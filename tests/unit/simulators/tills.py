"""Three small clients of the channels, written from the protocol document with no code of the simulators or adapters.

They give the tests one vocabulary: a state (captured, pending, refused, reversed, refunded, closed, not_found,
accepted, error, malformed) and how the answer was sealed (good, missing, bad).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Protocol
from urllib.parse import quote_plus, urlencode

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key


@dataclass
class Raw:
    """What came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(Protocol):
    """Carries a request to a simulator: over HTTP, or in process with a clock of the test's."""

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Raw: ...


@dataclass
class Answer:
    """An answer as the till understood it."""

    state: str
    seal: str
    code: str = ""
    amount: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    raw: Raw = field(default_factory=lambda: Raw(0, {}, b""))


@functools.cache
def _private(pem: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@functools.cache
def _public(pem: str) -> rsa.RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def _signature(key: rsa.RSAPrivateKey, text: bytes) -> str:
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), SHA256())).decode()


def _good(key: rsa.RSAPublicKey, signature: str, text: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature), text, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _yuan(fen: int) -> str:
    return f"{fen / 100:.2f}"


def _fen(yuan: str | None) -> int | None:
    return None if yuan is None else round(float(yuan) * 100)


class Till:
    """What the three clients share."""

    wallet = ""
    code_head = ""
    code_digits = 18

    def __init__(self, settings: dict[str, Any], wire: Wire, now_s: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.wire = wire
        self.now_s = now_s

    def code(self, tail: str = "") -> str:
        """A new payment code of this wallet; without a tail, none of the magic ones."""
        middle = self.code_digits - len(self.code_head) - 4
        digits = "".join(random.choices("0123456789", k=middle))
        return self.code_head + digits + (tail or f"{random.randrange(8_000):04d}")

    def order_no(self) -> str:
        """A new order number."""
        return "T" + os.urandom(10).hex()

    def beijing(self, form: str) -> str:
        return (datetime.fromtimestamp(self.now_s(), UTC) + timedelta(hours=8)).strftime(form)

    def pay(self, order_no: str, fen: int, code: str, *, timeout_s: float = 5, description: str = "latte") -> Answer:
        raise NotImplementedError

    def query(self, order_no: str) -> Answer:
        raise NotImplementedError

    def reverse(self, order_no: str) -> Answer:
        raise NotImplementedError

    def refund(self, order_no: str, refund_no: str, fen: int, total: int) -> Answer:
        raise NotImplementedError

    def query_refund(self, order_no: str, refund_no: str) -> Answer:
        raise NotImplementedError

    def settled(self, order_no: str, *, within_s: float = 5) -> Answer:
        """The query's answer once the order is not pending any more."""
        deadline = time.monotonic() + within_s
        while (answer := self.query(order_no)).state == "pending" and time.monotonic() < deadline:
            time.sleep(0.03)
        return answer


class WechatTill(Till):
    """APIv3."""

    wallet = "wechat"
    code_head = "13"
    states: ClassVar = {
        "SUCCESS": "captured", "USERPAYING": "pending", "PAYERROR": "refused", "REVOKED": "reversed",
        "REFUND": "refunded", "CLOSED": "closed",
    }  # fmt: skip

    def headers(self, method: str, target: str, body: bytes, **changes: str) -> dict[str, str]:
        """A signed request's headers; `changes` forge attributes of the signature."""
        key = _private(self.settings["merchant_private_key_pem"])
        stamp, nonce = changes.get("timestamp", str(int(self.now_s()))), os.urandom(16).hex()
        text = f"{method}\n{target}\n{stamp}\n{nonce}\n".encode() + body + b"\n"
        attributes = {
            "mchid": self.settings["mchid"],
            "nonce_str": nonce,
            "signature": _signature(key, text),
            "timestamp": stamp,
            "serial_no": self.settings["merchant_serial"],
        } | changes
        joined = ",".join(f'{name}="{value}"' for name, value in attributes.items())
        return {
            "authorization": f"WECHATPAY2-SHA256-RSA2048 {joined}",
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": "till/1",
            "wechatpay-serial": next(name for name in self.settings["platform_public_keys"] if name.startswith("PUB")),
        }

    def call(self, method: str, target: str, document: object = None, *, timeout_s: float = 5) -> Answer:
        body = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
        return self.read(self.wire(method, target, self.headers(method, target, body), body, timeout_s))

    def read(self, raw: Raw) -> Answer:
        seal = "missing"
        if signature := raw.headers.get("wechatpay-signature"):
            key = _public(self.settings["platform_public_keys"][raw.headers["wechatpay-serial"]])
            head = f"{raw.headers['wechatpay-timestamp']}\n{raw.headers['wechatpay-nonce']}\n"
            seal = "good" if _good(key, signature, head.encode() + raw.body + b"\n") else "bad"
        try:
            fields = json.loads(raw.body or b"{}")
        except ValueError:
            return Answer("malformed", seal, raw=raw)
        code = fields.get("code", "")
        if raw.status >= 400 or code:
            state = {"ORDER_NOT_EXIST": "not_found", "RESOURCE_NOT_EXISTS": "not_found", "USERPAYING": "pending"}
            return Answer(state.get(code, "error" if raw.status >= 500 else "refused"), seal, code, None, fields, raw)
        known = self.states | {"PROCESSING": "accepted"}
        state_text = fields.get("trade_state") or fields.get("status") or ""
        if "out_refund_no" in fields:
            known = {"PROCESSING": "accepted", "SUCCESS": "succeeded"}
        amount = fields.get("amount", {})
        return Answer(
            known.get(state_text, "accepted"), seal, "", amount.get("refund", amount.get("total")), fields, raw
        )

    def sale(self, order_no: str, fen: int, code: str, description: str = "latte") -> dict[str, Any]:
        return {
            "appid": self.settings["appid"],
            "mchid": self.settings["mchid"],
            "description": description,
            "out_trade_no": order_no,
            "payer": {"auth_code": code},
            "amount": {"total": fen, "currency": "CNY"},
            "scene_info": {"device_id": "POS-1", "store_info": {"id": "s-1"}},
        }

    def pay(self, order_no: str, fen: int, code: str, *, timeout_s: float = 5, description: str = "latte") -> Answer:
        sale = self.sale(order_no, fen, code, description)
        return self.call("POST", "/v3/pay/transactions/codepay", sale, timeout_s=timeout_s)

    def query(self, order_no: str) -> Answer:
        return self.call("GET", f"/v3/pay/transactions/out-trade-no/{order_no}?mchid={self.settings['mchid']}")

    def reverse(self, order_no: str) -> Answer:
        body = {"appid": self.settings["appid"], "mchid": self.settings["mchid"]}
        return self.call("POST", f"/v3/pay/transactions/out-trade-no/{order_no}/reverse", body)

    def refund(self, order_no: str, refund_no: str, fen: int, total: int) -> Answer:
        amount = {"refund": fen, "total": total, "currency": "CNY"}
        body = {"out_trade_no": order_no, "out_refund_no": refund_no, "amount": amount, "reason": "凉了"}
        return self.call("POST", "/v3/refund/domestic/refunds", body)

    def query_refund(self, order_no: str, refund_no: str) -> Answer:
        return self.call("GET", f"/v3/refund/domestic/refunds/{refund_no}")


class AlipayTill(Till):
    """gateway.do, public parameters in the query and biz_content in the form."""

    wallet = "alipay"
    code_head = "28"
    states: ClassVar = {"TRADE_SUCCESS": "captured", "WAIT_BUYER_PAY": "pending", "TRADE_CLOSED": "closed"}

    def parameters(self, method: str, content: dict[str, Any], **changes: str) -> dict[str, str]:
        """Signed parameters; `changes` are signed too, but for `sign` itself."""
        unsigned = {
            "app_id": self.settings["app_id"],
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": self.beijing("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            "biz_content": json.dumps(content, ensure_ascii=False),
        } | changes
        text = "&".join(f"{name}={value}" for name, value in sorted(unsigned.items()) if value)
        key = _private(self.settings["app_private_key_pem"])
        return {**unsigned, "sign": _signature(key, text.encode(unsigned["charset"]))}

    def call(self, method: str, content: dict[str, Any], *, timeout_s: float = 5, **changes: str) -> Answer:
        parameters = self.parameters(method, content, **changes)
        charset = parameters["charset"]
        public = {name: value for name, value in parameters.items() if name != "biz_content"}
        form = urlencode({"biz_content": parameters["biz_content"]}, encoding=charset)
        headers = {"content-type": f"application/x-www-form-urlencoded;charset={charset}"}
        target = "/gateway.do?" + urlencode(public, encoding=charset)
        return self.read(method, self.wire("POST", target, headers, form.encode(), timeout_s), charset)

    def read(self, method: str, raw: Raw, charset: str = "utf-8") -> Answer:
        text = raw.body.decode(charset)
        try:
            document = json.loads(text)
        except ValueError:
            return Answer("malformed", "missing", raw=raw)
        name = method.replace(".", "_") + "_response"
        fields = document.get(name) or document.get("error_response")
        seal = "missing"
        if "sign" in document:
            signed = text[text.index(":") + 1 : text.rindex(',"sign":"')]
            key = _public(self.settings["alipay_public_key_pem"])
            seal = "good" if _good(key, document["sign"], signed.encode(charset)) else "bad"
        state = self.states.get(
            fields.get("trade_status", ""), {"10000": "captured", "10003": "pending"}.get(fields["code"], "refused")
        )
        if fields.get("trade_status") == "TRADE_CLOSED" and "send_pay_date" in fields:
            state = "refunded"
        if fields.get("sub_code") == "ACQ.TRADE_NOT_EXIST":
            state = "not_found"
        if fields["code"] == "20000":
            state = "error"
        return Answer(state, seal, fields.get("sub_code", ""), _fen(fields.get("total_amount")), fields, raw)

    def sale(self, order_no: str, fen: int, code: str, description: str = "latte") -> dict[str, Any]:
        return {
            "out_trade_no": order_no,
            "total_amount": _yuan(fen),
            "subject": description,
            "auth_code": code,
            "scene": "bar_code",
            "store_id": "s-1",
        }

    def pay(self, order_no: str, fen: int, code: str, *, timeout_s: float = 5, description: str = "latte") -> Answer:
        return self.call("alipay.trade.pay", self.sale(order_no, fen, code, description), timeout_s=timeout_s)

    def query(self, order_no: str) -> Answer:
        return self.call("alipay.trade.query", {"out_trade_no": order_no})

    def reverse(self, order_no: str) -> Answer:
        answer = self.call("alipay.trade.cancel", {"out_trade_no": order_no})
        if answer.state == "captured":
            answer.state = "accepted" if "action" in answer.fields else "not_found"
        return answer

    def refund(self, order_no: str, refund_no: str, fen: int, total: int) -> Answer:
        content = {"out_trade_no": order_no, "refund_amount": _yuan(fen), "out_request_no": refund_no}
        answer = self.call("alipay.trade.refund", content)
        answer.amount = fen if answer.state == "captured" else None
        answer.state = {"captured": "accepted"}.get(answer.state, answer.state)
        return answer

    def query_refund(self, order_no: str, refund_no: str) -> Answer:
        content = {"out_trade_no": order_no, "out_request_no": refund_no}
        answer = self.call("alipay.trade.fastpay.refund.query", content)
        answer.amount = _fen(answer.fields.get("refund_amount"))
        if answer.state == "captured":
            answer.state = "succeeded" if answer.fields.get("refund_status") == "REFUND_SUCCESS" else "not_found"
        return answer


class UnionpayTill(Till):
    """ACP 5.1.0; signs by certificate or, for the keyed merchant, by hash."""

    wallet = "unionpay"
    code_head = "62"
    code_digits = 19

    def __init__(self, settings: dict[str, Any], wire: Wire, now_s: Callable[[], float] = time.time) -> None:
        super().__init__(settings, wire, now_s)
        self.times: dict[str, str] = {}

    def fields(self, kind: str, changes: dict[str, str]) -> dict[str, str]:
        """The signed fields of a request."""
        fields = {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": self.settings["sign_method"],
            "txnType": kind[:2],
            "txnSubType": kind[2:],
            "bizType": "000000",
            "channelType": "08",
            "accessType": "0",
            "merId": self.settings["mer_id"],
        } | changes
        if fields["signMethod"] == "01":
            certificate = x509.load_pem_x509_certificate(self.settings["signing_certificate_pem"].encode())
            fields["certId"] = str(certificate.serial_number)
        return fields | {"signature": self.sign(fields)}

    def sign(self, fields: dict[str, str]) -> str:
        text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value and name != "signature")
        data = text.encode("gbk" if fields.get("encoding") == "GBK" else "utf-8")
        if self.settings["sign_method"] == "11":
            key_hex = hashlib.sha256(self.settings["secret_key"].encode()).hexdigest()
            return hashlib.sha256(data + b"&" + key_hex.encode()).hexdigest()
        digest = hashlib.sha256(data).hexdigest()
        return _signature(_private(self.settings["signing_private_key_pem"]), digest.encode())

    def call(self, kind: str, path: str, *, timeout_s: float = 5, **changes: str) -> Answer:
        return self.send(self.fields(kind, changes), path, timeout_s=timeout_s)

    def send(self, fields: dict[str, str], path: str, *, timeout_s: float = 5) -> Answer:
        encoding = "gbk" if fields.get("encoding") == "GBK" else "utf-8"
        form = urlencode(fields, encoding=encoding, quote_via=quote_plus)
        headers = {"content-type": f"application/x-www-form-urlencoded;charset={encoding}"}
        return self.read(self.wire("POST", f"/gateway/api/{path}", headers, form.encode(), timeout_s), encoding)

    def read(self, raw: Raw, encoding: str = "utf-8") -> Answer:
        pairs = [pair.partition("=") for pair in raw.body.decode(encoding).split("&")]
        fields = {name: value for name, _, value in pairs}
        seal = self.seal_of(fields, encoding)
        code = fields.get("respCode", "")
        if not code or ("signature" not in fields and "signPubKeyCert" in fields):
            return Answer("malformed", seal, raw=raw)
        amount = int(fields["txnAmt"]) if fields.get("txnAmt", "").isdigit() else None
        original = fields.get("origRespCode", "") if code == "00" else ""
        result = original or code
        known = {"00": "captured", "05": "pending", "04": "error"}
        known |= {"45": "reversed"} if original else {"34": "not_found", "35": "not_found"}
        return Answer(known.get(result, "refused"), seal, result, amount, fields, raw)

    def seal_of(self, fields: dict[str, str], encoding: str) -> str:
        if "signature" not in fields:
            return "missing"
        text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if name != "signature")
        if self.settings["sign_method"] == "11":
            return "good" if self.sign(fields) == fields["signature"] else "bad"
        if "signPubKeyCert" not in fields:
            return "bad"
        leaf = x509.load_pem_x509_certificate(fields["signPubKeyCert"].encode())
        middle = x509.load_pem_x509_certificate(self.settings["middle_certificate_pem"].encode())
        root = x509.load_pem_x509_certificate(self.settings["root_certificate_pem"].encode())
        leaf.verify_directly_issued_by(middle)
        middle.verify_directly_issued_by(root)
        name = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        assert str(name).split("@")[2] == "中国银联股份有限公司"
        key = leaf.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        digest = hashlib.sha256(text.encode(encoding)).hexdigest()
        return "good" if _good(key, fields["signature"], digest.encode()) else "bad"

    def time_of(self, order_no: str) -> str:
        """txnTime belongs to the number: the same for every call about it."""
        return self.times.setdefault(order_no, self.beijing("%Y%m%d%H%M%S"))

    def consume(self, order_no: str, fen: int, code: str, *, timeout_s: float = 5, **more: str) -> Answer:
        return self.call(
            "0106", "backTransReq.do", timeout_s=timeout_s, orderId=order_no, txnTime=self.time_of(order_no),
            txnAmt=str(fen), currencyCode="156", qrNo=code, termId="49000002", **more,
        )  # fmt: skip

    def pay(self, order_no: str, fen: int, code: str, *, timeout_s: float = 5, description: str = "latte") -> Answer:
        answer = self.consume(order_no, fen, code, timeout_s=timeout_s)
        if answer.state == "captured":
            answer.state = "accepted"
        return answer

    def query(self, order_no: str) -> Answer:
        return self.call("0000", "queryTrans.do", orderId=order_no, txnTime=self.time_of(order_no))

    def reverse(self, order_no: str) -> Answer:
        answer = self.call("9901", "queryTrans.do", orderId=order_no, txnTime=self.time_of(order_no))
        if answer.state == "captured":
            answer.state = "accepted"
        return answer

    def give_back(self, kind: str, order_no: str, refund_no: str, fen: int) -> Answer:
        query_id = self.query(order_no).fields.get("queryId", "702611220000000000000")
        answer = self.call(
            kind,
            "backTransReq.do",
            orderId=refund_no,
            txnTime=self.time_of(refund_no),
            origQryId=query_id,
            txnAmt=str(fen),
        )
        if answer.state == "captured":
            answer.state = "accepted"
        return answer

    def refund(self, order_no: str, refund_no: str, fen: int, total: int) -> Answer:
        return self.give_back("0400", order_no, refund_no, fen)

    def query_refund(self, order_no: str, refund_no: str) -> Answer:
        answer = self.query(refund_no)
        answer.state = {"captured": "succeeded"}.get(answer.state, answer.state)
        return answer


TILLS: dict[str, type[Till]] = {
    "wechat_direct": WechatTill,
    "alipay_direct": AlipayTill,
    "unionpay_direct": UnionpayTill,
    "unionpay_keyed": UnionpayTill,
}
