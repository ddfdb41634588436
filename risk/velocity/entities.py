"""Whose velocities: what a payment names in each dimension, as keyed hashes, and the keys that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Final, Protocol

from risk.facts import Facts
from risk.velocity.plan import Kind

_SINGLE_BYTES: Final = 12
_PAIR_BYTES: Final = 8
"""Of each of the two: even of 100 million pairs no two are likely to be taken for each other."""


def _own(name: str) -> Callable[[Facts], str | None]:
    """What only the merchant tells apart: another one's of the same name is somebody else."""
    of = attrgetter(name)

    def read(facts: Facts) -> str | None:
        value = of(facts)
        return None if value is None else f"{facts.merchant_id}\n{value}"

    return read


VALUES: Final[dict[str, Callable[[Facts], str | None]]] = {
    "customer": attrgetter("customer"),
    "device": attrgetter("device"),
    "ip": attrgetter("ip"),
    "card": attrgetter("card_bin"),
    "merchant": attrgetter("merchant_id"),
    "store": _own("store_id"),
    "terminal": _own("terminal_id"),
    "operator": _own("operator_id"),
    "code": _own("code_id"),
    "region": attrgetter("region"),
    "wallet": attrgetter("wallet"),
    "code_type": lambda facts: str(facts.code_type),
}
"""What a payment names in a dimension of the specification, None where it does not."""
_OF_FEW: Final = frozenset({"customer", "device", "ip"})
"""Whose payments are too few for their hash to be worth remembering."""


class Hasher(Protocol):
    """Keyed hashes; gateway.kernel.secrets.Vault is one."""

    def keyed_hash(self, value: bytes) -> bytes:
        """16 bytes."""

    def name_hash(self, name: bytes) -> bytes:
        """16 bytes."""


class Names:
    """One payment's values as keyed hashes of 16 bytes, each computed once, when it is asked for."""

    __slots__ = ("_facts", "_hasher", "_known")

    def __init__(self, hasher: Hasher, facts: Facts) -> None:
        self._hasher = hasher
        self._facts = facts
        self._known: dict[str, bytes | None] = {}

    def of(self, dimension: str) -> bytes | None:
        """None where the payment does not name it."""
        known = self._known
        if dimension in known:
            return known[dimension]
        value = VALUES[dimension](self._facts)
        if value is None:
            found = None
        else:
            name = f"{dimension}\n{value}".encode(errors="surrogatepass")
            found = self._hasher.keyed_hash(name) if dimension in _OF_FEW else self._hasher.name_hash(name)
        known[dimension] = found
        return found

    def key(self, dimensions: tuple[str, ...]) -> str | None:
        """Where Valkey has the entity, with a hash tag of its own; None where the payment does not name it."""
        known, one = self._known, dimensions[0]
        first = known[one] if one in known else self.of(one)
        if first is None:
            return None
        if len(dimensions) == 1:
            return f"risk:{{{one}:{first[:_SINGLE_BYTES].hex()}}}"
        other = dimensions[1]
        second = known[other] if other in known else self.of(other)
        if second is None:
            return None
        return f"risk:{{{one}+{other}:{first[:_PAIR_BYTES].hex()}{second[:_PAIR_BYTES].hex()}}}"


def entities_of(kinds: Iterable[Kind], names: Names) -> tuple[list[Kind], list[str]]:
    """Those of these kinds that a payment names, and their keys."""
    found: list[Kind] = []
    keys: list[str] = []
    for kind in kinds:
        key = names.key(kind.key)
        if key is not None:
            found.append(kind)
            keys.append(key)
    return found, keys


def milliseconds(at: datetime) -> int:
    """Since 1970, rounded: as a float, a whole one can be a little less than it is."""
    return round(at.timestamp() * 1_000)
