"""Files that a simulated channel built for download: kept in its books under a token that is good for a while."""

from __future__ import annotations

import secrets
import zlib

from routing.simulators.books import Books


class Files:
    """The files of one simulator."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def keep(self, content: bytes, good_for_s: float) -> str:
        """Keep a file; its token (40 letters and digits).  What nobody can fetch any more is thrown away."""
        now_ms, token = self._books.now_ms(), secrets.token_hex(20)
        self._books.write("DELETE FROM files WHERE good_until_ms < ?", (now_ms,))
        self._books.write(
            "INSERT INTO files (token, good_until_ms, content) VALUES (?, ?, ?)",
            (token, now_ms + round(good_for_s * 1_000), zlib.compress(content, 1)),
        )
        return token

    def fetch(self, token: str) -> bytes | None:
        """The file behind a token; None where there is none, or its time is over."""
        found = self._books.rows(
            "SELECT content FROM files WHERE token = ? AND good_until_ms > ?", (token, self._books.now_ms())
        )
        return zlib.decompress(found[0][0]) if found else None
