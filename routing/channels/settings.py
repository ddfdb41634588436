"""The settings of a channel account, checked when the account is opened; secrets never show in a repr."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from routing.channels.base import Rhythm
from routing.channels.rsa import load_certificate, load_private_key, load_public_key

_WORD: Final = re.compile(r"[A-Za-z0-9_\-]{1,128}")

WECHAT_RHYTHM: Final = Rhythm(
    after_pending_s=(5.0,), after_unknown_s=(5.0,), reverse_not_before_s=15.0, repeat_reversal_s=5.0
)
"""CHANNEL-PROTOCOLS 1.7: query after 5 s and every 5 s; never reverse within 15 s of paying."""

ALIPAY_RHYTHM: Final = Rhythm(
    after_pending_s=(5.0, 4.0), after_unknown_s=(5.0, 4.0), reverse_not_before_s=5.0, repeat_reversal_s=3.0
)
"""CHANNEL-PROTOCOLS 2.6: wait 5 s, query every 3–5 s; cancel right after a query; repeat while retry_flag=Y."""

UNIONPAY_RHYTHM: Final = Rhythm(
    after_pending_s=(0.3, 1.0, 2.0, 5.0, 10.0),
    after_unknown_s=(5.0, 10.0, 30.0, 60.0, 120.0),
    reverse_not_before_s=5.0,
    repeat_reversal_s=5.0,
)
"""CHANNEL-PROTOCOLS 3.4: what was accepted is decided soon; the unknown is asked for before it is reversed."""

QRA_RHYTHM: Final = WECHAT_RHYTHM
"""None was found for the front: that of WeChat Pay, the strictest of the wallets behind it, about reversals too."""


WECHAT_OAUTH_URL: Final = "https://open.weixin.qq.com/connect/oauth2/authorize"
WECHAT_TOKEN_URL: Final = "https://api.weixin.qq.com/sns/oauth2/access_token"  # noqa: S105 (an address)
ALIPAY_OAUTH_URL: Final = "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm"

ALIPAY_TIMEOUT_EXPRESS: Final = "2m"
"""An unpaid order closes by itself soon after the gateway has given up on it."""


UNIONPAY_REFUND_WINDOW_DAYS: Final = 30
"""CHANNEL-PROTOCOLS 3.2: guaranteed for QR payments; other products have 90 or 330 days."""

QRA_REFUND_WINDOW_DAYS: Final = 30
"""None was found for the front: UnionPay's for QR payments, the shortest of those behind it."""

QRA_MCH_CREATE_IP: Final = "127.0.0.1"
"""`mch_create_ip` where the merchant has named no address: the front requires one."""

UNIONPAY_DYNAMIC_CODE: Final = "0"
"""`qrCodeType` of page payments; 1 is a static code, for which payers' banks take at most 500 yuan a day."""


class ChannelSettingsError(ValueError):
    """A channel account cannot be opened with these settings.  Names the setting, never its value."""

    def __init__(self, kind: str, setting: str, problem: str) -> None:
        super().__init__(f"{kind}: {setting} {problem}")
        self.setting = setting
        self.problem = problem


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """How many calls of one account may be under way, and how many more may wait for how long."""

    calls_max: int = 256
    waiting_max: int = 1_024
    wait_s: float = 1.0


@dataclass(frozen=True, slots=True)
class WechatSettings:
    """A direct merchant of WeChat Pay APIv3.  `platform_public_keys` are PEMs by serial or PUB_KEY_ID.

    `oauth_url` is the page where a payer is identified and `token_url` where its code is redeemed with `app_secret`;
    an account without a secret has not that call.  `notify_url` is where the merchant hears of codes, pages and
    refunds; `bridge_url` is the script of a stand-in for the in-page bridge (development).
    """

    base_url: str
    mchid: str
    appid: str
    merchant_serial: str
    merchant_private_key_pem: str = field(repr=False)
    api_v3_key: str = field(repr=False)
    platform_public_keys: Mapping[str, str] = field(repr=False)
    app_secret: str = field(default="", repr=False)
    oauth_url: str = WECHAT_OAUTH_URL
    token_url: str = WECHAT_TOKEN_URL
    notify_url: str = ""
    bridge_url: str = ""
    rhythm: Rhythm = WECHAT_RHYTHM


@dataclass(frozen=True, slots=True)
class AlipaySettings:
    """An application of Alipay in public-key mode.

    `oauth_url` is the page where a payer is identified; `notify_url` is where the merchant hears of codes, pages and
    refunds; `bridge_url` is the script of a stand-in for the in-page bridge (development).
    """

    gateway_url: str
    app_id: str
    seller_id: str
    app_private_key_pem: str = field(repr=False)
    alipay_public_key_pem: str = field(repr=False)
    timeout_express: str = ALIPAY_TIMEOUT_EXPRESS
    oauth_url: str = ALIPAY_OAUTH_URL
    notify_url: str = ""
    bridge_url: str = ""
    rhythm: Rhythm = ALIPAY_RHYTHM


