"""The UnionPay simulator's configuration: its signing certificate, its two merchants, and its switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from routing.simulators.pem import private_key
from routing.simulators.statement_lines import USUAL_FEE_MILLIONTHS
from routing.simulators.unionpay_signing import keyed_verifies, rsa_verifies


@dataclass(frozen=True, slots=True)
class UnionpaySettings:
    """Switches of the simulator; `settles_after_s` is the time between 00 (accepted) and the result.

    `order_open_s` is for orders without payTimeout; `front_return` is how the browser comes back to frontUrl from the
    pay page: by a plain redirect, or posting a signed form; `notify_retry_s` are the waits after each try that was not
    acknowledged; `statement_today` makes files of settlement days that are not over.
    """

    settles_after_s: float = 0.1
    refund_settles_after_s: float = 0.1
    refund_interval_s: float = 0.0
    refund_count_max: int = 1_000
    consume_skew_s: float = 300.0
    order_open_s: float = 7_200.0
    front_return: Literal["get", "post"] = "get"
    notify_first_s: float = 0.0
    notify_timeout_s: float = 30.0
    notify_retry_s: tuple[float, ...] = (60, 120, 240, 300, 300)
    fee_rate_millionths: int = USUAL_FEE_MILLIONTHS
    statement_today: bool = False


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
    """UnionPay's own certificate and the merchants it knows: as they stand, then with their next credentials."""

    sign_certificate_pem: str
    sign_key: RSAPrivateKey = field(repr=False)
    merchants: Mapping[str, tuple[Merchant, ...]] = field(repr=False)
    settings: UnionpaySettings = field(default_factory=UnionpaySettings)

    def merchant(self, mer_id: str, *, after_rotation: bool = False) -> Merchant | None:
        """A merchant as it stands now, or with its next credentials; None for an unknown one."""
        known = self.merchants.get(mer_id)
        return None if known is None else known[-1 if after_rotation else 0]

    def proven(self, fields: Mapping[str, str]) -> Merchant | None:
        """The merchant whose credentials prove a request; None where there are none."""
        known = self.merchants.get(fields["merId"], ())
        return next((one for one in known if one.sign_method == fields["signMethod"] and one.proves(fields)), None)


def read_account(config: Mapping[str, Any]) -> UnionpayAccount:
    """The account that a configuration file describes.  Raises KeyError or ValueError."""
    settings = dict(config.get("settings", {}))
    if "notify_retry_s" in settings:
        settings["notify_retry_s"] = tuple(settings["notify_retry_s"])
    prefixes = ("", "next_") if "next_secret_key" in config else ("",)
    mer_id, keyed_id = config["mer_id"], config["keyed_mer_id"]
    return UnionpayAccount(
        sign_certificate_pem=config["sign_certificate_pem"],
        sign_key=private_key(config["sign_private_key_pem"]),
        merchants={
            mer_id: tuple(_signing(mer_id, config[f"{prefix}merchant_certificate_pem"]) for prefix in prefixes),
            keyed_id: tuple(KeyedMerchant(keyed_id, config[f"{prefix}secret_key"]) for prefix in prefixes),
        },
        settings=UnionpaySettings(**settings),
    )


def _signing(mer_id: str, certificate_pem: str) -> SigningMerchant:
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the merchant's certificate holds no RSA key")  # noqa: TRY004  # the text is wrong, not a type
    return SigningMerchant(mer_id, str(certificate.serial_number), key)
