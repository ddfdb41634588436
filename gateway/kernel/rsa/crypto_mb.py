"""Intel's multi-buffer library (`libcrypto_mb`): found, loaded, and its RSA functions with their C types.

It makes eight RSA operations with one call: AVX-512 IFMA multiplies eight numbers at once.  Source of names, arguments
and status words: `crypto_mb/rsa.h`, `status.h` and `cpu_features.h` of github.com/intel/cryptography-primitives.

The calls keep the interpreter's lock: they take less than a millisecond, and an event loop that hands the lock to
another thread can wait five (`sys.getswitchinterval`) to get it back.  So the work space below is one call's at a time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Final, Protocol

LANES: Final = 8
KEY_BITS: Final = (2_048, 3_072, 4_096)
PUBLIC_EXPONENT: Final = 65_537
"""The only one that the library's public operation knows."""

_LIBRARY: Final = ("ipp-crypto", "libcrypto_mb.so.13")
_COMPANIONS: Final = ("intel-cmplr-lib-rt", ("libintlc.so.5", "libirng.so", "libimf.so", "libsvml.so"))
"""The library names these as needed, each needing those before it; they are no part of the loader's search path."""

_BMI2: Final = 0x80_0000_0000
_AVX512_F_DQ_BW: Final = 0x0310_0000
_AVX512_IFMA: Final = 0x1_0000_0000
_AVX512_VBMI2: Final = 0x20_0000_0000
_AVX512_ENABLED_BY_SYSTEM: Final = 0x2_0000_0000
_NEEDED: Final = _BMI2 | _AVX512_F_DQ_BW | _AVX512_IFMA | _AVX512_VBMI2 | _AVX512_ENABLED_BY_SYSTEM

Addresses = Sequence[int | None]
"""Where the numbers of up to eight lanes lie; None, or none at all, for a lane that has nothing to do."""

_Pointers = ctypes.c_void_p * LANES


class CryptoMbUnavailableError(Exception):
    """Why the library cannot be used here, in a sentence."""


class Lanes(Protocol):
    """RSA operations on up to eight numbers at once.  Numbers in and out are big-endian and as long as the key.

    Both answer with a status word: four bits for each lane, the first lane's lowest, 0 where it worked.
    """

    def private(self, bits: int, numbers: Addresses, results: Addresses, key_parts: Sequence[Addresses]) -> int:
        """x^d mod n.  `key_parts`: p, q, d mod p-1, d mod q-1, q^-1 mod p, each little-endian and half the key long."""

    def public(self, bits: int, numbers: Addresses, results: Addresses, moduli: Addresses) -> int:
        """x^65537 mod n; the moduli are little-endian."""


class CryptoMb:
    """The library, loaded.  Raises CryptoMbUnavailableError where it is not there or the processor cannot run it."""

    def __init__(self, path: Path | None = None) -> None:
        library = _loaded(path)
        try:
            _require_processor(library)
            self._methods = {
                bits: (_method(library, bits, "private_crt"), _method(library, bits, "pub65537")) for bits in KEY_BITS
            }
            self._work_space = ctypes.create_string_buffer(self._largest_work_space(library))
            self._private = _declared(library, "mbx_rsa_private_crt_mb8", pointers=7)
            self._public = _declared(library, "mbx_rsa_public_mb8", pointers=3)
        except AttributeError as missing:
            raise CryptoMbUnavailableError(f"the library is another one than expected: {missing}") from None

    def private(self, bits: int, numbers: Addresses, results: Addresses, key_parts: Sequence[Addresses]) -> int:
        """See Lanes."""
        parts = [_Pointers(*part) for part in key_parts]
        method, _ = self._methods[bits]
        return self._private(_Pointers(*numbers), _Pointers(*results), *parts, bits, method, self._work_space)

    def public(self, bits: int, numbers: Addresses, results: Addresses, moduli: Addresses) -> int:
        """See Lanes."""
        _, method = self._methods[bits]
        return self._public(
            _Pointers(*numbers), _Pointers(*results), _Pointers(*moduli), bits, method, self._work_space
        )

    def _largest_work_space(self, library: ctypes.PyDLL) -> int:
        """In bytes.  Given none, the library would take one from the heap for each call and leave it there unwiped."""
        size_of = library.mbx_RSA_Method_BufSize
        size_of.argtypes, size_of.restype = [ctypes.c_void_p], ctypes.c_int
        return max(int(size_of(method)) for pair in self._methods.values() for method in pair)


def _loaded(path: Path | None) -> ctypes.PyDLL:
    """A library of one's own may need no companions; with the package's, they must be there."""
    try:
        for companion in _companions(must_be_there=path is None):
            ctypes.PyDLL(str(companion))
        return ctypes.PyDLL(str(path or _installed(*_LIBRARY)))
    except OSError as error:
        raise CryptoMbUnavailableError(f"the library does not load: {error}") from None


def _companions(*, must_be_there: bool) -> list[Path]:
    package, names = _COMPANIONS
    try:
        return [_installed(package, name) for name in names]
    except CryptoMbUnavailableError:
        if must_be_there:
            raise
        return []


def _installed(package: str, name: str) -> Path:
    """A file of an installed package; wheels put libraries into the environment's own `lib`."""
    try:
        found = [Path(str(file.locate())) for file in files(package) or [] if file.name == name]
    except PackageNotFoundError:
        raise CryptoMbUnavailableError(f"the package {package} is not installed (extra `multibuffer`)") from None
    if not found:
        raise CryptoMbUnavailableError(f"the package {package} has no {name}")
    return found[0].resolve()


def _require_processor(library: ctypes.PyDLL) -> None:
    """The library has another way for processors with AVX-IFMA and no AVX-512: nobody has measured it here."""
    features = library.mbx_get_cpu_features
    features.argtypes, features.restype = [], ctypes.c_uint64
    if features() & _NEEDED != _NEEDED:
        raise CryptoMbUnavailableError("the processor, or its system, has no AVX-512 IFMA")


def _method(library: ctypes.PyDLL, bits: int, operation: str) -> int:
    """The library's description of an operation."""
    describe = getattr(library, f"mbx_RSA{bits // 1024}K_{operation}_Method")
    describe.argtypes, describe.restype = [], ctypes.c_void_p
    method = describe()
    if not method:
        raise CryptoMbUnavailableError(f"the library has no RSA of {bits} bits on this processor")
    return int(method)


def _declared(library: ctypes.PyDLL, name: str, *, pointers: int) -> Callable[..., int]:
    function: ctypes._NamedFuncPointer = getattr(library, name)
    function.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    function.restype = ctypes.c_uint32
    return function
