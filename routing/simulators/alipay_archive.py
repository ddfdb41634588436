"""ZIP archives whose entries have GBK names, as Alipay's bills do; `zipfile` writes no names but ASCII and UTF-8."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_VERSION: Final = 20
_DEFLATED: Final = 8


def zip_of(files: Mapping[str, bytes], at: datetime) -> bytes:
    """The archive of these files by name; the flag that says "names are UTF-8" stays off, so a reader must know GBK."""
    body, directory = bytearray(), bytearray()
    for name, content in files.items():
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = deflater.compress(content) + deflater.flush()
        raw_name, offset = name.encode("gbk"), len(body)
        shared = (_VERSION, 0, _DEFLATED, *_dos_time(at), zlib.crc32(content), len(packed), len(content))
        body += _LOCAL.pack(b"PK\3\4", *shared, len(raw_name), 0) + raw_name + packed
        directory += _CENTRAL.pack(b"PK\1\2", _VERSION, *shared, len(raw_name), 0, 0, 0, 0, 0, offset) + raw_name
    count = len(files)
    return bytes(body + directory + _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0))


def _dos_time(at: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS kept them, in steps of two seconds."""
    time = at.hour << 11 | at.minute << 5 | at.second // 2
    return time, (at.year - 1980) << 9 | at.month << 5 | at.day
