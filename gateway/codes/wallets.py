"""Tells the wallet from its browser.  A User-Agent can be forged: it chooses the page, never what is charged.

The order of the tests matters: JD's app also says that it is of the UnionPay family.  (CHANNEL-PROTOCOLS 4.2)
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from routing.channels.base import Wallet

_UNIONPAY: Final = re.compile(r"UnionPay/[0-9.]{1,8} [A-Za-z0-9]{1,32}")
_NO_WALLET: Final = ("WindowsWechat", "wxwork")
"""WeChat on a desk and WeChat Work: neither pays in a page."""
_READ_MAX: Final = 1_000


class Browser(NamedTuple):
    """The wallet whose browser this is; `app_identifier` is which app of the UnionPay family, whole."""

    wallet: Wallet
    app_identifier: str = ""


DEVELOPMENT: Final = {
    Wallet.WECHAT: Browser(Wallet.WECHAT),
    Wallet.ALIPAY: Browser(Wallet.ALIPAY),
    Wallet.UNIONPAY: Browser(Wallet.UNIONPAY, "UnionPay/1.0 CloudPay"),
}
"""What an ordinary browser may play while there are only simulators."""


def browser_of(user_agent: str) -> Browser | None:
    """None for a browser that is no wallet's."""
    text = user_agent[:_READ_MAX]
    if "MicroMessenger" in text:
        return None if any(name in text for name in _NO_WALLET) else Browser(Wallet.WECHAT)
    if "AlipayClient" in text or "AliApp(AP" in text:
        return Browser(Wallet.ALIPAY)
    found = _UNIONPAY.search(text)
    return None if found is None else Browser(Wallet.UNIONPAY, found[0])


def is_phone(user_agent: str) -> bool:
    """Whether this browser cannot scan its own screen."""
    return "Mobile" in user_agent[:_READ_MAX] or "Android" in user_agent[:_READ_MAX]
