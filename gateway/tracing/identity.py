"""How traces are named: after the ULID of a payment, so that whoever has a payment's id has its trace.

A request `req_X` that makes a payment makes `pay_X`.  The trace of both is X in hexadecimal, and the request's own span
is X's lower 64 bits: the worker, hours later and elsewhere, finds both in the payment's id, and nothing is stored.
The last 80 bits of a ULID are random: https://www.w3.org/TR/trace-context-2/#random-trace-id-flag asks that of 56.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from gateway.kernel.ids import ULID_LENGTH

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}
_TRACE_BITS: Final = (1 << 128) - 1
_SPAN_BITS: Final = (1 << 64) - 1
_DRAWN_LETTERS: Final = 8
_EVERYTHING: Final = "~"
"""Sorts behind every letter of a ULID."""
_TRACEPARENT: Final = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_LENGTH_MAX: Final = 512
_NAMED: Final = re.compile(rb'"(?:payment_)?id":"(pay_[0-7][0-9A-HJKMNP-TV-Z]{25})"')


class Place(NamedTuple):
    """A span, by the ids of its trace (128 bits) and its own (64 bits)."""

    trace_id: int
    span_id: int


class Parent(NamedTuple):
    """What a caller's `traceparent` says."""

    place: Place
    is_sampled: bool


def place_of(an_id: str) -> Place:
    """Where the request stands that has this id, or made the payment that has it (`req_…`, `pay_…`)."""
    number = 0
    for letter in an_id[-ULID_LENGTH:]:
        number = number << 5 | _VALUES[letter]
    return Place(number & _TRACE_BITS, number & _SPAN_BITS or 1)


def drawn_below(share: float) -> str:
    """What the last letters of an id are below for that share of all ids (0 to 1)."""
    if share >= 1.0:
        return _EVERYTHING
    number, letters = int(share * 32**_DRAWN_LETTERS), ""
    for _ in range(_DRAWN_LETTERS):
        number, letter = divmod(number, 32)
        letters = _ALPHABET[letter] + letters
    return letters


def is_drawn(an_id: str, below: str) -> bool:
    """Whether an id is of the share of `drawn_below`: the same for a request, its payment, and in every process."""
    return an_id[-_DRAWN_LETTERS:] < below


def payment_of_message(body: bytes) -> str | None:
    """The payment that the JSON of an event tells of, itself or a refund of it; None for one that is of no payment."""
    found = _NAMED.search(body)
    return None if found is None else found[1].decode()


def read_traceparent(header: bytes) -> Parent | None:
    """A header by https://www.w3.org/TR/trace-context/#traceparent-header; None where it is none."""
    found = _TRACEPARENT.fullmatch(header) if len(header) <= _LENGTH_MAX else None
    if found is None or (found[1] == b"00" and found[5] is not None):
        return None
    place = Place(int(found[2], 16), int(found[3], 16))
    return Parent(place, bool(int(found[4], 16) & 1)) if all(place) else None
