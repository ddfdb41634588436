"""Ready packs of rules, as JSON: one for each typical pattern, to be published as they are, together, or as a start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import orjson

from risk.rules.rule import Mode

_NOTE: Final = "Ready packs: {names}"


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Of the packs, in order."""
    found = [entry.name.removesuffix(".json") for entry in files(__name__).iterdir() if entry.name.endswith(".json")]
    return tuple(sorted(found))


def pack(name: str) -> dict[str, Any]:
    """A pack's rule set, as `risk.rules.document.parse` takes it.  Raises KeyError where there is none of that name.

    The codes of its rules begin with the pack's name and a dot, so that packs can stand together.
    """
    if name not in names():
        raise KeyError(name)
    document: dict[str, Any] = orjson.loads((files(__name__) / f"{name}.json").read_bytes())
    return document


def combined(
    chosen: Iterable[str], *, onto: Mapping[str, Any] | None = None, in_shadow: bool = False
) -> dict[str, Any]:
    """One rule set of several packs.  Raises KeyError for a name that is none.

    `onto` is a rule set that is kept as it is, with the rules that it lacks added to it: a pack's rule that somebody
    has tuned stays tuned.  `in_shadow` has the added rules counted only.
    """
    packs = {name: pack(name) for name in chosen}
    kept = dict(onto or {})
    rules = list(kept.get("rules", ()))
    codes = {rule["code"] for rule in rules}
    added = [rule for each in packs.values() for rule in each["rules"] if rule["code"] not in codes]
    thresholds = (each["thresholds"] for each in packs.values() if "thresholds" in each)
    return {
        "note": _NOTE.format(names=", ".join(packs)),
        "thresholds": _set(kept.get("thresholds")) or next(thresholds, None),
        "model": kept.get("model"),
        "rules": rules + [_shadowed(rule) if in_shadow else rule for rule in added],
    }


def _set(thresholds: Mapping[str, int | None] | None) -> Mapping[str, int | None] | None:
    """None where no threshold is set."""
    return thresholds if thresholds and any(thresholds.values()) else None


def _shadowed(rule: Mapping[str, Any]) -> dict[str, Any]:
    """What its tests say of the verdict no longer holds; the packs' say only whether a rule hits."""
    return {**rule, "mode": Mode.SHADOW.value}
