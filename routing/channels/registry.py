"""Opens a channel account: the one place that knows every kind of channel and the names of its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from routing.channels.alipay import AlipayChannel
from routing.channels.base import Channel, Transport
from routing.channels.qra import QraChannel
from routing.channels.rsa import load_certificate, load_private_key
from routing.channels.settings import (
    ALIPAY_OAUTH_URL,
    ALIPAY_RHYTHM,
    ALIPAY_TIMEOUT_EXPRESS,
    QRA_MCH_CREATE_IP,
    QRA_REFUND_WINDOW_DAYS,
    QRA_RHYTHM,
    UNIONPAY_DYNAMIC_CODE,
    UNIONPAY_REFUND_WINDOW_DAYS,
    UNIONPAY_RHYTHM,
    WECHAT_OAUTH_URL,
    WECHAT_RHYTHM,
    WECHAT_TOKEN_URL,
    AlipaySettings,
    QraSettings,
    SettingsReader,
    UnionpaySettings,
    WechatSettings,
)
from routing.channels.slots import BoundedTransport
from routing.channels.unionpay import UnionpayChannel
from routing.channels.unionpay_signing import CertificateSigning, KeyedHashSigning
from routing.channels.wechat import WechatChannel

API_V3_KEY_BYTES: Final = 32


def build_channel(
    kind: str, settings: Mapping[str, Any], transport: Transport, *, public_only: bool = False
) -> Channel:
    """Open an account of that kind.  Raises ChannelSettingsError naming the setting that is missing or wrong.

    The account borrows the transport: it bounds its own calls, and whoever opened the transport closes it.
    `public_only` takes public https addresses only, as in production.
    """
    reader = SettingsReader(kind, settings, public_only=public_only)
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise reader.error("kind", f"must be one of {', '.join(_BUILDERS)}")
    limits = reader.limits()
    bounded = BoundedTransport(
        transport, calls_max=limits.calls_max, waiting_max=limits.waiting_max, wait_s=limits.wait_s
    )
    return builder(reader, bounded)


def _wechat(reader: SettingsReader, transport: Transport) -> Channel:
    settings = WechatSettings(
        base_url=reader.url("base_url").rstrip("/"),
        mchid=reader.word("mchid"),
        appid=reader.word("appid"),
        merchant_serial=reader.word("merchant_serial"),
        merchant_private_key_pem=reader.private_key("merchant_private_key_pem"),
        api_v3_key=reader.text("api_v3_key"),
        platform_public_keys=reader.public_keys("platform_public_keys"),
        app_secret=reader.text("app_secret", ""),
        oauth_url=reader.optional_url("oauth_url", WECHAT_OAUTH_URL),
        token_url=reader.optional_url("token_url", WECHAT_TOKEN_URL),
        notify_url=reader.optional_url("notify_url"),
        bridge_url=reader.development_url("bridge_url"),
        rhythm=reader.rhythm(WECHAT_RHYTHM),
    )
    if len(settings.api_v3_key.encode()) != API_V3_KEY_BYTES:
        raise reader.error("api_v3_key", "must be 32 bytes long")
    return WechatChannel(settings, transport)


def _alipay(reader: SettingsReader, transport: Transport) -> Channel:
    settings = AlipaySettings(
        gateway_url=reader.url("gateway_url"),
        app_id=reader.word("app_id"),
        seller_id=reader.word("seller_id"),
        app_private_key_pem=reader.private_key("app_private_key_pem"),
        alipay_public_key_pem=reader.public_key("alipay_public_key_pem"),
        timeout_express=reader.text("timeout_express", ALIPAY_TIMEOUT_EXPRESS),
        oauth_url=reader.optional_url("oauth_url", ALIPAY_OAUTH_URL),
        notify_url=reader.optional_url("notify_url"),
        bridge_url=reader.development_url("bridge_url"),
        rhythm=reader.rhythm(ALIPAY_RHYTHM),
    )
    return AlipayChannel(settings, transport)


def _unionpay(reader: SettingsReader, transport: Transport) -> Channel:
    sign_method = reader.text("sign_method")
    if sign_method not in {CertificateSigning.method, KeyedHashSigning.method}:
        raise reader.error("sign_method", "must be 01 or 11")
    with_key = sign_method == KeyedHashSigning.method
    settings = UnionpaySettings(
        back_trans_url=reader.url("back_trans_url"),
        query_trans_url=reader.url("query_trans_url"),
        mer_id=reader.word("mer_id"),
        sign_method=sign_method,
        signing_certificate_pem="" if with_key else reader.certificate("signing_certificate_pem"),
        signing_private_key_pem="" if with_key else reader.private_key("signing_private_key_pem"),
        root_certificate_pem="" if with_key else reader.certificate("root_certificate_pem"),
        middle_certificate_pem="" if with_key else reader.certificate("middle_certificate_pem"),
        secret_key=reader.text("secret_key") if with_key else "",
        allowed_signer=reader.text("allowed_signer", ""),
        front_trans_url=reader.optional_url("front_trans_url"),
        oauth_url=reader.optional_url("oauth_url"),
        file_url=reader.optional_url("file_url"),
        notify_url=reader.optional_url("notify_url"),
        notify_barcode=reader.flag("notify_barcode", otherwise=False),
        qr_code_type=_qr_code_type(reader),
        refund_window_days=reader.days("refund_window_days", UNIONPAY_REFUND_WINDOW_DAYS, 330),
        rhythm=reader.rhythm(UNIONPAY_RHYTHM),
    )
    if not with_key and not _belongs(settings.signing_private_key_pem, settings.signing_certificate_pem):
        raise reader.error("signing_private_key_pem", "is not the key of signing_certificate_pem")
    return UnionpayChannel(settings, transport)


def _qra(reader: SettingsReader, transport: Transport) -> Channel:
    settings = QraSettings(
        base_url=reader.url("base_url").rstrip("/"),
        mch_id=reader.word("mch_id"),
        key=reader.text("key"),
        sign_agentno=reader.optional_word("sign_agentno"),
        groupno=reader.optional_word("groupno"),
        mch_create_ip=reader.ip("mch_create_ip", QRA_MCH_CREATE_IP),
        device_type=reader.optional_word("device_type"),
        notify_url=reader.optional_url("notify_url"),
        refund_window_days=reader.days("refund_window_days", QRA_REFUND_WINDOW_DAYS, 365),
        rhythm=reader.rhythm(QRA_RHYTHM),
    )
    return QraChannel(settings, transport)


def _belongs(private_key_pem: str, certificate_pem: str) -> bool:
    return load_private_key(private_key_pem).public_key() == load_certificate(certificate_pem).public_key()


def _qr_code_type(reader: SettingsReader) -> str:
    code_type = reader.text("qr_code_type", UNIONPAY_DYNAMIC_CODE)
    if code_type not in {"0", "1"}:
        raise reader.error("qr_code_type", "must be 0 or 1")
    return code_type


_BUILDERS: Final[dict[str, Callable[[SettingsReader, Transport], Channel]]] = {
    "wechat": _wechat,
    "alipay": _alipay,
    "unionpay": _unionpay,
    "qra": _qra,
}
