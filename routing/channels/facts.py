"""What is known of each kind of channel: wallets, methods, names of settings; and what may be told of an account's.

Identities are told as they are, keys and secrets by fingerprints and serials only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from routing.channels.base import Wallet
from routing.channels.rsa import load_certificate, load_private_key, load_public_key
from routing.channels.settings import AlipaySettings, QraSettings, UnionpaySettings, WechatSettings
from routing.sale import Method

_DIRECT: Final = frozenset(Method)
_BARCODE_AND_CODE: Final = frozenset({Method.BARCODE, Method.QRCODE})
_BARCODE: Final = frozenset({Method.BARCODE})
_NOTHING: Final[frozenset[Method]] = frozenset()

_METHODS: Final[Mapping[str, Mapping[Wallet, frozenset[Method]]]] = {
    "wechat": {Wallet.WECHAT: _DIRECT},
    "alipay": {Wallet.ALIPAY: _DIRECT},
    "unionpay": {Wallet.UNIONPAY: _DIRECT},
    "qra": {
        Wallet.WECHAT: _BARCODE_AND_CODE,
        Wallet.ALIPAY: _BARCODE_AND_CODE,
        Wallet.UNIONPAY: _BARCODE_AND_CODE,
        Wallet.DIGITAL_RMB: _BARCODE,
        Wallet.JD: _BARCODE,
        Wallet.BEST_PAY: _BARCODE,
        Wallet.QQ: _BARCODE,
    },
}
"""What a kind of channel can do for a wallet.  The front tells the wallet by the customer's bar code; a code that it
shows is for these three; its pages (`pay.weixin.jspay` and others) are not spoken here.  CHANNEL-PROTOCOLS 3.6."""

_SETTINGS: Final[Mapping[str, type[WechatSettings | AlipaySettings | UnionpaySettings | QraSettings]]] = {
    "wechat": WechatSettings,
    "alipay": AlipaySettings,
    "unionpay": UnionpaySettings,
    "qra": QraSettings,
}
_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "wechat": ("mchid", "appid"),
    "alipay": ("app_id", "seller_id"),
    "unionpay": ("mer_id",),
    "qra": ("mch_id",),
}
"""Under these a channel knows orders, payers and whose money it is: with others it is another account."""
_PLATFORM_KEYS: Final = "platform_public_keys"


@dataclass(frozen=True, slots=True)
class KeyFact:
    """A key or secret of an account, told apart from others without giving it away.

    `kind` is private_key, public_key, certificate or secret.  `fingerprint` is the SHA-256 (hex) of the public key's
    DER (SubjectPublicKeyInfo), for a private key of its public half; of a certificate's DER; for a secret a keyed hash,
    as a plain one could be searched for.  `serial` is a certificate's in decimal, or the channel's name for a key.
    """

    setting: str
    kind: str
    fingerprint: str
    serial: str | None = None


def wallets_of(kind: str) -> frozenset[Wallet]:
    """The wallets that a kind of channel can take; none where there is no such kind."""
    return frozenset(_METHODS.get(kind, {}))


def methods_of(kind: str, wallet: Wallet) -> frozenset[Method]:
    """How customers of that wallet can pay on a kind of channel; none where they cannot."""
    return _METHODS.get(kind, {}).get(wallet, _NOTHING)


def wallets_with(method: Method) -> frozenset[Wallet]:
    """The wallets that some kind of channel takes in this way."""
    return frozenset(wallet for wallets in _METHODS.values() for wallet in wallets if method in wallets[wallet])


def known_settings(kind: str) -> frozenset[str]:
    """The names of all settings that a kind of channel has; none where there is no such kind."""
    settings = _SETTINGS.get(kind)
    return frozenset() if settings is None else frozenset(field.name for field in fields(settings)) | {"concurrency"}


def identity_of(kind: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """What an account is at its channel; it never changes under an account's id."""
    return {name: str(settings.get(name, "")) for name in _IDENTITY.get(kind, ())}


def key_facts(kind: str, settings: Mapping[str, Any], keyed_hash: Callable[[bytes], bytes]) -> tuple[KeyFact, ...]:
    """The keys and secrets among the settings of an account that opens."""
    return tuple(_facts(kind, settings, keyed_hash))


def with_previous_keys(kind: str, settings: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that also trust the keys with which a channel signed before: WeChat Pay names the key of each answer."""
    if kind != "wechat":
        return dict(settings)
    return {**settings, _PLATFORM_KEYS: {**previous[_PLATFORM_KEYS], **settings[_PLATFORM_KEYS]}}


def _facts(kind: str, settings: Mapping[str, Any], keyed_hash: Callable[[bytes], bytes]) -> Iterator[KeyFact]:
    secret = [field.name for field in fields(_SETTINGS[kind]) if not field.repr] if kind in _SETTINGS else []
    for name in secret:
        value = settings.get(name)
        if isinstance(value, Mapping):
            for serial, pem in value.items():
                fact = _fact(name, pem, keyed_hash)
                yield KeyFact(name, fact.kind, fact.fingerprint, serial)
        elif isinstance(value, str) and value:
            yield _fact(name, value, keyed_hash)


def _fact(setting: str, value: str, keyed_hash: Callable[[bytes], bytes]) -> KeyFact:
    """What no reader of keys takes is told of as a secret: a setting that the account does not use can be anything."""
    try:
        if "BEGIN CERTIFICATE-----" in value:
            certificate = load_certificate(value)
            der = certificate.public_bytes(Encoding.DER)
            return KeyFact(setting, "certificate", sha256(der).hexdigest(), str(certificate.serial_number))
        if "PRIVATE KEY-----" in value:
            return KeyFact(setting, "private_key", _of_public(load_private_key(value).public_key()))
        if "PUBLIC KEY-----" in value:
            return KeyFact(setting, "public_key", _of_public(load_public_key(value)))
    except ValueError:
        pass
    return KeyFact(setting, "secret", keyed_hash(value.encode(errors="replace")).hex())


def _of_public(key: RSAPublicKey) -> str:
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
