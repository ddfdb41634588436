"""A till that speaks the dialect of UnionPay's bar-code front, written from the protocol document."""

from __future__ import annotations

import hashlib
import os
from xml.etree import ElementTree as ET

from tests.unit.simulators.till import Answer, Raw, Till

STATES = {
    "SUCCESS": "captured",
    "REFUND": "refunded",
    "USERPAYING": "pending",
    "NOTPAY": "pending",
    "CLOSED": "closed",
    "REVOKED": "reversed",
    "PAYERROR": "refused",
}
CODES = {
    "ORDERNOTEXIST": "not_found",
    "REFUNDNOTEXIST": "not_found",
    "USERPAYING": "pending",
    "SYSTEMERROR": "error",
    "BANKERROR": "error",
}


def as_xml(fields: dict[str, str]) -> bytes:
    """A message."""
    root = ET.Element("xml")
    for name, text in fields.items():
        ET.SubElement(root, name).text = text
    return ET.tostring(root, encoding="utf-8")


def from_xml(body: bytes) -> dict[str, str]:
    """The fields of a message.  Raises ParseError."""
    return {element.tag: element.text or "" for element in ET.fromstring(body)}


class QraTill(Till):
    """Pays with WeChat codes unless told otherwise."""

    wallet = "qra"
    code_head = "13"

    def sign(self, fields: dict[str, str]) -> str:
        text = "&".join(f"{name}={text}" for name, text in sorted(fields.items()) if text and name != "sign")
        return hashlib.md5(f"{text}&key={self.settings['key']}".encode()).hexdigest().upper()

    def fields(self, service: str, **more: str) -> dict[str, str]:
        """The signed fields of a request."""
        fields = {
            "service": service,
            "version": "2.0",
            "charset": "UTF-8",
            "sign_type": "MD5",
            "mch_id": self.settings["mch_id"],
            "nonce_str": os.urandom(8).hex(),
        } | more
        return fields | {"sign": self.sign(fields)}

    def call(self, service: str, *, timeout_s: float = 5, **more: str) -> Answer:
        return self.send(as_xml(self.fields(service, **more)), timeout_s=timeout_s)

    def send(self, body: bytes, *, timeout_s: float = 5) -> Answer:
        headers = {"content-type": "text/xml;charset=UTF-8", "host": "127.0.0.1:8104"}
        return self.read(self.wire("POST", "/pay/gateway", headers, body, timeout_s))

    def read(self, raw: Raw) -> Answer:
        try:
            fields = from_xml(raw.body)
        except ET.ParseError:
            return Answer("malformed", "missing", raw=raw)
        seal = "missing"
        if "sign" in fields:
            seal = "good" if fields["sign"] == self.sign(fields) else "bad"
        amount = int(fields.get("refund_fee") or fields.get("total_fee") or 0) or None
        code = fields.get("err_code", "")
        if fields["status"] != "0":
            return Answer("refused", seal, fields["message"], None, fields, raw)
        if fields["result_code"] != "0":
            return Answer(CODES.get(code, "refused"), seal, code, amount, fields, raw)
        state = STATES[fields["trade_state"]] if "trade_state" in fields else "accepted"
        if fields.get("pay_result") == "0":
            state = "captured"
        return Answer(state, seal, fields.get("trade_state", "0"), amount, fields, raw)

    def sale(self, order_no: str, fen: int, code: str, description: str = "latte") -> dict[str, str]:
        """The fields of a bar code payment."""
        return {
            "out_trade_no": order_no,
            "body": description,
            "total_fee": str(fen),
            "mch_create_ip": "10.1.2.3",
            "auth_code": code,
            "device_info": "t-1",
        }

    def pay(self, order_no: str, fen: int, code: str, *, timeout_s: float = 5, description: str = "latte") -> Answer:
        return self.call("unified.trade.micropay", timeout_s=timeout_s, **self.sale(order_no, fen, code, description))

    def query(self, order_no: str) -> Answer:
        return self.call("unified.trade.query", out_trade_no=order_no)

    def reverse(self, order_no: str) -> Answer:
        return self.call("unified.micropay.reverse", out_trade_no=order_no)

    def close(self, order_no: str) -> Answer:
        return self.call("unified.trade.close", out_trade_no=order_no)

    def refund(self, order_no: str, refund_no: str, fen: int, total: int) -> Answer:
        numbers = {"out_trade_no": order_no, "out_refund_no": refund_no}
        operator = self.settings["mch_id"]
        return self.call(
            "unified.trade.refund", **numbers, total_fee=str(total), refund_fee=str(fen), op_user_id=operator
        )

    def query_refund(self, order_no: str, refund_no: str) -> Answer:
        answer = self.call("unified.trade.refundquery", out_refund_no=refund_no)
        told = answer.fields.get("refund_status_0", "")
        known = {"SUCCESS": "succeeded", "PROCESSING": "pending", "CHANGE": "abnormal", "FAIL": "closed"}
        answer.state = known.get(told, answer.state)
        answer.amount = int(answer.fields.get("refund_fee_0", "0")) or None
        return answer

    def show(self, order_no: str, fen: int, notify_url: str = "http://127.0.0.1:9/hook", **more: str) -> Answer:
        """A code on display; its content is in `code_url`."""
        asked = {"out_trade_no": order_no, "body": "latte", "total_fee": str(fen), "mch_create_ip": "10.1.2.3"}
        return self.call("unified.trade.native", **asked, notify_url=notify_url, **more)

    def told(self, body: bytes) -> tuple[dict[str, str], str]:
        """A notification's fields, and how it is sealed."""
        fields = from_xml(body)
        return fields, "good" if fields.get("sign") == self.sign(fields) else "bad"
