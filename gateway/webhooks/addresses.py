"""Which addresses webhooks may be sent to: http(s) on the public internet, and nothing that points inside.

Merchants choose these addresses, so each is a way to make us knock on our own doors (server-side request forgery).
An address is checked three times: as it is written (here), as it resolves when it is registered, and as it resolves
when a connection is made, which then goes to the very address that was checked (resolving.py, posting.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

URL_LENGTH_MAX: Final = 500
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]/?#]*\]|[^/?#:\[\]]*)(?::(?P<port>[0-9]{1,5}))?(?P<target>(?:/[^?#]*)?(?:\?[^#]*)?)"
)
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NAME_LENGTH_MAX: Final = 253
_PORTS: Final = {"http": 80, "https": 443}
_PORT_UNPRIVILEGED: Final = 1_024

_INNER_NAMES: Final = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa")
"""Domains that lead nowhere but inside."""

_REFUSED_V4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carriers' NAT, and the metadata of Alibaba Cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's inner services, on an address that looks public
            "169.254.0.0/16",  # link-local, and the metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
"""IANA's special-purpose registry (RFC 6890 and its updates), and what clouds put elsewhere."""
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All that is assigned for the public; outside lie loopback, mapped, unique local, link-local and multicast ones."""
_REFUSED_V6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which holds an IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 writes a public IPv4 address: as public as the address in its last 32 bits."""


class AddressRefused(ValueError):
    """Nothing is sent there.  The text goes on from the field's name: “… must not point inside a network”."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart: `host` is what is connected to and verified, `authority` and `path` are what is sent."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    @property
    def literal(self) -> Address | None:
        """The host as a number, where it is one."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Targets with the same origin share connections."""
        return self.scheme, self.host, self.port


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What is taken.  `allowed` are inner networks that are taken all the same; `any_port` lifts the bound on ports.

    Without `any_port`, ports below 1024 are taken for HTTP only (80, 443): no mail server or shell is knocked at.
    """

    allowed: Sequence[Network] = ()
    any_port: bool = True

    def target(self, url: str) -> Target:
        """The parts of an address.  Raises AddressRefused for anything but plain http(s) to a name or public number."""
        if len(url) > URL_LENGTH_MAX:
            raise AddressRefused(f"must have at most {URL_LENGTH_MAX} characters")
        if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
            raise AddressRefused(
                "must be ASCII without spaces; write other letters as xn--… in the host, as %XX behind"
            )
        parts = _URL.fullmatch(url)
        if parts is None:
            raise AddressRefused("must be an http(s) address: a host, perhaps a port and a path, no user, no fragment")
        host = self._host(parts["host"])
        port = int(parts["port"] or _PORTS[parts["scheme"]])
        if not 0 < port < 65_536 or not (self.any_port or port in _PORTS.values() or port >= _PORT_UNPRIVILEGED):
            raise AddressRefused("must name port 80, 443, or one above 1023")
        authority = parts["host"].lower() + ("" if parts["port"] is None else f":{port}")
        path = parts["target"] if parts["target"].startswith("/") else f"/{parts['target']}"
        return Target(parts["scheme"], host, port, authority, path)

    def check(self, address: Address) -> None:
        """Raises AddressRefused for an address that is not public, unless it is in an allowed network."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            raise AddressRefused("must not lead to an IPv4 address in IPv6 clothes")
        if any(address in network for network in self.allowed):
            return
        if not _is_public(address):
            raise AddressRefused("must not point inside a network")

    def _host(self, text: str) -> str:
        """The host in lower case, without brackets."""
        if text.startswith("["):
            return self._checked(_number(text[1:-1], IPv6Address))
        name = text.lower()
        labels = name.split(".")
        if len(name) > _NAME_LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in labels):
            raise AddressRefused("must name a host: letters, digits and hyphens between dots, and no dot at the end")
        if _NUMBER.fullmatch(labels[-1]):
            return self._checked(_number(name, IPv4Address))
        inner = len(labels) == 1 or name.endswith(tuple(f".{domain}" for domain in _INNER_NAMES))
        if inner and not self.allowed:
            raise AddressRefused("must not point inside a network")
        return name

    def _checked(self, address: Address) -> str:
        self.check(address)
        return str(address)


def _number(text: str, kind: type[IPv4Address | IPv6Address]) -> Address:
    """An address in the one way of writing it: other ways (octal, hexadecimal, short, one number) are for hiding."""
    try:
        address = kind(text)
    except ValueError:
        address = None
    if address is None or str(address) != text.lower() or "%" in text:
        raise AddressRefused("must write a numeric host in its usual form")
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address in _NAT64:
        return _is_public(IPv4Address(address.packed[-4:]))
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)
