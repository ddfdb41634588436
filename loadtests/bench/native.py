"""What the gateway's CPU goes to below Python: interpreter, collector, kernel, OpenSSL and the other libraries (perf).

It cuts the same time another way than the phases do.  Where there is no perf, or it may not look, there is no such cut.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

_PER_SECOND: Final = 499


class Kind(StrEnum):
    """Whose machine code it is."""

    PYTHON = "Python's interpreter"
    COLLECTOR = "garbage collector"
    MEMORY = "memory (malloc, free)"
    OPENSSL = "OpenSSL (signatures, seals)"
    KERNEL = "kernel"
    UVLOOP = "uvloop"
    ASYNCPG = "asyncpg"
    PYDANTIC = "pydantic"
    HTTP = "httptools"
    VALKEY = "hiredis"
    JSON = "orjson"
    LIBRARIES = "C library and others"


_COLLECTOR: Final = re.compile(
    r"^(?:gc_\w+|_?PyGC_\w+|collect\w*|deduce_unreachable|subtract_refs|update_refs|move_\w*unreachable"
    r"|visit_(?:decref|reachable|move)|untrack_tuples|delete_garbage|handle_weakrefs)$"
)
_MEMORY: Final = re.compile(
    r"^(?:_?PyObject_(?:Malloc|Free|Calloc|Realloc)|_?PyMem_\w+|PyObject_(?:GC_Del|Malloc|Free)|_PyObject_GC_New\w*"
    r"|gc_alloc|malloc|free|realloc|calloc|cfree|_int_\w*(?:alloc|free)\w*|malloc_consolidate|unlink_chunk)\b"
)
_LIBRARIES: Final = {
    "libpython": Kind.PYTHON, "python3": Kind.PYTHON, "_asyncio": Kind.PYTHON, "_datetime": Kind.PYTHON,
    "_rust": Kind.OPENSSL, "libcrypto": Kind.OPENSSL, "_hashlib": Kind.OPENSSL, "_blake2": Kind.OPENSSL,
    "[kernel": Kind.KERNEL, "[vdso]": Kind.KERNEL, "loop.": Kind.UVLOOP, "protocol.": Kind.ASYNCPG,
    "_pydantic_core": Kind.PYDANTIC, "parser.": Kind.HTTP, "url_parser": Kind.HTTP, "hiredis": Kind.VALKEY,
    "orjson": Kind.JSON,
}  # fmt: skip
"""By the beginning of the library's file name."""
_SAMPLE: Final = re.compile(r"^\s*[0-9a-f]+ (?P<symbol>.*?)(?:\+0x[0-9a-f]+)? \((?P<library>.*)\)\s*$")


def start(pid: int, seconds: float, file: Path) -> subprocess.Popen[bytes] | None:
    """Let perf watch a process for so long; None where it is not there."""
    perf = shutil.which("perf")
    if perf is None:
        return None
    command = [perf, "record", "-q", "-F", str(_PER_SECOND), "-p", str(pid), "-o", str(file), "--", "sleep"]
    return subprocess.Popen([*command, str(int(seconds))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def read(file: Path) -> Counter[Kind]:
    """Samples by kind; nothing where perf could not look."""
    if not file.exists():
        return Counter()
    done = subprocess.run(
        ["perf", "script", "-i", str(file), "-F", "ip,sym,dso"], capture_output=True, text=True, check=False
    )
    return by_kind(done.stdout.splitlines())


def by_kind(lines: Iterable[str]) -> Counter[Kind]:
    """Samples by kind: a line is an address in hexadecimal, the symbol and, in brackets, the library's path."""
    found: Counter[Kind] = Counter()
    for line in lines:
        sample = _SAMPLE.match(line)
        if sample is not None:
            found[kind_of(sample["symbol"], sample["library"])] += 1
    return found


def kind_of(symbol: str, library: str) -> Kind:
    """The kind of one function of a library."""
    symbol = symbol.partition(".")[0]  # the compiler's copies have names like collect.constprop.0
    if _COLLECTOR.match(symbol):
        return Kind.COLLECTOR
    if _MEMORY.match(symbol):
        return Kind.MEMORY
    name = library.rpartition("/")[2]
    return next((kind for beginning, kind in _LIBRARIES.items() if name.startswith(beginning)), Kind.LIBRARIES)