@dataclass(frozen=True, slots=True)
class UnionpaySettings:
    """A merchant of UnionPay ACP 5.1.0: `sign_method` 01 signs by certificate, 11 by `secret_key`.

    `allowed_signer` is a further name to trust as the third part of the signer's CN, besides UnionPay's own; in its
    test environment that is `00040000:SIGN`.  `front_trans_url` takes page payments, `oauth_url` is the page where a
    payer is identified, `file_url` gives statements; an account without one of them has not that call.
    `notify_barcode`: also bar code payments are notified; else UnionPay is told to send none.
    """

    back_trans_url: str
    query_trans_url: str
    mer_id: str
    sign_method: str
    signing_certificate_pem: str = field(default="", repr=False)
    signing_private_key_pem: str = field(default="", repr=False)
    root_certificate_pem: str = field(default="", repr=False)
    middle_certificate_pem: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    allowed_signer: str = ""
    front_trans_url: str = ""
    oauth_url: str = ""
    file_url: str = ""
    notify_url: str = ""
    notify_barcode: bool = False
    qr_code_type: str = UNIONPAY_DYNAMIC_CODE
    refund_window_days: int = UNIONPAY_REFUND_WINDOW_DAYS
    rhythm: Rhythm = UNIONPAY_RHYTHM


@dataclass(frozen=True, slots=True)
class QraSettings:
    """A merchant of UnionPay's bar-code front (or of another host of this dialect), signing by MD5 with `key`.

    `sign_agentno` and `groupno` are sent where the contract gives them: the agent whose key signs, and the group of
    shops.  `mch_create_ip` is the address of the machine that makes the orders.  `device_type` is the kind of the tills
    (as in `terminal_info`, two digits); without one nothing is told of terminals but their numbers.  `notify_url` is
    where the merchant hears of codes that were paid.
    """

    base_url: str
    mch_id: str
    key: str = field(repr=False)
    sign_agentno: str = ""
    groupno: str = ""
    mch_create_ip: str = QRA_MCH_CREATE_IP
    device_type: str = ""
    notify_url: str = ""
    refund_window_days: int = QRA_REFUND_WINDOW_DAYS
    rhythm: Rhythm = QRA_RHYTHM


