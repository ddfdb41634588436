"""Whether a store's address can be read: a password that is not percent-encoded ends it at its first / ? or #."""

from __future__ import annotations

import re
from typing import Final

_HOST: Final = re.compile(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::[0-9]*)?")
_TOLD: Final = "cannot be read: in its password write / ? # @ % as %2F %3F %23 %40 %25"


def require_readable(address: str) -> None:
    """Raise ValueError, in which nothing of the address is shown: libraries would log what they take for a port."""
    scheme, _, rest = address.partition("://")
    if scheme == "unix":
        return
    located = rest.partition("?")[0]
    authority, _, path = located.partition("/")
    hosts = authority.rpartition("@")[2].split(",")
    if "#" in rest or "@" in path or not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError(_TOLD)
