"""A till that speaks WeChat Pay APIv3, written from the protocol document."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar

from tests.unit.simulators.till import Answer, Raw, Till, good, private, public, signature


class WechatTill(Till):
    """APIv3."""

    wallet = "wechat"
    code_head = "13"
    states: ClassVar = {
        "SUCCESS": "captured", "USERPAYING": "pending", "PAYERROR": "refused", "REVOKED": "reversed",
        "REFUND": "refunded", "CLOSED": "closed", "NOTPAY": "open",
    }  # fmt: skip

    def headers(self, method: str, target: str, body: bytes, **changes: str) -> dict[str, str]:
        """A signed request's headers; `changes` forge attributes of the signature."""
        key = private(self.settings["merchant_private_key_pem"])
        stamp, nonce = changes.get("timestamp", str(int(self.now_s()))), os.urandom(16).hex()
        text = f"{method}\n{target}\n{stamp}\n{nonce}\n".encode() + body + b"\n"
        attributes = {
            "mchid": self.settings["mchid"],
            "nonce_str": nonce,
            "signature": signature(key, text),
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
            key = public(self.settings["platform_public_keys"][raw.headers["wechatpay-serial"]])
            head = f"{raw.headers['wechatpay-timestamp']}\n{raw.headers['wechatpay-nonce']}\n"
            seal = "good" if good(key, signature, head.encode() + raw.body + b"\n") else "bad"
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
            known = {"PROCESSING": "accepted", "SUCCESS": "succeeded", "ABNORMAL": "abnormal", "CLOSED": "closed"}
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

    def refund(self, order_no: str, refund_no: str, fen: int, total: int, **more: object) -> Answer:
        amount = {"refund": fen, "total": total, "currency": "CNY"}
        body = {"out_trade_no": order_no, "out_refund_no": refund_no, "amount": amount, "reason": "凉了", **more}
        return self.call("POST", "/v3/refund/domestic/refunds", body)

    def query_refund(self, order_no: str, refund_no: str) -> Answer:
        return self.call("GET", f"/v3/refund/domestic/refunds/{refund_no}")

    def order(self, order_no: str, fen: int, **more: object) -> dict[str, Any]:
        """What native and jsapi orders share."""
        return {
            "appid": self.settings["appid"],
            "mchid": self.settings["mchid"],
            "description": "拿铁",
            "out_trade_no": order_no,
            "notify_url": "http://127.0.0.1:9/callbacks/wechat/a1",
            "amount": {"total": fen, "currency": "CNY"},
            **more,
        }

    def native(self, order_no: str, fen: int, **more: object) -> Answer:
        return self.call("POST", "/v3/pay/transactions/native", self.order(order_no, fen, **more))

    def jsapi(self, order_no: str, fen: int, openid: str, **more: object) -> Answer:
        order = self.order(order_no, fen, payer={"openid": openid}, **more)
        return self.call("POST", "/v3/pay/transactions/jsapi", order)

    def close(self, order_no: str) -> Answer:
        body = {"mchid": self.settings["mchid"]}
        return self.call("POST", f"/v3/pay/transactions/out-trade-no/{order_no}/close", body)

    def call_up(self, prepay_id: str, **changes: str) -> dict[str, str]:
        """What the page hands to the bridge; `changes` come after the signing."""
        values = {
            "appId": self.settings["appid"],
            "timeStamp": str(int(self.now_s())),
            "nonceStr": os.urandom(16).hex(),
            "package": f"prepay_id={prepay_id}",
        }
        text = "".join(f"{value}\n" for value in values.values()).encode()
        key = private(self.settings["merchant_private_key_pem"])
        return values | {"signType": "RSA", "paySign": signature(key, text)} | changes
