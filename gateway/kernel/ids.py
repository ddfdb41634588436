"""Ids: a prefix and a ULID (https://github.com/ulid/spec), so that they sort by time of creation."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
ULID_LENGTH: Final = 26
_TIME_LETTERS: Final = 10
_RANDOM_LETTERS: Final = ULID_LENGTH - _TIME_LETTERS
_LETTER_OF_BYTE: Final = (_ALPHABET * 8).encode()
"""Eight bytes stand for each letter, so that random bytes make random letters in one step."""


def _time_letters(milliseconds: int) -> str:
    """50 bits as ten letters of Crockford's base 32, two at a time."""
    return "".join([_PAIRS[(milliseconds >> shift) & 1023] for shift in (40, 30, 20, 10, 0)])


def new_ulid(at_ms: int | None = None) -> str:
    """26 upper-case letters and digits: 48 bits of milliseconds since 1970, then 80 random bits."""
    milliseconds = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    return _time_letters(milliseconds) + os.urandom(_RANDOM_LETTERS).translate(_LETTER_OF_BYTE).decode()


def new_id(prefix: str) -> str:
    """A new id such as `pay_01JD…`: the prefix, an underscore and a ULID."""
    return f"{prefix}_{new_ulid()}"


def same_ulid(prefix: str, an_id: str) -> str:
    """An id of another kind with the ULID of this one."""
    return f"{prefix}_{an_id[-ULID_LENGTH:]}"


def first_ulid_at(moment: datetime) -> str:
    """The lowest ULID of that millisecond: the bound of a partition or of a time filter."""
    return _time_letters(int(moment.timestamp() * 1000)) + _ALPHABET[0] * _RANDOM_LETTERS


def ulid_time(ulid: str) -> datetime:
    """When a ULID was made.  Raises ValueError for text that is none."""
    value = 0
    try:
        for letter in ulid[:_TIME_LETTERS]:
            value = value << 5 | _VALUES[letter]
    except KeyError:
        raise ValueError("not a ULID") from None
    if len(ulid) != ULID_LENGTH:
        raise ValueError("not a ULID")
    return datetime.fromtimestamp(value / 1000, UTC)


def is_id(text: str, prefix: str) -> bool:
    """Whether the text has the form of an id with that prefix."""
    head, _, ulid = text.partition("_")
    return head == prefix and len(ulid) == ULID_LENGTH and all(letter in _VALUES for letter in ulid)