class SettingsReader:
    """Reads the settings of one account as they were stored (JSON), and complains by name."""

    def __init__(self, kind: str, values: Mapping[str, Any], *, public_only: bool = False) -> None:
        self._kind = kind
        self._values = values
        self._public_only = public_only

    def text(self, name: str, otherwise: str | None = None) -> str:
        """A non-empty string; `otherwise` where it may be missing."""
        value = self._values.get(name, otherwise)
        if not isinstance(value, str) or (not value and otherwise is None):
            raise self.error(name, "must be a non-empty string")
        if not _is_storable(value):
            raise self.error(name, "must be Unicode text without NUL")
        return value

    def word(self, name: str) -> str:
        """A string of letters, digits, `_` and `-`: what may stand in addresses and headers as it is."""
        value = self.text(name)
        if not _WORD.fullmatch(value):
            raise self.error(name, "must be letters and digits")
        return value

    def optional_word(self, name: str) -> str:
        """As `word`; empty where it is missing or empty."""
        return "" if self._values.get(name, "") == "" else self.word(name)

    def ip(self, name: str, otherwise: str) -> str:
        """The address of a machine, IPv4 or IPv6, as it is usually written."""
        value = self.text(name, otherwise)
        try:
            return str(ip_address(value))
        except ValueError:
            raise self.error(name, "must be an IP address") from None

    def private_key(self, name: str) -> str:
        """The PEM of an RSA private key."""
        value = self.text(name)
        self._readable(name, load_private_key, value)
        return value

    def public_key(self, name: str) -> str:
        """The PEM of an RSA public key or of a certificate that holds one."""
        value = self.text(name)
        self._readable(name, load_public_key, value)
        return value

    def public_keys(self, name: str) -> dict[str, str]:
        """PEMs of RSA public keys by their serial."""
        values = self.texts(name)
        for pem in values.values():
            self._readable(name, load_public_key, pem)
        return values

    def certificate(self, name: str) -> str:
        """The PEM of a certificate."""
        value = self.text(name)
        self._readable(name, load_certificate, value)
        return value

    def url(self, name: str) -> str:
        """An absolute http or https address without a query.

        Where only public addresses are taken (production), it must be https, and no address inside a network.
        """
        value = self.text(name)
        plain = value.isascii() and value.isprintable() and not set(value) & set(" ?#@\\")
        if not plain or not _has_host(value):
            raise self.error(name, "must be an http(s) address without a query")
        if self._public_only and not _is_public(value):
            raise self.error(name, "must be a public https address")
        return value

    def optional_url(self, name: str, otherwise: str = "") -> str:
        """As `url`; `otherwise` where it is missing or empty."""
        return otherwise if self._values.get(name, "") == "" else self.url(name)

    def development_url(self, name: str) -> str:
        """As `optional_url`, for what must not be there in production."""
        if self._public_only and self._values.get(name):
            raise self.error(name, "is for development only")
        return self.optional_url(name)

    def flag(self, name: str, *, otherwise: bool) -> bool:
        """True or false."""
        value = self._values.get(name, otherwise)
        if not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    def days(self, name: str, otherwise: int, most: int) -> int:
        """A whole number of days, from 1 to `most`."""
        value = self._values.get(name, otherwise)
        if type(value) is not int or not 1 <= value <= most:
            raise self.error(name, f"must be days between 1 and {most}")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """A non-empty mapping of strings to strings."""
        value = self._values.get(name)
        if not isinstance(value, Mapping) or not value:
            raise self.error(name, "must be a non-empty object")
        if not all(isinstance(key, str) and isinstance(text, str) for key, text in value.items()):
            raise self.error(name, "must hold strings only")
        if not all(_is_storable(key) and _is_storable(text) for key, text in value.items()):
            raise self.error(name, "must be Unicode text without NUL")
        return dict(value)

    def rhythm(self, otherwise: Rhythm) -> Rhythm:
        """The channel's rhythm, with what `rhythm` overrides."""
        value = self._values.get("rhythm") or {}
        if not isinstance(value, Mapping):
            raise self.error("rhythm", "must be an object")
        unknown = set(value) - set(Rhythm.__slots__)
        if unknown:
            raise self.error("rhythm", f"has no {', '.join(sorted(unknown))}")
        return Rhythm(
            self._waits(value, "after_pending_s", otherwise.after_pending_s),
            self._waits(value, "after_unknown_s", otherwise.after_unknown_s),
            self._seconds(value.get("reverse_not_before_s", otherwise.reverse_not_before_s), "rhythm"),
            self._seconds(value.get("repeat_reversal_s", otherwise.repeat_reversal_s), "rhythm"),
            self._waits(value, "after_shown_s", otherwise.after_shown_s),
        )

    def limits(self) -> AccountLimits:
        """The account's bounds on concurrency."""
        value = self._values.get("concurrency") or {}
        if not isinstance(value, Mapping) or set(value) - set(AccountLimits.__slots__):
            raise self.error("concurrency", f"must be an object of {', '.join(AccountLimits.__slots__)}")
        standard = AccountLimits()
        return AccountLimits(
            self._count(value.get("calls_max", standard.calls_max), 1),
            self._count(value.get("waiting_max", standard.waiting_max), 0),
            self._seconds(value.get("wait_s", standard.wait_s), "concurrency"),
        )

    def error(self, name: str, problem: str) -> ChannelSettingsError:
        """The complaint about one setting."""
        return ChannelSettingsError(self._kind, name, problem)

    def _readable(self, name: str, load: Callable[[str], object], pem: str) -> None:
        try:
            load(pem)
        except ValueError as problem:
            raise self.error(name, f"is {problem}") from None

    def _waits(self, values: Mapping[str, Any], name: str, otherwise: tuple[float, ...]) -> tuple[float, ...]:
        waits = values.get(name, otherwise)
        if not isinstance(waits, list | tuple) or not waits:
            raise self.error("rhythm", f"needs at least one wait in {name}")
        return tuple(self._seconds(wait, "rhythm") for wait in waits)

    def _seconds(self, value: object, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
            raise self.error(name, "takes seconds between 0 and 86400")
        return float(value)

    def _count(self, value: object, least: int) -> int:
        if type(value) is not int or value < least:
            raise self.error("concurrency", f"needs whole numbers of at least {least}")
        return value


_INNER_DOMAINS: Final = frozenset({"localhost", "local", "internal", "lan", "home", "corp"})


def _is_storable(text: str) -> bool:
    """Whether every part of the way takes it: UTF-8 has no lone surrogates, PostgreSQL's text no NUL."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _has_host(address: str) -> bool:
    """Whether it is http(s) with a host and a readable port."""
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_public(address: str) -> bool:
    """Whether it is https, and its host neither a number of an inner network nor a name without a domain."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        return parts.scheme == "https" and ip_address(host).is_global
    except ValueError:
        _, dot, domain = host.rstrip(".").rpartition(".")  # a domain of digits is a number in another writing
        return parts.scheme == "https" and dot == "." and domain[:1].isalpha() and domain not in _INNER_DOMAINS
