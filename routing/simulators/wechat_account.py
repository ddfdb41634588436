"""The WeChat simulator's configuration: its platform keys, its merchant, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from routing.simulators.pem import private_key, public_key

NOTIFY_RETRY_S: Final = (
    15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600, 21_600,
)  # fmt: skip
"""CHANNEL-PROTOCOLS 1.4."""


@dataclass(frozen=True, slots=True)
class WechatSettings:
    """Switches of the simulator; every one has the real channel's value as its default.

    `userpaying`: a waiting customer is answered as HTTP 202 with a code, or as HTTP 200 with a trade_state.
    `early_reversal`: a reversal within 15 s of the payment is carried out and flagged in the books, or refused.
    `notify_key`: notifications are signed with the public key's pair, or with the platform certificate's.
    `statement_today`: bills of today (and of yesterday before nine) are built too.
    """

    userpaying: Literal["202", "200"] = "202"
    early_reversal: Literal["flag", "refuse"] = "flag"
    refund_interval_s: float = 60.0
    refund_count_max: int = 50
    refund_settles_after_s: float = 0.5
    notify_retry_s: tuple[float, ...] = NOTIFY_RETRY_S
    notify_first_s: float = 0.0
    notify_timeout_s: float = 5.0
    notify_key: Literal["public_key", "certificate"] = "public_key"
    fee_rate_millionths: int = 3_800
    statement_today: bool = False
    merchant_name: str = "码上咖啡"


@dataclass(frozen=True, slots=True)
class WechatAccount:
    """One merchant, and the keys that WeChat signs with for it.

    `merchant_keys` are the merchant's by serial and `platform_keys` ours: the next ones of a rotation are good beside
    the present ones.
    """

    mchid: str
    appid: str
    app_secret: str = field(repr=False)
    merchant_keys: Mapping[str, RSAPublicKey]
    api_v3_key: str = field(repr=False)
    next_api_v3_key: str = field(repr=False)
    public_key_id: str
    next_public_key_id: str
    certificate_serial: str
    certificate_pem: str
    certificate: x509.Certificate
    platform_keys: Mapping[str, RSAPrivateKey] = field(repr=False)
    settings: WechatSettings = field(default_factory=WechatSettings)


def read_account(config: Mapping[str, Any]) -> WechatAccount:
    """The account that a configuration file describes.  Raises KeyError or ValueError."""
    certificate = x509.load_pem_x509_certificate(config["platform_certificate_pem"].encode())
    serial = f"{certificate.serial_number:040X}"
    return WechatAccount(
        mchid=config["mchid"],
        appid=config["appid"],
        app_secret=config["app_secret"],
        merchant_keys={
            config["merchant_serial"]: public_key(config["merchant_public_key_pem"]),
            config["next_merchant_serial"]: public_key(config["next_merchant_public_key_pem"]),
        },
        api_v3_key=config["api_v3_key"],
        next_api_v3_key=config["next_api_v3_key"],
        public_key_id=config["platform_public_key_id"],
        next_public_key_id=config["next_platform_public_key_id"],
        certificate_serial=serial,
        certificate_pem=config["platform_certificate_pem"],
        certificate=certificate,
        platform_keys={
            config["platform_public_key_id"]: private_key(config["platform_private_key_pem"]),
            config["next_platform_public_key_id"]: private_key(config["next_platform_private_key_pem"]),
            serial: private_key(config["platform_certificate_private_key_pem"]),
        },
        settings=_settings(config.get("settings", {})),
    )


def _settings(values: dict[str, Any]) -> WechatSettings:
    """The switches; JSON has a list where they have a tuple."""
    if "notify_retry_s" in values:
        values = {**values, "notify_retry_s": tuple(values["notify_retry_s"])}
    return WechatSettings(**values)
