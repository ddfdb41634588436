"""One signed call of the front and its judged answer.  CHANNEL-PROTOCOLS 3.6."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

from routing.channels import qra_xml
from routing.channels.base import CallLimits, ChannelUnknown, ChannelUnsent, Transport
from routing.channels.qra_answers import FAILED, QraAnswer
from routing.channels.qra_codes import TURNED_AWAY, TURNED_AWAY_STATUS
from routing.channels.qra_signing import SIGN_TYPE, QraSigning
from routing.channels.settings import QraSettings
from routing.channels.wire import Authenticity

PATH: Final = "/pay/gateway"
_HEADERS: Final = {"Content-Type": "text/xml;charset=UTF-8", "User-Agent": "mashang/0.1"}
_NONCE_BYTES: Final = 16


class QraCalls:
    """Makes the calls of one merchant."""

    def __init__(self, settings: QraSettings, transport: Transport, signing: QraSigning) -> None:
        self._url = settings.base_url + PATH
        self._transport = transport
        self._signing = signing
        self._mch_id = settings.mch_id
        self._common = {
            "version": "2.0",
            "charset": "UTF-8",
            "sign_type": SIGN_TYPE,
            "mch_id": settings.mch_id,
            "sign_agentno": settings.sign_agentno,
            "groupno": settings.groupno,
        }

    async def send(self, service: str, fields: Mapping[str, str], limits: CallLimits) -> QraAnswer:
        """Sign, send, verify.  Without a signature only a request that was turned away at the door is believed."""
        request = {"service": service, **self._common, **fields, "nonce_str": secrets.token_hex(_NONCE_BYTES)}
        try:
            body = qra_xml.write(self._signing.signed(request))
        except ValueError:
            raise ChannelUnsent("bad_request") from None
        response = await self._transport.send("POST", self._url, _HEADERS, body, limits)
        if response.status != 200:
            raise ChannelUnknown(f"http_{response.status}")
        try:
            found = qra_xml.read(response.body)
        except ValueError:
            raise ChannelUnknown("answer_malformed") from None
        return self._judged(QraAnswer(found, self._signing.check(found)))

    async def aclose(self) -> None:
        """Close the account's share of the transport."""
        await self._transport.aclose()

    def _judged(self, answer: QraAnswer) -> QraAnswer:
        if not answer.is_read and answer.authenticity is not Authenticity.FORGED:
            if answer.fields.get("status") == TURNED_AWAY_STATUS and answer.code in TURNED_AWAY:
                return answer
            raise answer.unknown()
        if answer.authenticity is not Authenticity.VERIFIED:
            raise ChannelUnknown("answer_signature")
        if answer.fields.get("mch_id") != self._mch_id:
            raise ChannelUnknown("answer_of_another_order")
        if not answer.is_success and answer.fields.get("result_code") != FAILED:
            raise ChannelUnknown("result_code")
        return answer
