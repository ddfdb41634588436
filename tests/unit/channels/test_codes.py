"""Payment codes tell the wallet that issued them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.channels.base import Wallet
from routing.channels.codes import OtherWallet, recognise, wallet_of


@pytest.mark.parametrize(
    ("code", "wallet"),
    [
        *[(f"1{second}4567890123456789", Wallet.WECHAT) for second in range(6)],
        *[(f"2{second}" + "1" * 16, Wallet.ALIPAY) for second in range(5, 10)],
        ("30" + "1" * 14, Wallet.ALIPAY),
        ("30" + "1" * 22, Wallet.ALIPAY),
        ("fp" + "aB3" * 11, Wallet.ALIPAY),
        ("62" + "1" * 17, Wallet.UNIONPAY),
        ("6220105" + "1" * 12, Wallet.UNIONPAY),
        ("  62" + "1" * 17 + "\n", Wallet.UNIONPAY),
        ("01" + "1" * 17, Wallet.DIGITAL_RMB),
        ("18" + "1" * 16, Wallet.JD),
        ("51" + "1" * 16, Wallet.BEST_PAY),
        ("91" + "1" * 16, Wallet.QQ),
        ("289" + "1" * 10 + "6" + "1" * 5, OtherWallet.ALIPAY_PLUS),
        ("289" + "1" * 10 + "7" + "1" * 5, Wallet.ALIPAY),
    ],
)
def test_a_code_is_recognised_by_length_and_prefix(code: str, wallet: Wallet | OtherWallet) -> None:
    assert recognise(code) is wallet
    assert wallet_of(code) is (wallet if isinstance(wallet, Wallet) else None)


@pytest.mark.parametrize(
    "code",
    [
        "",
        " ",
        "13456789012345678",
        "1345678901234567890",
        "164567890123456789",
        "24" + "1" * 16,
        "31" + "1" * 16,
        "30" + "1" * 13,
        "30" + "1" * 23,
        "62" + "1" * 16,
        "62" + "1" * 18,
        "fp" + "a" * 32,
        "FP" + "a" * 33,
        "fp" + "a" * 32 + "-",
        "１３４５６７８９０１２３４５６７８９",
        "13456789 0123456789",
        "134567890123456789\0",
    ],
)
def test_what_no_wallet_issues_is_not_recognised(code: str) -> None:
    assert recognise(code) is None


@given(st.text())
def test_any_text_gets_a_verdict(code: str) -> None:
    assert recognise(code) is recognise(code.strip())
