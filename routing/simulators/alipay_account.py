"""The Alipay simulator's configuration: its keys, its application, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from routing.simulators.pem import private_key, public_key
from routing.simulators.statement_lines import USUAL_FEE_MILLIONTHS


@dataclass(frozen=True, slots=True)
class AlipaySettings:
    """Switches of the simulator; every one has the real channel's value as its default.

    `notify_retry_s` are the waits after each try that was not acknowledged; `notify_full_refunds` also tells of
    refunds that leave nothing (TRADE_CLOSED), of which Alipay is silent; `statement_today` makes bills of days and
    months that are not over.
    """

    refund_interval_s: float = 3.0
    refund_count_max: int = 1_000
    timestamp_skew_s: float = 300.0
    pay_within_s: float = 10_800.0
    cancel_within_s: float = 86_400.0
    code_good_for_s: float = 7_200.0
    notify_first_s: float = 0.0
    notify_timeout_s: float = 5.0
    notify_retry_s: tuple[float, ...] = (0, 0, 0, 240, 600, 600, 3_600, 7_200, 21_600, 54_000)
    notify_full_refunds: bool = False
    fee_rate_millionths: int = USUAL_FEE_MILLIONTHS
    bill_good_for_s: float = 30.0
    statement_today: bool = False


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The key that requests are proved with, and the one that signs what answers them."""

    app_key: RSAPublicKey = field(repr=False)
    alipay_key: RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class AlipayAccount:
    """One application; `keys` are the pair in force, and the next one where there is one."""

    app_id: str
    seller_id: str
    keys: tuple[KeyPair, ...] = field(repr=False)
    settings: AlipaySettings = field(default_factory=AlipaySettings)

    def signing_key(self, *, after_rotation: bool = False) -> RSAPrivateKey:
        """The key that signs what Alipay sends by itself."""
        return self.keys[-1 if after_rotation else 0].alipay_key


def read_account(config: Mapping[str, Any]) -> AlipayAccount:
    """The account that a configuration file describes.  Raises KeyError or ValueError."""
    settings = dict(config.get("settings", {}))
    if "notify_retry_s" in settings:
        settings["notify_retry_s"] = tuple(settings["notify_retry_s"])
    prefixes = ("", "next_") if "next_app_public_key_pem" in config else ("",)
    pairs = [
        KeyPair(
            app_key=public_key(config[f"{prefix}app_public_key_pem"]),
            alipay_key=private_key(config[f"{prefix}alipay_private_key_pem"]),
        )
        for prefix in prefixes
    ]
    return AlipayAccount(
        app_id=config["app_id"],
        seller_id=config["seller_id"],
        keys=tuple(pairs),
        settings=AlipaySettings(**settings),
    )
