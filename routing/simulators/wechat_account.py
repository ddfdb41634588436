"""The WeChat simulator's configuration: its platform keys, its merchant, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from routing.simulators.pem import private_key, public_key


@dataclass(frozen=True, slots=True)
class WechatSettings:
    """Switches of the simulator; every one has the real channel's value as its default.

    `userpaying`: a waiting customer is answered as HTTP 202 with a code, or as HTTP 200 with a trade_state.
    `early_reversal`: a reversal within 15 s of the payment is carried out and flagged in the books, or refused.
    """

    userpaying: Literal["202", "200"] = "202"
    early_reversal: Literal["flag", "refuse"] = "flag"
    refund_interval_s: float = 60.0
    refund_count_max: int = 50
    refund_settles_after_s: float = 0.5


@dataclass(frozen=True, slots=True)
class WechatAccount:
    """One merchant, and the keys that WeChat signs with for it."""

    mchid: str
    appid: str
    merchant_serial: str
    merchant_key: RSAPublicKey
    api_v3_key: str
    public_key_id: str
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
        merchant_serial=config["merchant_serial"],
        merchant_key=public_key(config["merchant_public_key_pem"]),
        api_v3_key=config["api_v3_key"],
        public_key_id=config["platform_public_key_id"],
        certificate_serial=serial,
        certificate_pem=config["platform_certificate_pem"],
        certificate=certificate,
        platform_keys={
            config["platform_public_key_id"]: private_key(config["platform_private_key_pem"]),
            serial: private_key(config["platform_certificate_private_key_pem"]),
        },
        settings=WechatSettings(**config.get("settings", {})),
    )
