"""The UnionPay simulator's configuration: its signing certificate, its two merchants, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from routing.simulators.pem import private_key
from routing.simulators.unionpay_signing import keyed_verifies, rsa_verifies


@dataclass(frozen=True, slots=True)
class UnionpaySettings:
    """Switches of the simulator; `settles_after_s` is the time between 00 (accepted) and the result."""

    settles_after_s: float = 0.1
    refund_settles_after_s: float = 0.1
    refund_interval_s: float = 0.0
    refund_count_max: int = 1_000
    consume_skew_s: float = 300.0


@dataclass(frozen=True, slots=True)
class SigningMerchant:
    """A merchant with a certificate (signMethod 01), named by its decimal serial number."""

    mer_id: str
    cert_id: str
    key: RSAPublicKey
    sign_method: Literal["01"] = "01"

    def proves(self, fields: Mapping[str, str]) -> bool:
        """Whether this merchant signed the request."""
        return fields.get("certId") == self.cert_id and rsa_verifies(self.key, fields)


@dataclass(frozen=True, slots=True)
class KeyedMerchant:
    """A merchant with a shared secret (signMethod 11)."""

    mer_id: str
    secret_key: str = field(repr=False)
    sign_method: Literal["11"] = "11"

    def proves(self, fields: Mapping[str, str]) -> bool:
        """Whether this merchant signed the request."""
        return keyed_verifies(self.secret_key, fields)


Merchant = SigningMerchant | KeyedMerchant


@dataclass(frozen=True, slots=True)
class UnionpayAccount:
    """UnionPay's own certificate and the merchants it knows."""

    sign_certificate_pem: str
    sign_key: RSAPrivateKey = field(repr=False)
    merchants: Mapping[str, Merchant] = field(repr=False)
    settings: UnionpaySettings = field(default_factory=UnionpaySettings)


def read_account(config: Mapping[str, Any]) -> UnionpayAccount:
    """The account that a configuration file describes.  Raises KeyError or ValueError."""
    certificate = x509.load_pem_x509_certificate(config["merchant_certificate_pem"].encode())
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the merchant's certificate holds no RSA key")  # noqa: TRY004  # the text is wrong, not a type
    signing = SigningMerchant(config["mer_id"], str(certificate.serial_number), key)
    keyed = KeyedMerchant(config["keyed_mer_id"], config["secret_key"])
    return UnionpayAccount(
        sign_certificate_pem=config["sign_certificate_pem"],
        sign_key=private_key(config["sign_private_key_pem"]),
        merchants={merchant.mer_id: merchant for merchant in (signing, keyed)},
        settings=UnionpaySettings(**config.get("settings", {})),
    )
