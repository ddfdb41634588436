"""Fresh keys, certificates and account numbers of each simulated channel, as the content of its configuration file."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

UNIONPAY_SUBJECT: Final = "041@8310000000083040@中国银联股份有限公司@00016493"
_ALPHABET: Final = string.ascii_letters + string.digits
_VALID_FOR: Final = timedelta(days=3_650)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with its certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def _private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_pem(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _certificate_pem(signer: Signer) -> str:
    return signer.certificate.public_bytes(Encoding.PEM).decode()


def _digits(count: int) -> str:
    return "".join(secrets.choice(string.digits) for _ in range(count))


def _letters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _issue(common_name: str, issuer: Signer | None, *, authority: bool) -> Signer:
    """A certificate for a new key, under an issuer or, for a root, under itself.

    RSA throughout: the channels' SDKs expect nothing else.
    """
    key, now = _new_key(), datetime.now(UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Mashang Simulators"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    # The first bit is set so that the serial has all of its 40 hex digits, as WeChat's have.
    serial = (1 << 158) | secrets.randbits(158)
    builder = (
        x509.CertificateBuilder(serial_number=serial)
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return Signer(key, builder.sign(issuer.key if issuer else key, SHA256()))


def wechat_keys() -> dict[str, Any]:
    """A merchant with its API certificate, and WeChat's public key and platform certificate."""
    mchid, platform = f"19{_digits(8)}", _new_key()
    merchant = _issue(mchid, None, authority=False)
    certificate = _issue("Simulated Tenpay platform sign", None, authority=False)
    return {
        "channel": "wechat",
        "mchid": mchid,
        "appid": f"wx{secrets.token_hex(8)}",
        "api_v3_key": _letters(32),
        "merchant_serial": f"{merchant.certificate.serial_number:040X}",
        "merchant_private_key_pem": _private_pem(merchant.key),
        "merchant_public_key_pem": _public_pem(merchant.key),
        "merchant_certificate_pem": _certificate_pem(merchant),
        "platform_public_key_id": f"PUB_KEY_ID_01{mchid}{_digits(22)}",
        "platform_public_key_pem": _public_pem(platform),
        "platform_private_key_pem": _private_pem(platform),
        "platform_certificate_serial": f"{certificate.certificate.serial_number:040X}",
        "platform_certificate_pem": _certificate_pem(certificate),
        "platform_certificate_public_key_pem": _public_pem(certificate.key),
        "platform_certificate_private_key_pem": _private_pem(certificate.key),
        "settings": {},
    }


def wechat_additions(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of an earlier version lacks: the application's secret, and the keys after a rotation."""
    if "app_secret" in config:
        return {}
    merchant, platform = _issue(config["mchid"], None, authority=False), _new_key()
    return {
        "app_secret": secrets.token_hex(16),
        "next_api_v3_key": _letters(32),
        "next_merchant_serial": f"{merchant.certificate.serial_number:040X}",
        "next_merchant_private_key_pem": _private_pem(merchant.key),
        "next_merchant_public_key_pem": _public_pem(merchant.key),
        "next_platform_public_key_id": f"PUB_KEY_ID_01{config['mchid']}{_digits(22)}",
        "next_platform_public_key_pem": _public_pem(platform),
        "next_platform_private_key_pem": _private_pem(platform),
    }


def alipay_keys() -> dict[str, Any]:
    """An application with its key pair, and Alipay's."""
    application, alipay = _new_key(), _new_key()
    return {
        "channel": "alipay",
        "app_id": f"2021{_digits(12)}",
        "seller_id": f"2088{_digits(12)}",
        "app_private_key_pem": _private_pem(application),
        "app_public_key_pem": _public_pem(application),
        "alipay_private_key_pem": _private_pem(alipay),
        "alipay_public_key_pem": _public_pem(alipay),
        "settings": {},
    }


def alipay_additions(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of an earlier version lacks: the keys after a rotation."""
    if "next_app_private_key_pem" in config:
        return {}
    application, alipay = _new_key(), _new_key()
    return {
        "next_app_private_key_pem": _private_pem(application),
        "next_app_public_key_pem": _public_pem(application),
        "next_alipay_private_key_pem": _private_pem(alipay),
        "next_alipay_public_key_pem": _public_pem(alipay),
    }


def unionpay_keys() -> dict[str, Any]:
    """Root, middle and signing certificate of UnionPay, a merchant with a certificate, and one with a secret key."""
    root = _issue("Simulated UnionPay Root CA", None, authority=True)
    middle = _issue("Simulated UnionPay OCA", root, authority=True)
    leaf = _issue(UNIONPAY_SUBJECT, middle, authority=False)
    mer_id = f"7772900{_digits(8)}"
    merchant = _issue(f"041@{mer_id}@Simulated merchant@00000001", middle, authority=False)
    return {
        "channel": "unionpay",
        "mer_id": mer_id,
        "merchant_certificate_pem": _certificate_pem(merchant),
        "merchant_private_key_pem": _private_pem(merchant.key),
        "keyed_mer_id": f"7772901{_digits(8)}",
        "secret_key": _letters(32),
        "root_certificate_pem": _certificate_pem(root),
        "middle_certificate_pem": _certificate_pem(middle),
        "sign_certificate_pem": _certificate_pem(leaf),
        "sign_private_key_pem": _private_pem(leaf.key),
        "settings": {},
    }


def unionpay_additions(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of an earlier version lacks: the credentials after a rotation.

    The certificate stands under itself, for the key of the middle certificate is not kept; UnionPay is told its number
    all the same.
    """
    if "next_secret_key" in config:
        return {}
    merchant = _issue(f"041@{config['mer_id']}@Simulated merchant@00000002", None, authority=False)
    return {
        "next_merchant_certificate_pem": _certificate_pem(merchant),
        "next_merchant_private_key_pem": _private_pem(merchant.key),
        "next_secret_key": _letters(32),
    }


def qra_keys() -> dict[str, Any]:
    """A merchant of UnionPay's bar-code front and its key."""
    return {"channel": "qra", "mch_id": f"QRA{_digits(12)}", "key": secrets.token_hex(16), "settings": {}}


def qra_additions(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of an earlier version lacks: the key after a rotation."""
    return {} if "next_key" in config else {"next_key": secrets.token_hex(16)}
