"""The wallets behind the front: who issued a payment code, and what the front calls their trades.

Prefixes: CHANNEL-PROTOCOLS 4.1; trade types: 3.6.  A trade type for digital RMB was seen nowhere, so its is made up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FrontWallet:
    """A wallet: its payment codes, and its name within `trade_type`."""

    name: str
    codes: re.Pattern[str]
    trade_name: str


_WALLETS: Final = (
    FrontWallet("digital_rmb", re.compile(r"01[0-9]{17}"), "ecny"),
    FrontWallet("unionpay", re.compile(r"62[0-9]{17}"), "unionpay.proxy"),
    FrontWallet("wechat", re.compile(r"1[0-5][0-9]{16}"), "weixin"),
    FrontWallet("jd", re.compile(r"18[0-9]{16}"), "jdpay"),
    FrontWallet("best_pay", re.compile(r"51[0-9]{16}"), "bestpay"),
    FrontWallet("qq", re.compile(r"91[0-9]{16}"), "qq"),
    FrontWallet("alipay", re.compile(r"(2[5-9]|30)[0-9]{14,22}"), "alipay"),
)
_NATIVE_TYPES: Final = {
    "": "unified.trade.native",
    "unionpay": "pay.unionpay.native",
    "wechat": "pay.weixin.native",
    "alipay": "pay.alipay.native",
}
_MICROPAY_TYPES: Final = {wallet.name: f"pay.{wallet.trade_name}.micropay" for wallet in _WALLETS}
SCANNERS: Final = ("unionpay", "wechat", "alipay")
"""The wallets that can scan a code of the front's; the first where a test names none."""


def issuer_of(auth_code: str) -> str | None:
    """The wallet that issued a payment code; None where no wallet did."""
    return next((wallet.name for wallet in _WALLETS if wallet.codes.fullmatch(auth_code)), None)


def micropay_type(wallet: str) -> str:
    """`trade_type` of a bar code payment."""
    return _MICROPAY_TYPES[wallet]


def native_type(wallet: str) -> str:
    """`trade_type` of a displayed code: it names a wallet once one has scanned it."""
    return _NATIVE_TYPES[wallet]
