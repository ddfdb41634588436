"""One signed call of Alipay's gateway and its judged answer; files of statements.  CHANNEL-PROTOCOLS 2.1, 2.2, 2.7."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from gateway.kernel.clock import BEIJING
from routing.channels.alipay_answers import TIME_LAYOUT, AlipayAnswer
from routing.channels.alipay_codes import GATEWAY_REFUSALS
from routing.channels.alipay_signing import open_answer, signature_of
from routing.channels.base import CallLimits, ChannelUnknown, Transport
from routing.channels.rsa import load_private_key, load_public_key
from routing.channels.settings import AlipaySettings
from routing.channels.wire import Authenticity, json_bytes

_USER_AGENT: Final = "mashang/0.1"
_HEADERS: Final = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8", "User-Agent": _USER_AGENT}


class AlipayCalls:
    """Makes the calls of one application."""

    def __init__(self, settings: AlipaySettings, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._key = load_private_key(settings.app_private_key_pem)
        self.alipay_key = load_public_key(settings.alipay_public_key_pem)

    async def send(
        self, method: str, content: dict[str, Any], limits: CallLimits, *, notify_url: str = ""
    ) -> AlipayAnswer:
        """One signed request with its `biz_content` in the form, and its judged answer."""
        biz_content = json_bytes(content).decode()
        body = f"biz_content={quote_plus(biz_content)}".encode()
        params = self._params(method)
        if notify_url:
            params["notify_url"] = notify_url
        return await self._exchange(params, {"biz_content": biz_content}, body, limits)

    async def send_form(self, method: str, form: Mapping[str, str], limits: CallLimits) -> AlipayAnswer:
        """As `send`, for the methods whose parameters stand beside the public ones."""
        return await self._exchange(self._params(method), form, urlencode(form).encode(), limits)

    async def download(self, url: str, limits: CallLimits) -> bytes:
        """A file behind an address that a signed answer gave."""
        response = await self._transport.send("GET", url, {"User-Agent": _USER_AGENT}, b"", limits)
        if response.status != 200:
            raise ChannelUnknown(f"http_{response.status}")
        return response.body

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()

    def _params(self, method: str) -> dict[str, str]:
        return {
            "app_id": self._settings.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": datetime.fromtimestamp(self._clock(), BEIJING).strftime(TIME_LAYOUT),
            "version": "1.0",
        }

    async def _exchange(
        self, params: Mapping[str, str], form: Mapping[str, str], body: bytes, limits: CallLimits
    ) -> AlipayAnswer:
        """What is public goes into the address, what is not into the body.

        Without a signature only errors of the gateway are believed.
        """
        sign = await signature_of({**params, **form}, self._key)
        url = f"{self._settings.gateway_url}?{urlencode({**params, 'sign': sign})}"
        response = await self._transport.send("POST", url, _HEADERS, body, limits)
        if response.status != 200:
            raise ChannelUnknown(f"http_{response.status}")
        opened = open_answer(response.body, params["method"], self.alipay_key)
        answer = AlipayAnswer(opened.node, opened.authenticity)
        unsigned_error = opened.authenticity is Authenticity.UNSIGNED and answer.code in GATEWAY_REFUSALS
        if opened.authenticity is not Authenticity.VERIFIED and not unsigned_error:
            raise ChannelUnknown("answer_signature")
        return answer
