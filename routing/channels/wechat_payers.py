"""Who pays in WeChat: the page that identifies payers, and the openid it leads to.  CHANNEL-PROTOCOLS 4.2."""

from __future__ import annotations

from urllib.parse import urlencode

from routing.channels.base import CallLimits, ChannelRejected, ChannelUnknown, ChannelUnsent, Transport
from routing.channels.settings import WechatSettings
from routing.channels.wechat_calls import USER_AGENT
from routing.channels.wechat_codes import PAYER_REFUSALS
from routing.channels.wire import checked_payer_code, json_object, text_of


def authorize_url(settings: WechatSettings, return_url: str, state: str) -> str:
    """Where the browser is sent; it comes back to `return_url` with `code` and `state`, asking the payer nothing."""
    params = {
        "appid": settings.appid,
        "redirect_uri": return_url,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": state,
    }
    return f"{settings.oauth_url}?{urlencode(params)}#wechat_redirect"


async def identify_payer(settings: WechatSettings, transport: Transport, code: str, limits: CallLimits) -> str:
    """The openid.  Nothing but TLS vouches for this answer; a code is good once, for five minutes."""
    if not settings.app_secret:
        raise ChannelUnsent("no_app_secret")
    params = {
        "appid": settings.appid,
        "secret": settings.app_secret,
        "code": checked_payer_code(code),
        "grant_type": "authorization_code",
    }
    url = f"{settings.token_url}?{urlencode(params)}"
    response = await transport.send("GET", url, {"User-Agent": USER_AGENT}, b"", limits)
    if response.status != 200:
        raise ChannelUnknown(f"http_{response.status}")
    fields = json_object(response.body)
    error = fields.get("errcode")
    if type(error) is int and error in PAYER_REFUSALS:
        raise ChannelRejected(f"errcode_{error}", PAYER_REFUSALS[error])
    openid = text_of(fields, "openid")
    if error or openid is None:
        raise ChannelUnknown("errcode" if error else "answer_malformed")
    return openid
