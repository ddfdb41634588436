"""A till that speaks Alipay's gateway.do, written from the protocol document."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from tests.unit.simulators.till import Answer, Raw, Till, fen, good, private, public, signature, yuan


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
        key = private(self.settings["app_private_key_pem"])
        return {**unsigned, "sign": signature(key, text.encode(unsigned["charset"]))}

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
            key = public(self.settings["alipay_public_key_pem"])
            seal = "good" if good(key, document["sign"], signed.encode(charset)) else "bad"
        state = self.states.get(
            fields.get("trade_status", ""),
            {"10000": "captured", "10003": "pending"}.get(fields.get("code", "10000"), "refused"),
        )
        if fields.get("trade_status") == "TRADE_CLOSED" and "send_pay_date" in fields:
            state = "refunded"
        if fields.get("sub_code") == "ACQ.TRADE_NOT_EXIST":
            state = "not_found"
        if fields.get("code") == "20000":
            state = "error"
        return Answer(state, seal, fields.get("sub_code", ""), fen(fields.get("total_amount")), fields, raw)

    def sale(self, order_no: str, fen: int, code: str, description: str = "latte") -> dict[str, Any]:
        return {
            "out_trade_no": order_no,
            "total_amount": yuan(fen),
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
        content = {"out_trade_no": order_no, "refund_amount": yuan(fen), "out_request_no": refund_no}
        answer = self.call("alipay.trade.refund", content)
        answer.amount = fen if answer.state == "captured" else None
        answer.state = {"captured": "accepted"}.get(answer.state, answer.state)
        return answer

    def query_refund(self, order_no: str, refund_no: str) -> Answer:
        content = {"out_trade_no": order_no, "out_request_no": refund_no}
        answer = self.call("alipay.trade.fastpay.refund.query", content)
        answer.amount = fen(answer.fields.get("refund_amount"))
        if answer.state == "captured":
            answer.state = "succeeded" if answer.fields.get("refund_status") == "REFUND_SUCCESS" else "not_found"
        return answer

    def order(self, order_no: str, fen: int, **more: Any) -> dict[str, Any]:
        """What codes and pages are ordered with."""
        return {"out_trade_no": order_no, "total_amount": yuan(fen), "subject": "豆浆油条", **more}

    def precreate(self, order_no: str, fen: int, notify_url: str = "", **more: Any) -> Answer:
        """A code to show; its content is in `qr_code`."""
        return self.call("alipay.trade.precreate", self.order(order_no, fen, **more), notify_url=notify_url)

    def create(self, order_no: str, fen: int, buyer_id: str, notify_url: str = "", **more: Any) -> Answer:
        """An order in a page; its number is in `trade_no`."""
        content = self.order(order_no, fen, buyer_id=buyer_id, product_code="JSAPI_PAY", **more)
        return self.call("alipay.trade.create", content, notify_url=notify_url)

    def token(self, code: str, **changes: str) -> Answer:
        """Who is behind an auth_code; the node of a success has no code of its own."""
        method = "alipay.system.oauth.token"
        asked = {"grant_type": "authorization_code", "biz_content": "", "code": code} | changes
        parameters = self.parameters(method, {}, **asked)
        raw = self.wire("POST", "/gateway.do", {}, urlencode(parameters).encode(), 5)
        return self.read(method, raw)

    def told(self, body: bytes) -> tuple[dict[str, str], str]:
        """A notification's fields, and how it is sealed."""
        charset = dict(parse_qsl(body.decode("ascii"))).get("charset", "utf-8")
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding=charset)
        fields = dict(pairs)
        assert len(fields) == len(pairs)
        unsigned = {name: value for name, value in fields.items() if value and name not in ("sign", "sign_type")}
        text = "&".join(f"{name}={value}" for name, value in sorted(unsigned.items()))
        key = public(self.settings["alipay_public_key_pem"])
        return fields, "good" if good(key, fields["sign"], text.encode(charset)) else "bad"
