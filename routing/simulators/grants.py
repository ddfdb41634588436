"""Codes that a wallet's authorisation page hands to a browser, and that a merchant's server redeems once."""

from __future__ import annotations

import secrets
from typing import Final

from routing.simulators.books import Books

GOOD_FOR_S: Final = 300


class Grants:
    """The codes of one simulator, durable like everything in its books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def give(self, app: str, payer: str) -> str:
        """A new code (32 letters and digits) that tells that application of that payer."""
        code = secrets.token_hex(16)
        self._books.write(
            "INSERT INTO grants (code, app, payer, made_ms) VALUES (?, ?, ?, ?)",
            (code, app, payer, self._books.now_ms()),
        )
        return code

    def redeem(self, app: str, code: str, good_for_s: float = GOOD_FOR_S) -> str | None:
        """The payer behind a code, once; None where it is unknown, another application's, used or too old."""
        now_ms = self._books.now_ms()
        found = self._books.rows(
            "SELECT payer FROM grants WHERE code = ? AND app = ? AND used_ms IS NULL AND made_ms > ?",
            (code, app, now_ms - round(good_for_s * 1_000)),
        )
        if not found:
            return None
        self._books.write("UPDATE grants SET used_ms = ? WHERE code = ?", (now_ms, code))
        return str(found[0][0])

    def was_used(self, app: str, code: str) -> bool:
        """Whether that application has redeemed the code before."""
        return bool(self._books.rows("SELECT 1 FROM grants WHERE code = ? AND app = ? AND used_ms > 0", (code, app)))
