"""WeChat Pay's notifications: a signed body with a sealed resource inside.  CHANNEL-PROTOCOLS 1.3, 1.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from routing.channels.base import ChannelUnknown
from routing.channels.notifications import Acknowledgement, Acknowledgements, Notification, NotificationRefused
from routing.channels.settings import WechatSettings
from routing.channels.wechat_answers import refund_report, trade_report
from routing.channels.wechat_signing import AnswerVerifier, open_sealed
from routing.channels.wire import json_object, text_of

ACKNOWLEDGEMENTS: Final = Acknowledgements(
    accepted=Acknowledgement(200, "application/json", b'{"code":"SUCCESS","message":"OK"}'),
    refused=Acknowledgement(400, "application/json", b'{"code":"FAIL","message":"not accepted"}'),
)
_PAID: Final = "TRANSACTION.SUCCESS"
_REFUNDS: Final = "REFUND."


class NotificationReader:
    """Reads the notifications of one merchant."""

    def __init__(self, settings: WechatSettings, verifier: AnswerVerifier) -> None:
        self._mchid = settings.mchid
        self._appid = settings.appid
        self._api_v3_key = settings.api_v3_key.encode()
        self._verifier = verifier

    def read(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Verify the raw body, open what it holds, and read it.

        Raises NotificationRefused: `unsigned`, `signature`, `probe`, `unknown_key`, `stale`, `malformed`, `sealed`,
        `wrong_account`, `unknown_kind`.
        """
        problem = self._verifier.problem(headers, body)
        if problem is not None:
            raise NotificationRefused(problem)
        try:
            return self._read(json_object(body))
        except ChannelUnknown:
            raise NotificationRefused("malformed") from None

    def _read(self, event: Mapping[str, Any]) -> Notification:
        event_id, kind = _named(event, "id"), _named(event, "event_type")
        if kind != _PAID and not kind.startswith(_REFUNDS):
            raise NotificationRefused("unknown_kind")
        fields = self._opened(event.get("resource"))
        is_refund = kind != _PAID
        ours = fields.get("mchid") == self._mchid
        # Refunds carry no appid.
        if not ours or fields.get("appid", self._appid if is_refund else None) != self._appid:
            raise NotificationRefused("wrong_account")
        order_no = _named(fields, "out_trade_no")
        if not is_refund:
            return Notification(f"{event_id}:{kind}", order_no, trade=trade_report(fields))
        refund_no = _named(fields, "out_refund_no")
        refund = refund_report(fields, fields.get("refund_status"))
        return Notification(f"{event_id}:{kind}:{refund_no}", order_no, refund_no=refund_no, refund=refund)

    def _opened(self, resource: object) -> dict[str, Any]:
        if not isinstance(resource, dict):
            raise NotificationRefused("malformed")
        try:
            text = open_sealed(resource, self._api_v3_key)
        except ValueError:
            raise NotificationRefused("sealed") from None
        return json_object(text)


def _named(fields: Mapping[str, Any], name: str) -> str:
    value = text_of(fields, name)
    if value is None:
        raise NotificationRefused("malformed")
    return value
