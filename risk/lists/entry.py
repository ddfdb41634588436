"""What stands on a list: a field and a value, and the 64 bits by which it is found.

A customer's and a device's id belong to a realm (a merchant, or several that share their customers), a store and a till
to their merchant: that is an entry's scope.  An address can be a range, a card is a BIN of 6 to 8 digits: the payment's
own is looked up once for every length that occurs among a list's entries (their widths).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.kernel.secrets import SealBroken, Vault
from risk.fields import LISTED_FIELDS

NUMBERS: Final = {
    "customer": 1,
    "device": 2,
    "ip": 3,
    "card": 4,
    "merchant": 5,
    "store": 6,
    "terminal": 7,
    "region": 8,
    "payer": 9,
}
"""How a field is written in the database."""
NAMES: Final = {number: name for name, number in NUMBERS.items()}
assert set(NUMBERS) == set(LISTED_FIELDS)

OF_PERSONS: Final = frozenset({"customer", "device", "ip", "card", "payer"})
"""Their values are stored sealed, and shown masked."""
OF_KEYED_HASHES: Final = frozenset({"customer", "device", "payer"})
"""A payment carries keyed hashes of these, as hex."""
OF_REALMS: Final = frozenset({"customer", "device"})
OF_MERCHANTS: Final = frozenset({"store", "terminal"})
NEVER_S: Final = 2**31 - 1
"""The expiry of what never expires."""
EPOCH_S: Final = 1_577_836_800
"""Expiries are counted in seconds from 2020-01-01T00:00:00Z."""
EXPIRES_BEFORE: Final = datetime(2080, 1, 1, tzinfo=UTC)
VALUE_LENGTH_MAX: Final = 128
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BIN: Final = re.compile(r"[0-9]{6,8}")
_MERCHANT: Final = re.compile(r"mer_[0-9A-HJKMNP-TV-Z]{26}")
_V4_BITS_MIN: Final = 8
_V6_BITS_MIN: Final = 16
_WIDTHS: Final = (
    *(f"v4/{bits}" for bits in range(_V4_BITS_MIN, 33)),
    *(f"v6/{bits}" for bits in range(_V6_BITS_MIN, 129)),
    *(f"bin/{digits}" for digits in (6, 7, 8)),
)
_MAPPED: Final = bytes(10) + b"\xff\xff"
_SIGN: Final = 1 << 64
_HASHES_KEPT: Final = 16_384


class Value(NamedTuple):
    """A value that can stand on a list, as it is written; `width` of a range or a BIN, such as `v4/24` or `bin/6`."""

    field: str
    text: str
    scope: str | None = None
    width: str | None = None


class Entry(NamedTuple):
    """What is to be put on a list.  `hash` stands for the value; `value` is None where only that is known.

    `expires_at` counts in whole seconds; None: never.  `reason` where it is another one than that of the whole change.
    """

    field: str
    hash: int
    value: Value | None = None
    expires_at: datetime | None = None
    reason: str | None = None


class ValueRefused(ValueError):
    """No value of that field; the message says what it takes."""


def value_of(field: str, text: str, scope: str | None) -> Value:
    """A value as it is written on a list.  Raises ValueRefused."""
    if not text or len(text) > VALUE_LENGTH_MAX or _CONTROL.search(text):
        raise ValueRefused(f"takes 1 to {VALUE_LENGTH_MAX} printable characters")
    if (scope is not None) != (field in OF_REALMS or field in OF_MERCHANTS):
        raise ValueRefused(_scope_wanted(field))
    if field == "ip":
        return _address(text)
    if field == "card":
        if not _BIN.fullmatch(text):
            raise ValueRefused("takes the first 6 to 8 digits of cards")
        return Value(field, text, None, f"bin/{len(text)}")
    if field == "merchant" and not _MERCHANT.fullmatch(text):
        raise ValueRefused("takes a merchant's id, “mer_…”")
    return Value(field, text, scope)


def _scope_wanted(field: str) -> str:
    if field in OF_REALMS:
        return f"needs `merchant_id` or `realm`: whose {field} it is"
    if field in OF_MERCHANTS:
        return f"needs `merchant_id`: whose {field} it is"
    return "takes neither `merchant_id` nor `realm`"


def _address(text: str) -> Value:
    """An address or a range of addresses, v4 or v6; a v4 address that is written as a v6 one is the v4 one."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:  # whose words repeat the value
        raise ValueRefused("takes an address, or a range without host bits such as 203.0.113.0/24") from None
    if getattr(network.network_address, "scope_id", None) is not None:
        raise ValueRefused("takes an address without a zone")
    bits, address = network.prefixlen, network.network_address
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None and bits >= 96:
        bits, address = bits - 96, address.ipv4_mapped
    if bits < (_V4_BITS_MIN if address.version == 4 else _V6_BITS_MIN):
        raise ValueRefused(f"takes ranges from /{_V4_BITS_MIN} (v4) or /{_V6_BITS_MIN} (v6) on")
    is_range = bits < address.max_prefixlen
    return Value("ip", f"{address}/{bits}" if is_range else str(address), None, f"v{address.version}/{bits}")


