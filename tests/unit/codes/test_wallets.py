"""A browser's name says whose wallet it is; the fragments are real ones (CHANNEL-PROTOCOLS 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codes.wallets import DEVELOPMENT, Browser, browser_of, is_phone
from routing.channels.base import Wallet

WECHAT, ALIPAY = Browser(Wallet.WECHAT), Browser(Wallet.ALIPAY)


def unionpay(app: str) -> Browser:
    return Browser(Wallet.UNIONPAY, f"UnionPay/1.0 {app}")


@pytest.mark.parametrize(
    ("user_agent", "browser"),
    [
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.50 NetType/WIFI", WECHAT),
        ("Mozilla/5.0 (Linux; Android 14) XWEB/1160065 MMWEBSDK/20231202 MicroMessenger/8.0.47 WeChat/arm64", WECHAT),
        ("Mozilla/5.0 (Windows NT 10.0) MicroMessenger/7.0.20 WindowsWechat/WMPF", None),
        ("Mozilla/5.0 (iPhone) MicroMessenger/7.0.1 wxwork/4.1.20 MailPlugin_Electron", None),
        ("Mozilla/5.0 (Linux; U; Android 14) AliApp(AP/10.5.96.8000) AlipayClient/10.5.96.8000", ALIPAY),
        ("Mozilla/5.0 (iPhone) AlipayClient/10.5.96 Language/zh-Hans", ALIPAY),
        ("Mozilla/5.0 (iPhone) AliApp(AP/10.5.96.6000) Ariver/1.1.0", ALIPAY),
        ("Mozilla/5.0 (iPhone) AliApp(TB/10.30.20) WindVane/8.7.2", None),
        ("(com.unionpay.chsp) (cordova 4.5.4) (UnionPay/1.0 CloudPay)", unionpay("CloudPay")),
        ("Mozilla/5.0 (Linux; Android 14) UnionPay/1.0 CCBLoongPay", unionpay("CCBLoongPay")),
        ("Mozilla/5.0 (iPhone) UnionPay/1.0 BoComMDB", unionpay("BoComMDB")),
        ("Mozilla/5.0 (iPhone) UnionPay/1.0 PSBC", unionpay("PSBC")),
        ("Mozilla/5.0 (iPhone) UnionPay/1.0 ICBCeLife extra", unionpay("ICBCeLife")),
        ("Mozilla/5.0 application=JDJR-App CpayJS=UnionPay/1.0 JDJR", unionpay("JDJR")),
        ("UnionPay/1.0", None),
        ("UnionPay/x CloudPay", None),
        ("jdapp;iPhone;10.1.4;13.5;network/wifi", None),
        ("Mozilla/5.0 (Linux; Android 14) MQQBrowser/6.2 QQ/9.0.8 NetType/WIFI", None),
        ("Mozilla/5.0 (iPhone) aweme_29.3.0 BytedanceWebview/d8a21c6", None),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Version/17.0 Mobile/15E148 Safari/604.1", None),
        ("", None),
        ("x" * 1_000 + "MicroMessenger/8", None),
    ],
)
def test_a_browser_is_known_by_its_name(user_agent: str, browser: Browser | None) -> None:
    assert browser_of(user_agent) == browser


def test_the_app_of_the_unionpay_family_is_passed_on_whole_and_bounded() -> None:
    assert browser_of("UnionPay/1.0 " + "A" * 500) == unionpay("A" * 32)
    assert browser_of("UnionPay/1.0 Cloud\r\nX-Evil: 1") == unionpay("Cloud")


@given(st.text(max_size=2_000))
def test_any_other_name_is_some_browser_or_none(user_agent: str) -> None:
    found = browser_of(user_agent)
    assert found is None or found.wallet in Wallet
    assert is_phone(user_agent) in {True, False}


def test_every_wallet_can_be_played_in_development_as_its_own_browser_is_known() -> None:
    assert {Wallet.WECHAT: WECHAT, Wallet.ALIPAY: ALIPAY, Wallet.UNIONPAY: unionpay("CloudPay")} == DEVELOPMENT


@pytest.mark.parametrize(
    ("user_agent", "phone"),
    [
        ("Mozilla/5.0 (iPhone) Version/17.0 Mobile/15E148 Safari/604.1", True),
        ("Mozilla/5.0 (Linux; Android 14; Tab)", True),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0 Safari/537.36", False),
    ],
)
def test_a_phone_cannot_scan_its_own_screen(user_agent: str, *, phone: bool) -> None:
    assert is_phone(user_agent) is phone
