"""What is remembered of merchants, at most so much of it, so that it can be forgotten merchant by merchant."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, each of one merchant; the oldest goes where there would be more than `kept_max`."""

    __slots__ = ("_kept_max", "_keys", "_owners", "_values", "get")

    def __init__(self, kept_max: int) -> None:
        self._kept_max = kept_max
        self._values: OrderedDict[K, V] = OrderedDict()  # a dict looks for its oldest among all that have gone
        self._owners: dict[K, str] = {}
        self._keys: dict[str, list[K]] = {}
        self.get = self._values.get
        """The value of a key, or None."""

    def __len__(self) -> int:
        return len(self._values)

    def keep(self, key: K, value: V, merchant_id: str) -> None:
        """Remember it, over what is known under that key."""
        if key in self._values:
            self._drop(key)
        elif len(self._values) >= self._kept_max:
            self._drop(next(iter(self._values)))
        self._values[key] = value
        self._owners[key] = merchant_id
        self._keys.setdefault(merchant_id, []).append(key)

    def forget(self, merchants: frozenset[str] | None) -> None:
        """Forget what is of those merchants; everything where it is None."""
        if merchants is None:
            for each in (self._values, self._owners, self._keys):
                each.clear()
            return
        for merchant_id in merchants:
            for key in self._keys.pop(merchant_id, ()):
                del self._values[key], self._owners[key]

    def _drop(self, key: K) -> None:
        del self._values[key]
        merchant_id = self._owners.pop(key)
        keys = self._keys[merchant_id]
        keys.remove(key)
        if not keys:
            del self._keys[merchant_id]
