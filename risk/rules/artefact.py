"""A compiled rule set as bytes: written once, by whoever saves the version; read by every process, a little at a time.

It is a row of pickles, one for each part of the set, cut in pieces, each with a keyed hash over itself and its place:
only what this installation wrote is ever unpickled.  Reading pauses between the frames of a pickle (64 KiB each), as
unpickling holds the interpreter.
"""

from __future__ import annotations

import gc
import hashlib
import hmac
import io
import pickle
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import chain
from typing import Any, Final

from gateway.kernel.expressions.index import Shared
from gateway.kernel.secrets import Vault
from risk.rules.compiled import PART_RULES, CompiledSet, joined, parts_of

PIECE_BYTES: Final = 256 * 1024
PAUSE_S: Final = 0.001
"""Between two frames, each of which takes about as long: the event loop gets its turn then."""
_PAUSE_BYTES: Final = 32 * 1024
"""No pause before so much was read."""
_PROTOCOL: Final = 5
_HASH_BYTES: Final = 16
_SOURCES: Final = (("gateway.kernel.expressions", None), ("risk.rules", "compiled.py"), ("risk.rules", "rule.py"))


class ArtefactBroken(ValueError):
    """No artefact of this version, format and installation, or not all of it."""


def _format() -> str:
    """A hash of the code whose objects are pickled: what other code has pickled is not read, but compiled anew."""
    digest = hashlib.blake2b(sys.implementation.cache_tag.encode(), digest_size=8)
    for package, name in _SOURCES:
        for source in sorted(files(package).iterdir(), key=lambda each: each.name):
            if source.name.endswith(".py") and name in (None, source.name):
                digest.update(source.read_bytes())
    return digest.hexdigest()


FORMAT: Final = _format()


def pieces_of(compiled: CompiledSet) -> tuple[bytes, ...]:
    """The set in pieces of PIECE_BYTES, whatever its version: that is told when it is read."""
    shared: dict[int, int] = {}
    written = chain(compiled.matcher.shared(), parts_of(compiled), (None,))
    pickled = b"".join(_pickled(part, shared) for part in written)
    return tuple(pickled[start : start + PIECE_BYTES] for start in range(0, len(pickled), PIECE_BYTES))


def sealed(vault: Vault, version: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as they are stored: each behind its keyed hash."""
    for number, piece in enumerate(pieces):
        yield _keyed_hash(vault, version, number, piece) + piece


def opened(vault: Vault, version: int, number: int, stored: bytes) -> bytes:
    """A piece out of what is stored.  Raises ArtefactBroken."""
    piece = stored[_HASH_BYTES:]
    if not hmac.compare_digest(stored[:_HASH_BYTES], _keyed_hash(vault, version, number, piece)):
        raise ArtefactBroken(f"piece {number} of rule set {version} is not ours")
    return piece


def read(version: int, next_piece: Callable[[], bytes]) -> CompiledSet:
    """The set out of opened pieces; `next_piece` gives one after the other, and b"" behind the last.

    To be called in a thread of its own: that of the event loop goes on meanwhile.  Raises ArtefactBroken.
    """
    paused = _Paused(next_piece)
    with _without_collector():
        try:
            compiled = joined(_unpickled(paused), version)
        except (EOFError, pickle.UnpicklingError) as error:
            raise ArtefactBroken(f"rule set {version} is not whole: {error}") from error
        if len(compiled.codes) >= PART_RULES:
            gc.freeze()  # it would be looked at as a whole, for a fifth of a second, now and then
        return compiled


def let_go(held: list[CompiledSet]) -> None:
    """Empty the list, and free what stood in it a little at a time: freeing, too, holds the interpreter.

    To be called in a thread, once nobody else has the sets.
    """
    parts: list[object] = []
    for part in chain.from_iterable(map(parts_of, held)):
        parts.append(part)
        time.sleep(PAUSE_S)
    held.clear()
    while parts:
        parts.pop()
        time.sleep(PAUSE_S)


def _pickled(part: object, shared: dict[int, int]) -> bytes:
    """One part; `shared` is where what was written before and is referred to stands, by its identity."""
    written = io.BytesIO()
    _Pickler(written, shared).dump(part)
    if isinstance(part, Shared):
        shared.update({id(each): len(shared) + place for place, each in enumerate(part)})
    return written.getvalue()


class _Pickler(pickle.Pickler):
    def __init__(self, into: io.BytesIO, shared: dict[int, int]) -> None:
        super().__init__(into, _PROTOCOL)
        self._place_of = shared.get

    def persistent_id(self, of: object) -> int | None:
        return self._place_of(id(of))


class _Unpickler(pickle.Unpickler):
    def __init__(self, paused: _Paused, shared: list[object]) -> None:
        super().__init__(paused)
        self._shared = shared

    def persistent_load(self, place: Any) -> object:
        return self._shared[place]


def _unpickled(paused: _Paused) -> Iterator[object]:
    """The parts, up to the None behind them, without what they share.

    Each has a memory of its own: what a pickle remembers is let go at its end, all at once.
    """
    shared: list[object] = []
    while (part := _Unpickler(paused, shared).load()) is not None:
        if isinstance(part, Shared):
            shared += part
        else:
            yield part


class _Paused:
    """A file of pieces, as far as a pickle needs one, that lets others run before each frame."""

    def __init__(self, next_piece: Callable[[], bytes]) -> None:
        self._next_piece = next_piece
        self._held = b""
        self._at = 0
        self._since = 0

    def readline(self) -> bytes:
        """No pickle of this protocol has lines."""
        raise ArtefactBroken("an artefact has no lines")

    def read(self, size: int) -> bytes:
        """So many bytes, less at the end."""
        if self._since >= _PAUSE_BYTES:
            time.sleep(PAUSE_S)
            self._since = 0
        self._since += size
        while len(self._held) - self._at < size:
            piece = self._next_piece()
            if not piece:
                break
            self._held, self._at = self._held[self._at :] + piece, 0
        start, self._at = self._at, min(self._at + size, len(self._held))
        return self._held[start : self._at]


@contextmanager
def _without_collector() -> Iterator[None]:
    """The garbage collector would look at the growing set again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _keyed_hash(vault: Vault, version: int, number: int, piece: bytes) -> bytes:
    return vault.keyed_hash(f"compiled risk rules\n{FORMAT}\n{version}\n{number}\n".encode() + piece)
