"""A channel account opens with good settings, and complains by name of bad ones, never quoting a value."""

from __future__ import annotations

from typing import Any

import pytest

from routing.channels.alipay import AlipayChannel
from routing.channels.base import Rhythm, TransportResponse
from routing.channels.qra import QraChannel
from routing.channels.registry import build_channel
from routing.channels.settings import (
    ALIPAY_RHYTHM,
    QRA_RHYTHM,
    UNIONPAY_RHYTHM,
    WECHAT_RHYTHM,
    AlipaySettings,
    ChannelSettingsError,
    QraSettings,
    UnionpaySettings,
    WechatSettings,
)
from routing.channels.unionpay import UnionpayChannel
from routing.channels.wechat import WechatChannel
from tests.unit.channels.answering import Canned
from tests.unit.channels.vectors import alipay_settings, keys, qra_settings, unionpay_settings, wechat_settings

TRANSPORT = Canned(TransportResponse(200, {}, b""))
GOOD = {
    "wechat": wechat_settings(),
    "alipay": alipay_settings(),
    "unionpay": unionpay_settings(),
    "qra": qra_settings(),
}
KEYED = {name: value for name, value in unionpay_settings("11").items() if not name.endswith("_pem")}
REQUIRED = [
    *[("wechat", name) for name in GOOD["wechat"]],
    *[("alipay", name) for name in GOOD["alipay"]],
    *[("unionpay", name) for name in GOOD["unionpay"] if name != "secret_key"],
    *[("qra", name) for name in GOOD["qra"]],
]


@pytest.mark.parametrize(
    ("kind", "settings", "opened", "rhythm"),
    [
        ("wechat", GOOD["wechat"], WechatChannel, WECHAT_RHYTHM),
        ("alipay", GOOD["alipay"], AlipayChannel, ALIPAY_RHYTHM),
        ("unionpay", GOOD["unionpay"], UnionpayChannel, UNIONPAY_RHYTHM),
        ("unionpay", KEYED, UnionpayChannel, UNIONPAY_RHYTHM),
        ("qra", GOOD["qra"], QraChannel, QRA_RHYTHM),
    ],
)
def test_good_settings_open_a_channel_in_its_own_rhythm(
    kind: str, settings: dict[str, Any], opened: type, rhythm: Rhythm
) -> None:
    channel = build_channel(kind, settings, TRANSPORT)
    assert isinstance(channel, opened)
    assert channel.rhythm == rhythm


def test_a_rhythm_can_be_quickened() -> None:
    quick = {"after_pending_s": [0.1, 0.2], "after_unknown_s": [0.3], "reverse_not_before_s": 0, "repeat_reversal_s": 1}
    channel = build_channel("wechat", GOOD["wechat"] | {"rhythm": quick}, TRANSPORT)
    assert channel.rhythm == Rhythm((0.1, 0.2), (0.3,), 0.0, 1.0)
    partly = build_channel("alipay", GOOD["alipay"] | {"rhythm": {"after_pending_s": [9]}}, TRANSPORT)
    assert partly.rhythm == Rhythm((9.0,), ALIPAY_RHYTHM.after_unknown_s, 5.0, 3.0)


