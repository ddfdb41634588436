"""One signed call of WeChat Pay APIv3 and its judged answer; files of statements.  CHANNEL-PROTOCOLS 1.1–1.3, 1.9."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from routing.channels.base import CallLimits, ChannelUnknown, Transport
from routing.channels.settings import WechatSettings
from routing.channels.wechat_answers import WechatAnswer
from routing.channels.wechat_signing import AnswerVerifier, RequestSigner
from routing.channels.wire import Authenticity, json_object

USER_AGENT: Final = "mashang/0.1"


class WechatCalls:
    """Makes the calls of one merchant."""

    def __init__(self, settings: WechatSettings, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._transport = transport
        self.signer = RequestSigner(settings.mchid, settings.merchant_serial, settings.merchant_private_key_pem, clock)
        self.verifier = AnswerVerifier(settings.platform_public_keys, clock)
        self._headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": USER_AGENT}
        public_key_id = next((key for key in settings.platform_public_keys if key.startswith("PUB_KEY_ID_")), None)
        if public_key_id is not None:
            self._headers["Wechatpay-Serial"] = public_key_id

    async def send(self, method: str, target: str, body: bytes, limits: CallLimits) -> WechatAnswer:
        """One signed request and its judged answer.  Raises ChannelUnknown where a success is not proven to be one."""
        headers = self._headers | {"Authorization": await self.signer.authorization(method, target, body)}
        response = await self._transport.send(method, self._settings.base_url + target, headers, body, limits)
        authenticity = self.verifier.check(response.headers, response.body)
        is_success = 200 <= response.status < 300
        if authenticity is Authenticity.FORGED or (is_success and authenticity is not Authenticity.VERIFIED):
            raise ChannelUnknown("answer_signature")
        if response.status == 204 and not response.body:
            return WechatAnswer(response.status, authenticity, {})
        try:
            return WechatAnswer(response.status, authenticity, json_object(response.body))
        except ChannelUnknown:
            raise ChannelUnknown("answer_malformed" if is_success else f"http_{response.status}") from None

    async def download(self, url: str, limits: CallLimits) -> bytes:
        """A file behind an address that a signed answer gave.  Files are not signed: who asks checks their hash."""
        target = url[url.index("/", url.index("://") + 3) :]
        headers = {
            "Accept": "*/*",
            "User-Agent": USER_AGENT,
            "Authorization": await self.signer.authorization("GET", target, b""),
        }
        response = await self._transport.send("GET", url, headers, b"", limits)
        if response.status != 200:
            raise ChannelUnknown(f"http_{response.status}")
        return response.body

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()
