"""Codes, pages, notifications and files for the tests of the WeChat Pay and Alipay adapters."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from routing.channels.base import CallLimits, Channel, CodeOrder, PageOrder, TransportResponse
from routing.channels.registry import build_channel
from routing.channels.settings import WechatSettings
from routing.channels.wechat import WechatChannel
from tests.unit.channels.answering import ALIPAY_KEY, NOW, ORDER, WECHAT_KEY, Canned, rsa
from tests.unit.channels.vectors import alipay_settings, keys, wechat_settings

NOTIFY_URL = "https://pay.example/callbacks/wechat/w1"
CODE = CodeOrder(ORDER, "豆浆油条套餐", ORDER.created_at + timedelta(minutes=5), "S1", "T0000001", "O1")
WECHAT_PAGE = PageOrder(CODE, "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "https://pay.example/q/s1", "203.0.113.7")
ALIPAY_PAGE = replace(WECHAT_PAGE, payer_id="2088102169481075")
SECRET = "0123456789abcdef0123456789abcdef"
SELLER_ID = str(alipay_settings()["seller_id"])
APP_ID = keys("alipay")["app_id"]


@dataclass
class Scripted(Canned):
    """A transport that gives one answer after the other; the last one repeats."""

    more: Sequence[TransportResponse] = ()
    limits: list[CallLimits] = field(default_factory=list)

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> TransportResponse:
        self.limits.append(limits)
        answer = await super().send(method, url, headers, body, limits)
        return self.more[min(len(self.urls), len(self.more) + 1) - 2] if self.more and len(self.urls) > 1 else answer


def wechat_shop(*answers: TransportResponse, **settings: Any) -> tuple[Channel, Scripted]:
    """A WeChat Pay channel that is notified and identifies payers."""
    transport = Scripted(answers[0], more=answers[1:])
    stored = wechat_settings() | {"notify_url": NOTIFY_URL, "app_secret": SECRET} | settings
    return WechatChannel(WechatSettings(**stored), transport, lambda: NOW), transport


def alipay_shop(*answers: TransportResponse, **settings: Any) -> tuple[Channel, Scripted]:
    """An Alipay channel that is notified."""
    transport = Scripted(answers[0], more=answers[1:])
    return build_channel("alipay", alipay_settings() | {"notify_url": NOTIFY_URL} | settings, transport), transport


def wechat_event(kind: str, resource: object, *, event_id: str = "EV-1", **changes: Any) -> dict[str, Any]:
    """The body of a notification with its sealed resource; `changes` are of the resource's envelope."""
    text = resource if isinstance(resource, bytes) else json.dumps(resource, ensure_ascii=False).encode()
    sealed = AESGCM(keys("wechat")["api_v3_key"].encode()).encrypt(b"C30F4DB30D47", text, b"transaction")
    envelope = {
        "original_type": "transaction",
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": "transaction",
        "nonce": "C30F4DB30D47",
    }
    return {"id": event_id, "event_type": kind, "resource_type": "encrypt-resource", "resource": envelope | changes}


def wechat_signed(
    body: bytes, *, key: RSAPrivateKey = WECHAT_KEY, serial: str | None = None, age_s: float = 0.0
) -> dict[str, str]:
    """The headers of a notification."""
    now, nonce = str(int(NOW - age_s)), "332D9FD6CD7322164DC5718037C5A7C8"
    return {
        "wechatpay-timestamp": now,
        "wechatpay-nonce": nonce,
        "wechatpay-signature": rsa(key, f"{now}\n{nonce}\n".encode() + body + b"\n"),
        "wechatpay-serial": serial or keys("wechat")["platform_public_key_id"],
        "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048",
    }


def wechat_told(event: object) -> tuple[dict[str, str], bytes]:
    """Headers and body of a signed notification."""
    body = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
    return wechat_signed(body), body


def alipay_told(fields: Mapping[str, str], *, key: RSAPrivateKey = ALIPAY_KEY, encoding: str = "utf-8") -> bytes:
    """The form of a signed notification."""
    signed = {name: value for name, value in fields.items() if value and name not in {"sign", "sign_type"}}
    text = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
    return urlencode({**fields, "sign": rsa(key, text.encode(encoding))}, encoding=encoding).encode()


def wechat_bill(text: str) -> tuple[dict[str, str], bytes]:
    """The answer that names a bill, and its packed file."""
    content = text.encode()
    named = {
        "hash_type": "SHA1",
        "hash_value": hashlib.sha1(content).hexdigest(),
        "download_url": "https://wechat.invalid/v3/billdownload/file?token=abc%2Fd",
    }
    return named, gzip.compress(content)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP whose names are GBK and do not say so, as Alipay writes them.

    `zipfile` writes ASCII and UTF-8 only, so stand-ins of the same length are put in and then replaced.
    """
    packed = io.BytesIO()
    names = {name.encode("gbk"): f"{number:x}".rjust(len(name.encode("gbk")), "~") for number, name in enumerate(files)}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for stand_in, content in zip(names.values(), files.values(), strict=True):
            archive.writestr(stand_in, content)
    raw = packed.getvalue()
    for name, stand_in in names.items():
        raw = raw.replace(stand_in.encode(), name)
    return raw