@pytest.mark.parametrize("value", [None, "", 5, ["x"]], ids=["missing", "empty", "number", "list"])
@pytest.mark.parametrize(("kind", "name"), REQUIRED)
def test_every_setting_is_required_and_named(kind: str, name: str, value: object) -> None:
    settings = {key: text for key, text in GOOD[kind].items() if key != name}
    if value is not None:
        settings[name] = value
    with pytest.raises(ChannelSettingsError, match=f"^{kind}: {name} "):
        build_channel(kind, settings, TRANSPORT)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("wechat", {"base_url": "ftp://x"}),
        ("wechat", {"base_url": "https://x/?a=1"}),
        ("wechat", {"base_url": "https://u:p@x"}),
        ("wechat", {"base_url": "https://x\r\ny"}),
        ("wechat", {"mchid": '1"2'}),
        ("wechat", {"api_v3_key": "short-secret"}),
        ("wechat", {"merchant_private_key_pem": "secret-that-is-no-key"}),
        ("wechat", {"merchant_private_key_pem": keys("wechat")["merchant_public_key_pem"]}),
        ("wechat", {"platform_public_keys": {}}),
        ("wechat", {"platform_public_keys": {"PUB_KEY_ID_1": "secret-that-is-no-key"}}),
        ("wechat", {"platform_public_keys": {"PUB_KEY_ID_1": 1}}),
        ("wechat", {"app_secret": 5}),
        ("wechat", {"oauth_url": "open.weixin.qq.com"}),
        ("wechat", {"token_url": "https://x?a=secret"}),
        ("wechat", {"notify_url": "https://x/callbacks?a=secret"}),
        ("wechat", {"bridge_url": 5}),
        ("alipay", {"oauth_url": "javascript:secret"}),
        ("alipay", {"notify_url": ["secret"]}),
        ("alipay", {"bridge_url": "//x"}),
        ("alipay", {"alipay_public_key_pem": "secret-that-is-no-key"}),
        ("unionpay", {"sign_method": "12"}),
        ("unionpay", {"sign_method": "11", "secret_key": ""}),
        ("unionpay", {"root_certificate_pem": "secret-that-is-no-key"}),
        ("unionpay", {"signing_private_key_pem": keys("unionpay")["merchant2_private_key_pem"]}),
        ("unionpay", {"sign_method": "11", "secret_key": "secret\ud800"}),
        ("unionpay", {"sign_method": "11", "secret_key": "secret\x00"}),
        ("wechat", {"api_v3_key": "\ud800" * 32}),
        ("wechat", {"platform_public_keys": {"\ud800": keys("wechat")["platform_public_key_pem"]}}),
        ("unionpay", {"front_trans_url": "ftp://x"}),
        ("unionpay", {"oauth_url": ["https://x"]}),
        ("unionpay", {"file_url": None}),
        ("unionpay", {"notify_url": "https://x?secret=1"}),
        ("unionpay", {"notify_url": "https://"}),
        ("unionpay", {"notify_url": "https://x:secret"}),
        ("unionpay", {"notify_barcode": "secret"}),
        ("unionpay", {"refund_window_days": 0}),
        ("unionpay", {"refund_window_days": True}),
        ("unionpay", {"refund_window_days": 331}),
        ("unionpay", {"qr_code_type": "2"}),
        ("qra", {"base_url": "https://x/?key=secret"}),
        ("qra", {"mch_id": "<secret/>"}),
        ("qra", {"key": "secret\ud800"}),
        ("qra", {"key": 5}),
        ("qra", {"sign_agentno": "a&b=secret"}),
        ("qra", {"groupno": 5}),
        ("qra", {"mch_create_ip": "secret.example"}),
        ("qra", {"mch_create_ip": ""}),
        ("qra", {"device_type": "<secret>"}),
        ("qra", {"notify_url": "ftp://secret"}),
        ("qra", {"refund_window_days": 366}),
        ("wechat", {"rhythm": {"after_pending_s": []}}),
        ("wechat", {"rhythm": {"after_pending_s": 5}}),
        ("wechat", {"rhythm": {"after_pending_s": [-1]}}),
        ("wechat", {"rhythm": {"after_pending_s": [True]}}),
        ("wechat", {"rhythm": {"reverse_not_before_s": float("nan")}}),
        ("wechat", {"rhythm": {"sometimes_s": 1}}),
        ("wechat", {"rhythm": 5}),
        ("wechat", {"concurrency": {"calls_max": 0}}),
        ("wechat", {"concurrency": {"calls": 5}}),
        ("wechat", {"concurrency": {"wait_s": "1"}}),
        ("card", {}),
    ],
)
def test_wrong_settings_are_named_and_never_quoted(kind: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ChannelSettingsError) as caught:
        build_channel(kind, GOOD.get(kind, {}) | wrong, TRANSPORT)
    assert "secret" not in str(caught.value).replace("secret_key", "").replace("app_secret", "")
    assert caught.value.__cause__ is None


def test_settings_show_no_secret() -> None:
    wechat = WechatSettings("u", "m", "a", "s", "SECRET", "SECRET", {"s": "SECRET"}, "SECRET")
    alipay = AlipaySettings("u", "a", "s", "SECRET", "SECRET")
    unionpay = UnionpaySettings("u", "u", "m", "01", "SECRET", "SECRET", "SECRET", "SECRET", "SECRET")
    qra = QraSettings("u", "m", "SECRET")
    assert "SECRET" not in repr((wechat, alipay, unionpay, qra))


@pytest.mark.parametrize(
    "address",
    [
        *("http://gateway.95516.com/x", "https://127.0.0.1/x", "https://10.0.0.1/x", "https://[::1]/x"),
        *("https://localhost/x", "https://pay.localhost/x", "https://unionpay/x", "https://gateway.internal/x"),
        *("https://2130706433/x", "https://127.1/x", "https://a.0x7f/x", "https://169.254.169.254/x"),
    ],
)
def test_production_takes_public_https_addresses_only(address: str) -> None:
    settings = GOOD["unionpay"] | {"back_trans_url": address}
    build_channel("unionpay", settings, TRANSPORT)
    with pytest.raises(ChannelSettingsError, match=r"back_trans_url must be a public https address"):
        build_channel("unionpay", settings, TRANSPORT, public_only=True)


@pytest.mark.parametrize("kind", GOOD)
def test_production_opens_accounts_at_the_channels_own_addresses(kind: str) -> None:
    settings = {
        name: value.replace(".invalid", ".com.cn") if isinstance(value, str) else value
        for name, value in GOOD[kind].items()
    }
    assert build_channel(kind, settings, TRANSPORT, public_only=True)


def test_the_rhythm_of_codes_on_display_can_be_quickened_too() -> None:
    channel = build_channel("unionpay", GOOD["unionpay"] | {"rhythm": {"after_shown_s": [0.1]}}, TRANSPORT)
    assert channel.rhythm.after_shown_s == (0.1,)


@pytest.mark.parametrize("kind", ["wechat", "alipay"])
def test_production_has_no_stand_in_for_the_bridge_of_a_wallet(kind: str) -> None:
    settings = {
        name: value.replace(".invalid", ".com.cn") if isinstance(value, str) else value
        for name, value in GOOD[kind].items()
    }
    build_channel(kind, settings | {"bridge_url": ""}, TRANSPORT, public_only=True)
    with pytest.raises(ChannelSettingsError, match=r"bridge_url is for development only"):
        build_channel(kind, settings | {"bridge_url": "https://sim.example/bridge.js"}, TRANSPORT, public_only=True)
