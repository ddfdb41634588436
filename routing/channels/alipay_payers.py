"""Who pays in Alipay: the page that identifies payers, and the id it leads to.  CHANNEL-PROTOCOLS 2.4, 4.2."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from gateway.kernel.failures import FailureCode
from routing.channels.alipay_calls import AlipayCalls
from routing.channels.alipay_codes import PAYER_CODE_INVALID, SUCCEEDED
from routing.channels.base import CallLimits, ChannelRejected, ChannelUnknown
from routing.channels.settings import AlipaySettings
from routing.channels.wire import checked_payer_code, rejected, text_of

_USER_ID: Final = re.compile(r"2088[0-9]{12}")


def authorize_url(settings: AlipaySettings, return_url: str, state: str) -> str:
    """Where the browser is sent; it comes back to `return_url` with `auth_code` and `state`, the payer unasked."""
    params = {"app_id": settings.app_id, "scope": "auth_base", "redirect_uri": return_url, "state": state}
    return f"{settings.oauth_url}?{urlencode(params)}"


async def identify_payer(calls: AlipayCalls, code: str, limits: CallLimits) -> str:
    """`alipay.system.oauth.token`: the user_id, or the open_id of newer applications.  Success carries no code."""
    form = {"grant_type": "authorization_code", "code": checked_payer_code(code)}
    answer = await calls.send_form("alipay.system.oauth.token", form, limits)
    if PAYER_CODE_INVALID in (answer.sub_code or ""):
        raise ChannelRejected(answer.plain_code, FailureCode.CHANNEL_REFUSED)
    if answer.code not in {"", SUCCEEDED}:
        refusal = answer.refusal({})
        if refusal is None:
            raise answer.unknown()
        raise rejected(answer.plain_code, refusal, answer.authenticity)
    payer_id = text_of(answer.node, "user_id") or text_of(answer.node, "open_id")
    if payer_id is None:
        raise ChannelUnknown("answer_malformed")
    return payer_id


def buyer(payer_id: str) -> dict[str, str]:
    """The payer in an order: 16 digits from 2088 on are a user_id, anything else is an open_id."""
    return {"buyer_id" if _USER_ID.fullmatch(payer_id) else "buyer_open_id": payer_id}
