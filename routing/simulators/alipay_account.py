"""The Alipay simulator's configuration: its key, its application, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from routing.simulators.pem import private_key, public_key


@dataclass(frozen=True, slots=True)
class AlipaySettings:
    """Switches of the simulator; every one has the real channel's value as its default."""

    refund_interval_s: float = 3.0
    refund_count_max: int = 1_000
    timestamp_skew_s: float = 300.0
    pay_within_s: float = 10_800.0
    cancel_within_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class AlipayAccount:
    """One application, and the key that Alipay signs with."""

    app_id: str
    seller_id: str
    app_key: RSAPublicKey
    alipay_key: RSAPrivateKey = field(repr=False)
    settings: AlipaySettings = field(default_factory=AlipaySettings)


def read_account(config: Mapping[str, Any]) -> AlipayAccount:
    """The account that a configuration file describes.  Raises KeyError or ValueError."""
    return AlipayAccount(
        app_id=config["app_id"],
        seller_id=config["seller_id"],
        app_key=public_key(config["app_public_key_pem"]),
        alipay_key=private_key(config["alipay_private_key_pem"]),
        settings=AlipaySettings(**config.get("settings", {})),
    )
