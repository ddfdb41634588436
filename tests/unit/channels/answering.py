"""A transport that gives prepared answers, and answers signed as each channel signs them (own code, vectors' keys)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.kernel.money import Money
from routing.channels.base import BarcodeCharge, CallLimits, Channel, ChannelOrder, RefundOrder, TransportResponse
from routing.channels.registry import build_channel
from routing.channels.settings import WechatSettings
from routing.channels.wechat import WechatChannel
from tests.unit.channels.vectors import alipay_settings, keys, qra_settings, unionpay_settings, wechat_settings

NOW = 1_795_313_730.0
"""The time of WeChat Pay's answers and of who reads them: they are made when the tests are collected, and age."""
LIMITS = CallLimits(timeout_s=5.0)
ORDER = ChannelOrder("MS20261122000001", datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC), Money(1280), "701122334455")
CHARGE = BarcodeCharge(ORDER, "134567890123456789", "豆浆油条套餐", "S1", "T0000001", "O1")
REFUND = RefundOrder(ORDER, "RF20261122000001", Money(280), datetime(2026, 11, 22, 3, 0, 0, tzinfo=UTC), "少了一份")


def _key(channel: str, name: str) -> RSAPrivateKey:
    key = load_pem_private_key(keys(channel)[name].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


WECHAT_KEY = _key("wechat", "platform_private_key_pem")
ALIPAY_KEY = _key("alipay", "alipay_private_key_pem")
UNIONPAY_KEY = _key("unionpay", "sign_private_key_pem")


def rsa(key: RSAPrivateKey, text: bytes) -> str:
    """base64 of the RSA-SHA256 signature."""
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


@dataclass
class Canned:
    """A `Transport` with one prepared answer; it keeps what was asked."""

    answer: TransportResponse | Exception
    urls: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> TransportResponse:
        self.urls.append(f"{method} {url}")
        self.headers.append(headers)
        self.bodies.append(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def aclose(self) -> None:
        return None

    @property
    def form(self) -> dict[str, str]:
        """Query and form of the last request, merged."""
        query = (
            parse_qsl(urlsplit(self.urls[-1]).query, strict_parsing=True, keep_blank_values=True)
            if "?" in (self.urls[-1])
            else []
        )
        return dict(query) | dict(parse_qsl(self.bodies[-1].decode(), strict_parsing=True, keep_blank_values=True))

    @property
    def xml(self) -> dict[str, str]:
        """The fields of the last request to the front."""
        root = ET.fromstring(self.bodies[-1])
        assert root.tag == "xml"
        return {child.tag: child.text or "" for child in root}


def wechat_answer(status: int, value: object, *, seal: str = "signed", body: bytes | None = None) -> TransportResponse:
    """An answer of WeChat Pay; `seal` is signed, unsigned or forged."""
    raw = json.dumps(value, ensure_ascii=False).encode() if body is None else body
    headers = {"content-type": "application/json", "request-id": "08F1"}
    if seal != "unsigned":
        now, nonce = str(int(NOW)), "A90DA3AF6ADB3B66072942CA4E797958"
        signature = rsa(WECHAT_KEY, f"{now}\n{nonce}\n".encode() + raw + b"\n")
        headers |= {
            "wechatpay-timestamp": now,
            "wechatpay-nonce": nonce if seal == "signed" else nonce[::-1],
            "wechatpay-signature": signature,
            "wechatpay-serial": keys("wechat")["platform_public_key_id"],
            "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048",
        }
    return TransportResponse(status, headers, raw)


def alipay_answer(method: str, node: Mapping[str, Any], *, seal: str = "signed") -> TransportResponse:
    """An answer of Alipay's gateway; `seal` is signed, unsigned or forged."""
    raw = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    text = f'{{"{method.replace(".", "_")}_response":{raw}'
    if seal != "unsigned":
        text += f',"sign":"{rsa(ALIPAY_KEY, (raw if seal == "signed" else raw + " ").encode())}"'
    return TransportResponse(200, {"content-type": "text/html;charset=utf-8"}, (text + "}").encode())


def unionpay_answer(fields: Mapping[str, str], *, seal: str = "signed") -> TransportResponse:
    """An answer of UnionPay by certificate; `seal` is signed, unsigned or forged."""
    answer = dict(fields)
    if seal != "unsigned":
        answer["signPubKeyCert"] = keys("unionpay")["sign_certificate_pem"].strip()
        text = "&".join(f"{name}={answer[name]}" for name in sorted(answer))
        digest = hashlib.sha256((text if seal == "signed" else text + " ").encode()).hexdigest()
        answer["signature"] = rsa(UNIONPAY_KEY, digest.encode())
    return TransportResponse(200, {}, "&".join(f"{name}={value}" for name, value in answer.items()).encode())


def qra_sign(fields: Mapping[str, str]) -> str:
    """The front's signature."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name] and name != "sign")
    return hashlib.md5(f"{text}&key={keys('unionpay')['qra_key']}".encode()).hexdigest().upper()


def qra_body(fields: Mapping[str, str], *, seal: str = "signed") -> bytes:
    """A document of the front as it writes them; `seal` is signed, unsigned or forged."""
    answer = dict(fields)
    if seal != "unsigned":
        answer["sign"] = qra_sign(answer if seal == "signed" else answer | {"nonce_str": "another"})
    inner = "".join(
        f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>" for name, value in answer.items()
    )
    return f"<xml>{inner}</xml>".encode(errors="replace")


def qra_answer(fields: Mapping[str, str], *, seal: str = "signed") -> TransportResponse:
    """An answer of the front."""
    return TransportResponse(200, {"content-type": "text/xml"}, qra_body(fields, seal=seal))


def wechat(answer: TransportResponse | Exception) -> tuple[Channel, Canned]:
    """A WeChat Pay channel whose only answer is this one."""
    transport = Canned(answer)
    return WechatChannel(WechatSettings(**wechat_settings()), transport, lambda: NOW), transport


def alipay(answer: TransportResponse | Exception) -> tuple[Channel, Canned]:
    """An Alipay channel whose only answer is this one."""
    transport = Canned(answer)
    return build_channel("alipay", alipay_settings(), transport), transport


def unionpay(answer: TransportResponse | Exception, sign_method: str = "01") -> tuple[Channel, Canned]:
    """A UnionPay channel whose only answer is this one."""
    transport = Canned(answer)
    return build_channel("unionpay", unionpay_settings(sign_method), transport), transport


def qra(answer: TransportResponse | Exception, **more: Any) -> tuple[Channel, Canned]:
    """A channel of the front whose only answer is this one."""
    transport = Canned(answer)
    return build_channel("qra", qra_settings() | more, transport), transport
