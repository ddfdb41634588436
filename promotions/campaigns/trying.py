"""Tries a condition's parts with every value that their fields can have, where these are few."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Final, NamedTuple

from gateway.kernel.expressions import Value
from gateway.kernel.expressions.evaluation import Evaluator, evaluator
from gateway.kernel.expressions.tree import FieldValue, Node, nodes_of
from promotions.campaigns.fields import DOMAINS, FIELDS

TRIED_MAX: Final = 5_000
"""Combinations of values: with the dearest of operators, a tenth of a second."""


class Tried(NamedTuple):
    """A part that is never true: `alone`, or together with those before it."""

    part: Node
    alone: bool


def never_true(parts: Sequence[Node]) -> Tried | None:
    """The first part that is never true; None where none is found.

    Parts that look at anything else than fields of few values are left out, and so is what would take too many tries.
    """
    together: list[Node] = []
    for part in parts:
        names = _names(part)
        if not names or not names <= DOMAINS.keys():
            continue
        together.append(part)
        alone = not _is_ever_true([part])
        if alone or not _is_ever_true(together):
            return Tried(part, alone)
    return None


def _names(part: Node) -> frozenset[str]:
    return frozenset(node.name for node in nodes_of(part) if isinstance(node, FieldValue))


def _is_ever_true(parts: Sequence[Node]) -> bool:
    """True, too, where trying would take too long."""
    names = sorted(frozenset[str]().union(*map(_names, parts)))
    choices: list[list[Value | None]] = [_values(name) for name in names]
    if prod(map(len, choices)) > TRIED_MAX:
        return True
    tests: list[Evaluator] = [evaluator(part) for part in parts]
    return any(
        all(test(values) is True for test in tests)
        for values in (dict(zip(names, chosen, strict=True)) for chosen in product(*choices))
    )


def _values(name: str) -> list[Value | None]:
    """Null among them, where the field can be."""
    return [*DOMAINS[name], None] if FIELDS.fields[name].nullable else [*DOMAINS[name]]
