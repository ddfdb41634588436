"""A till that speaks UnionPay ACP 5.1.0, written from the protocol document."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.simulators.till import Answer, Raw, Till, Wire, good, private, signature


def parse(text: str) -> dict[str, str]:
    """An answer's fields as UnionPay's own parser reads them: a group in braces or brackets keeps its &."""
    text = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        equals = text.find("=", at)
        end = len(text) if equals < 0 else _end_of_value(text, equals + 1)
        name, _, value = text[at:end].partition("=")
        if not name:
            raise ValueError("a value without a name")
        fields[name] = value
        at = end + 1
    return fields


def _end_of_value(text: str, at: int) -> int:
    closing = ""
    for place, sign in enumerate(text[at:], at):
        if sign == "&" and not closing:
            return place
        closing = "" if sign == closing else closing or {"{": "}", "[": "]"}.get(sign, "")
    return len(text)


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
        return signature(private(self.settings["signing_private_key_pem"]), digest.encode())

    def call(self, kind: str, path: str, *, timeout_s: float = 5, **changes: str) -> Answer:
        return self.send(self.fields(kind, changes), path, timeout_s=timeout_s)

    def send(self, fields: dict[str, str], path: str, *, timeout_s: float = 5) -> Answer:
        encoding = "gbk" if fields.get("encoding") == "GBK" else "utf-8"
        form = urlencode(fields, encoding=encoding, quote_via=quote_plus)
        headers = {"content-type": f"application/x-www-form-urlencoded;charset={encoding}"}
        return self.read(self.wire("POST", f"/gateway/api/{path}", headers, form.encode(), timeout_s), encoding)

    def read(self, raw: Raw, encoding: str = "utf-8") -> Answer:
        fields = parse(raw.body.decode(encoding))
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
        return "good" if good(key, fields["signature"], digest.encode()) else "bad"

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

    def order(self, kind: str, path: str, order_no: str, fen: int, **more: str) -> Answer:
        """An order that the customer pays later."""
        return self.call(
            kind, path, orderId=order_no, txnTime=self.time_of(order_no), txnAmt=str(fen), currencyCode="156", **more
        )

    def show(self, order_no: str, fen: int, **more: str) -> Answer:
        """A code; its content is in `qrCode`."""
        return self.order("0107", "backTransReq.do", order_no, fen, **more)

    def open_page(
        self, order_no: str, fen: int, user_id: str, *, path: str = "newAppTransReq.do", **more: str
    ) -> Answer:
        """A page; its address is in `payUrl`."""
        page = {"tradeType": "mobileWeb", "frontUrl": "https://pay.example.com/q/abc?x=1"} | more
        return self.order("0101", path, order_no, fen, appUserId=user_id, **page)

    def identify(self, code: str, **more: str) -> Answer:
        """Who is behind a userAuthCode: `appUserId`."""
        number = self.order_no()
        asked = {"userAuthCode": code, "appUpIdentifier": "UnionPay/1.0 CloudPay"} | more
        return self.call("0010", "newAppTransReq.do", orderId=number, txnTime=self.time_of(number), **asked)

    def file(self, settle_date: str, **more: str) -> Answer:
        """The file of a settlement date: `fileContent`."""
        asked = {"settleDate": settle_date, "fileType": "00", "txnTime": self.beijing("%Y%m%d%H%M%S")} | more
        fields = self.fields("7601", asked)
        del fields["channelType"]
        form = urlencode(fields | {"signature": self.sign(fields)})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self.read(self.wire("POST", "/file/", headers, form.encode(), 5))

    def told(self, body: bytes) -> tuple[dict[str, str], str]:
        """A notification's fields, and how it is sealed."""
        encoding = dict(parse_qsl(body.decode("ascii"))).get("encoding", "UTF-8").lower()
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding=encoding)
        fields = dict(pairs)
        assert len(fields) == len(pairs)
        return fields, self.seal_of(fields, encoding)
