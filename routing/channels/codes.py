"""Which wallet issued a payment code (被扫): a table of lengths and prefixes.  CHANNEL-PROTOCOLS 4.1."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from routing.channels.base import Wallet


class OtherWallet(StrEnum):
    """Wallets whose codes are known, and that no channel of ours charges."""

    ALIPAY_PLUS = "alipay_plus"


_TABLE: Final[tuple[tuple[str, Wallet | OtherWallet], ...]] = (
    (r"01\d{17}", Wallet.DIGITAL_RMB),
    (r"62\d{17}", Wallet.UNIONPAY),  # bank apps, 龙支付 and JD's UnionPay codes too
    (r"289\d{10}6\d{5}", OtherWallet.ALIPAY_PLUS),  # 19 digits inside Alipay's space, so it comes before it
    (r"1[0-5]\d{16}", Wallet.WECHAT),
    (r"18\d{16}", Wallet.JD),
    (r"51\d{16}", Wallet.BEST_PAY),
    (r"91\d{16}", Wallet.QQ),
    (r"(?:2[5-9]|30)\d{14,22}", Wallet.ALIPAY),
    (r"fp[A-Za-z0-9]{33}", Wallet.ALIPAY),  # a face token
)
"""The first match decides: the most specific patterns come first."""
_ANY: Final = re.compile("|".join(f"({pattern})" for pattern, _ in _TABLE), re.ASCII)
"""All of them in one look; the number of the group is the number of the row."""


def recognise(auth_code: str) -> Wallet | OtherWallet | None:
    """The wallet that issued a payment code; None for what no wallet issues.  Blanks around it do not count."""
    match = _ANY.fullmatch(auth_code.strip())
    return None if match is None or match.lastindex is None else _TABLE[match.lastindex - 1][1]


def wallet_of(auth_code: str) -> Wallet | None:
    """The wallet that a channel of ours can charge by this code; None for other wallets and for no code at all."""
    wallet = recognise(auth_code)
    return wallet if isinstance(wallet, Wallet) else None