class Hasher:
    """The 64 bits (a signed number) that stand for values: of keyed hashes, which tell nothing without the key.

    Two of ten million values have the same ones with a probability of 3 in a million; a payment's value is taken for
    another one that is listed with one of 5 in 10 trillion.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.of_text = lru_cache(_HASHES_KEPT)(self._of_text)

    def of(self, value: Value) -> int:
        """Of what an entry says."""
        field, text, scope, width = value
        if field in OF_REALMS:
            return _first(self._vault.keyed_hash(f"{scope}\n{text}".encode()))
        if field == "payer":
            return _first(self._vault.keyed_hash(text.encode()))
        if field == "ip":
            address = ipaddress.ip_network(text).network_address
            return self._of_text(str(width), f"{int(address) >> (address.max_prefixlen - _bits(str(width))):x}")
        if field == "card":
            return self._of_text(str(width), text)
        return self._of_text(field, text if scope is None else f"{scope}\n{text}")

    def holding(self, value: Value) -> Sequence[int]:
        """Of the value itself, and of every range or BIN that it could be in."""
        if value.field == "ip":
            address, _, bits = value.text.partition("/")
            return self.of_address(address, [width for width in _WIDTHS if not bits or _bits(width) <= int(bits)])
        return self.of_bin(value.text, _WIDTHS) if value.field == "card" else (self.of(value),)

    def of_address(self, ip: str, widths: Sequence[str]) -> Sequence[int]:
        """Of the ranges of these widths that an address is in, and of itself where they name it."""
        packed = _packed(ip)
        if not packed:
            return ()
        number, length, version = int.from_bytes(packed, "big"), 8 * len(packed), "v4" if len(packed) == 4 else "v6"
        return [
            self._of_text(width, f"{number >> (length - _bits(width)):x}")
            for width in widths
            if width.startswith(version)
        ]

    def of_bin(self, card_bin: str, widths: Sequence[str]) -> Sequence[int]:
        """Of the BINs of these widths that a card's first digits begin with."""
        return [
            self.of_text(width, card_bin[: _bits(width)])
            for width in widths
            if width.startswith("bin/") and _bits(width) <= len(card_bin)
        ]

    def _of_text(self, kind: str, text: str) -> int:
        return _first(self._vault.keyed_hash(f"risk list\n{kind}\n{text}".encode()))


def hash_of_hex(keyed: str) -> int:
    """The 64 bits of a keyed hash that a payment carries as hex (a customer, a device, a payer)."""
    number = int(keyed[:16], 16)
    return number - _SIGN if number >> 63 else number


def _first(keyed: bytes) -> int:
    return int.from_bytes(keyed[:8], "big", signed=True)


@lru_cache(512)
def _bits(width: str) -> int:
    return int(width.partition("/")[2])


def _packed(ip: str) -> bytes:
    """4 or 16 bytes; none for what is no address."""
    with suppress(OSError):
        return socket.inet_pton(socket.AF_INET, ip)
    with suppress(OSError):
        packed = socket.inet_pton(socket.AF_INET6, ip)
        return packed[12:] if packed.startswith(_MAPPED) else packed
    return b""


def masked(value: Value) -> str:
    """As a person's value is shown: how it begins and ends; others as they are."""
    text = value.text
    if value.field not in OF_PERSONS:
        return text
    if value.field == "ip":
        begin = text.split(":")[0] + ":" if ":" in text else ".".join(text.split(".")[:2]) + "."
        _, slash, bits = text.partition("/")
        return f"{begin}…{slash}{bits}"
    if value.field == "card":
        return f"{text[:2]}…"
    return f"{text[:2]}…{text[-2:]}" if len(text) >= 8 else f"{text[:1]}…"


def sealed(vault: Vault, entry: Entry) -> bytes | None:
    """An entry's value as it is stored: sealed to its place where it is a person's."""
    if entry.value is None:
        return None
    plain = f"{entry.value.scope or ''}\n{entry.value.text}".encode()
    return vault.seal(plain, _place(entry.hash)) if entry.field in OF_PERSONS else plain


def opened(vault: Vault, field: str, hash_: int, stored: bytes | None) -> Value | None:
    """The value that was stored; None where only its hash was known, or this installation's key is not its own."""
    if stored is None:
        return None
    try:
        plain = vault.open(stored, _place(hash_)) if field in OF_PERSONS else stored
    except SealBroken:
        return None
    scope, _, text = plain.decode().partition("\n")
    return Value(field, text, scope or None)


def _place(hash_: int) -> bytes:
    return b"risk list " + hash_.to_bytes(8, "big", signed=True)
