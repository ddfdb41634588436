"""Files of statements: unpacked within bounds, cells read exactly.  Whatever cannot be read raises ValueError."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from urllib.parse import urlsplit

from gateway.kernel.clock import BEIJING
from gateway.kernel.money import fen_of_yuan

PACKED_BYTES_MAX: Final = 64 * 1_048_576
UNPACKED_BYTES_MAX: Final = 256 * 1_048_576
"""Lines of statements have some 270 bytes: about a million payments and refunds of one merchant in a day."""
_GZIP: Final = 31
_FEE: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,8})?")
# What zipfile raises for archives that are broken, or packed in a way that it does not read (NotImplementedError).
_ZIP_TROUBLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    UnicodeDecodeError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
)


def gunzipped(packed: bytes) -> bytes:
    """What a gzip file holds."""
    text = bytearray()
    while packed:
        member = zlib.decompressobj(_GZIP)
        try:
            text += member.decompress(packed, UNPACKED_BYTES_MAX + 1 - len(text))
        except zlib.error:
            raise ValueError("not a gzip file") from None
        if not member.eof or len(text) > UNPACKED_BYTES_MAX:
            raise ValueError("a gzip file that is cut short or too large")
        packed = member.unused_data
    return bytes(text)


def unzipped(packed: bytes, names: str, is_wanted: Callable[[str], bool]) -> tuple[str, bytes]:
    """Name and content of the first wanted file of a ZIP whose names are in that encoding."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed), metadata_encoding=names) as archive:
            wanted = next((name for name in archive.namelist() if is_wanted(name)), None)
            if wanted is None:
                raise ValueError("the file is not in the archive")
            with archive.open(wanted) as member:
                content = member.read(UNPACKED_BYTES_MAX + 1)
    except _ZIP_TROUBLE:
        raise ValueError("not a readable ZIP file") from None
    if len(content) > UNPACKED_BYTES_MAX:
        raise ValueError("a file that is too large")
    return wanted, content


def text_lines(content: bytes, encoding: str) -> Iterator[str]:
    """The lines without their ends.

    Only a line feed ends one, for names of goods may hold any other separator that Unicode has; what cannot be
    decoded is replaced, for a name that was cut in the middle must not lose the day's money.
    """
    for line in io.BytesIO(content):
        yield line.decode(encoding, "replace").rstrip("\r\n")


def fen_of_cell(text: str) -> int:
    """An amount in yuan as fen, exactly and without its sign."""
    return abs(fen_of_yuan(text.strip()))


def fee_of_cell(text: str) -> int:
    """A fee in yuan, without its sign.  Channels write parts of a fen and settle whole ones, rounded half up."""
    text = text.strip()
    if not _FEE.fullmatch(text):
        raise ValueError("not a fee in yuan")
    return int((abs(Decimal(text)) * 100).quantize(Decimal(1), ROUND_HALF_UP))


def moment_of_cell(text: str) -> datetime:
    """A time of Beijing, `yyyy-MM-dd HH:mm:ss`."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is not None:
        raise ValueError("not a time of Beijing")
    return moment.replace(tzinfo=BEIJING)


def may_download(url: str, account_url: str) -> bool:
    """Whether a file's address is safe to call: https, or the very host of an account that has none (development)."""
    file, account = urlsplit(url), urlsplit(account_url)
    return file.scheme == "https" or (file.scheme, file.netloc) == (account.scheme, account.netloc)
