"""Whose velocities: what a payment names in each dimension, as keyed hashes, and the keys that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Protocol

from risk.facts import Facts
from risk.velocity.plan import Kind

_SINGLE_BYTES: Final = 12
_PAIR_BYTES: Final = 8
"""Of each of the two: even of 100 million pairs no two are likely to be taken for each other."""

VALUES: Final[dict[str, Callable[[Facts], str | None]]] = {
    "customer": lambda facts: facts.customer,
    "device": lambda facts: facts.device,
    "ip": lambda facts: facts.ip,
    "card": lambda facts: facts.card_bin,
    "merchant": lambda facts: facts.merchant_id,
    "store": lambda facts: _own(facts, facts.store_id),
    "terminal": lambda facts: _own(facts, facts.terminal_id),
    "operator": lambda facts: _own(facts, facts.operator_id),
    "code": lambda facts: _own(facts, facts.code_id),
    "region": lambda facts: facts.region,
    "wallet": lambda facts: facts.wallet,
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
        if dimension in self._known:
            return self._known[dimension]
        value = VALUES[dimension](self._facts)
        found = None if value is None else self._hash(dimension, value)
        self._known[dimension] = found
        return found

    def key(self, dimensions: tuple[str, ...]) -> str | None:
        """Where Valkey has the entity, with a hash tag of its own; None where the payment does not name it."""
        first = self.of(dimensions[0])
        if first is None:
            return None
        if len(dimensions) == 1:
            return f"risk:{{{dimensions[0]}:{first[:_SINGLE_BYTES].hex()}}}"
        second = self.of(dimensions[1])
        if second is None:
            return None
        hashes = (first[:_PAIR_BYTES] + second[:_PAIR_BYTES]).hex()
        return f"risk:{{{dimensions[0]}+{dimensions[1]}:{hashes}}}"

    def _hash(self, dimension: str, value: str) -> bytes:
        name = f"{dimension}\n{value}".encode(errors="surrogatepass")
        return self._hasher.keyed_hash(name) if dimension in _OF_FEW else self._hasher.name_hash(name)


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


def _own(facts: Facts, value: str | None) -> str | None:
    return None if value is None else f"{facts.merchant_id}\n{value}"


def milliseconds(at: datetime) -> int:
    """Since 1970; what is less than one is dropped."""
    """Since 1970, rounded: as a float, a whole one can be a little less than it is."""
    return round(at.timestamp() * 1_000)
