"""Whether a key or token was drawn at random, as far as the text itself can tell."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from typing import Final

_DISTINCT_BYTES_MIN: Final = 20
"""32 random bytes have 30 distinct ones; fewer than 20 in one of 10^11 keys."""
_TOKEN_BITS_MIN: Final = 72.0
_KNOWN_WORDS: Final = frozenset(
    {"admin", "change", "changeme", "default", "demo", "development", "example", "password", "sample", "secret",
     "test", "token"}
)  # fmt: skip
_PARTS: Final = re.compile(r"[^A-Za-z]+")


def weakness_of_key(key: bytes) -> str | None:
    """What gives away that these bytes were not drawn at random; None where nothing does."""
    if all(0x20 <= byte < 0x7F for byte in key):
        return "it is text, where 32 random bytes are meant"
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    if len(steps) == 1 or len(set(key)) < _DISTINCT_BYTES_MIN:
        return "its bytes repeat or count up: it was not drawn at random"
    return None


def weakness_of_token(token: str) -> str | None:
    """What makes a token one that somebody can guess or knows already; None where nothing does."""
    words = sorted(_KNOWN_WORDS & {part.lower() for part in _PARTS.split(token)} - {""})
    if words:
        return f"it has “{words[0]}” in it, as tokens for trying out have"
    if (token + token).find(token, 1) < len(token):
        return "it repeats itself"
    if _bits_of(token) < _TOKEN_BITS_MIN:
        return "it is too regular to have been drawn at random"
    return None


def _bits_of(token: str) -> float:
    """The Shannon entropy of its letters times its length: what a guesser who knows their frequencies has to try."""
    length = len(token)
    return -sum(count * math.log2(count / length) for count in Counter(token).values())
