"""Makes parameters that are arrays cheap to send.

asyncpg asks of every element of an array whether it is an array itself, and of every array, by abstract classes
(`Iterable`, `Sized` and `Mapping` of `collections.abc`, in asyncpg/protocol/codecs/array.pyx of 0.32).  The statements
of one payment have some two hundred elements, each of which costs a tenth of a µs and more.  Whether a value is of one
of a few types is known at once.
"""

from __future__ import annotations

from typing import Final

from asyncpg.protocol import protocol

ARRAY_TYPES: Final = (list, tuple, set, frozenset)
"""What may stand for an array; asyncpg refuses anything else (`DataError`), a view of a dictionary too."""


def know_arrays_by_type() -> None:
    """From now on, in this process.  Where an asyncpg has another way to tell, nothing changes."""
    protocol.IterableABC = ARRAY_TYPES  # type: ignore[attr-defined]  # the stubs tell what is public
    protocol.SizedABC = ARRAY_TYPES  # type: ignore[attr-defined]
    protocol.MappingABC = dict  # type: ignore[attr-defined]  # of what is one of those, nothing is
