"""One signed call of UnionPay ACP and its judged answer.  CHANNEL-PROTOCOLS 3.1, 3.3."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from gateway.kernel.clock import BEIJING
from routing.channels.base import CallLimits, ChannelUnknown, ChannelUnsent, Transport
from routing.channels.unionpay_answers import TIME_LAYOUT, UnionpayAnswer
from routing.channels.unionpay_codes import CONFIGURATION_REFUSALS, REFUSALS
from routing.channels.unionpay_signing import Signing, parse_answer
from routing.channels.wire import Authenticity, Refusal, checked_number, rejected

_HEADERS: Final = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "User-Agent": "mashang/0.1"}
_ECHOED: Final = ("merId", "orderId", "txnTime", "txnType", "txnSubType", "settleDate")


class UnionpayCalls:
    """Makes the calls of one merchant."""

    def __init__(self, mer_id: str, transport: Transport, signing: Signing) -> None:
        self._mer_id = mer_id
        self._transport = transport
        self._signing = signing

    def message(self, kind: str, sub_kind: str, at: datetime) -> dict[str, str]:
        """The fields that every message has."""
        return {
            "version": "5.1.0",
            "encoding": "UTF-8",
            "signMethod": self._signing.method,
            "txnType": kind,
            "txnSubType": sub_kind,
            "bizType": "000000",
            "accessType": "0",
            "merId": self._mer_id,
            "txnTime": beijing_stamp(at),
        }

    def transaction(self, kind: str, sub_kind: str, number: str, at: datetime) -> dict[str, str]:
        """The fields that every transaction has; number and time together name it."""
        return self.message(kind, sub_kind, at) | {"channelType": "08", "orderId": checked_number(number)}

    async def send(self, url: str, request: Mapping[str, str], limits: CallLimits) -> UnionpayAnswer:
        """Sign, send, verify.  Without a signature only refusals of our form are believed."""
        if not url:
            raise ChannelUnsent("not_configured")
        try:
            body = urlencode(await self._signing.signed(request)).encode()
        except UnicodeEncodeError:
            raise ChannelUnsent("bad_request") from None
        response = await self._transport.send("POST", url, _HEADERS, body, limits)
        if response.status != 200:
            raise ChannelUnknown(f"http_{response.status}")
        try:
            fields = parse_answer(response.body.decode())
        except ValueError:
            raise ChannelUnknown("answer_malformed") from None
        answer = UnionpayAnswer(fields, self._signing.check(fields))
        is_configuration = answer.code in CONFIGURATION_REFUSALS
        unsigned_error = answer.authenticity is Authenticity.UNSIGNED and is_configuration
        if answer.authenticity is not Authenticity.VERIFIED and not unsigned_error:
            raise ChannelUnknown("answer_signature")
        _must_answer(request, fields, may_be_silent=is_configuration)
        return answer


def must_be_accepted(
    answer: UnionpayAnswer, accepted: frozenset[str], refusals: Mapping[str, Refusal] = REFUSALS
) -> None:
    """Raises ChannelRejected for a code of the table, ChannelUnknown for any other that is not accepted."""
    if answer.code in accepted:
        return
    refusal = refusals.get(answer.code)
    if refusal is None:
        raise answer.unknown()
    raise rejected(answer.plain_code, refusal, answer.authenticity)


def beijing_stamp(at: datetime) -> str:
    """A time as UnionPay writes it."""
    return at.astimezone(BEIJING).strftime(TIME_LAYOUT)


def _must_answer(request: Mapping[str, str], answer: Mapping[str, str], *, may_be_silent: bool) -> None:
    """An answer about another order, time, kind, day or merchant says nothing about ours."""
    for name in _ECHOED:
        named = answer.get(name)
        if name in request and named != request[name] and not (named is None and may_be_silent):
            raise ChannelUnknown("answer_of_another_order")
