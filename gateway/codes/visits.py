"""Who stands before the cashier page: sealed cookies, one while the wallet identifies the payer, one afterwards.

Both are bound to the code, the wallet and the account: a cookie of one shop's code opens nothing at another's.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from gateway.codes.wallets import Browser
from gateway.kernel.secrets import SealBroken, Vault
from routing.channels.base import Wallet

ASKING_COOKIE: Final = "mashang_asking"
VISIT_COOKIE: Final = "mashang_visit"
ASKING_S: Final = 600
VISIT_S: Final = 7_200
TRIPS_MAX: Final = 3
"""Trips to the wallet in a row that lead to nobody: a browser that keeps no cookies would go to and fro for ever."""
_COOKIE_LENGTH_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class Asking:
    """The browser was sent to its wallet; `state` has to come back with it.

    `sale` is the sale that it had begun at a static code, `trips` how often it was sent.
    """

    wallet: Wallet
    account_id: str
    app_identifier: str
    state: str
    sale: str | None
    trips: int

    def expects(self, wallet: str, state: str) -> bool:
        """Whether this is where it was sent, and what was sent along."""
        return self.wallet == wallet and hmac.compare_digest(self.state.encode(), state.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Visitor:
    """An identified payer."""

    wallet: Wallet
    account_id: str
    app_identifier: str
    payer_id: str = field(repr=False)


def new_asking(browser: Browser, account_id: str, sale: str | None, trips: int) -> Asking:
    """One that nobody can guess."""
    return Asking(browser.wallet, account_id, browser.app_identifier, secrets.token_urlsafe(16), sale, trips)


def seal(vault: Vault, token: str, value: Asking | Visitor) -> str:
    """The cookie's text, good for its time and this code only."""
    good_for_s = ASKING_S if isinstance(value, Asking) else VISIT_S
    plain = orjson.dumps({**asdict(value), "until": time.time() + good_for_s})
    return vault.seal(plain, _place(token, type(value).__name__)).hex()


def open_asking(vault: Vault, token: str, cookie: str | None) -> Asking | None:
    """None for a cookie that is missing, too old, or of another code."""
    fields = _open(vault, token, "Asking", cookie)
    return None if fields is None else Asking(**{**fields, "wallet": Wallet(fields["wallet"])})


def open_visitor(vault: Vault, token: str, cookie: str | None) -> Visitor | None:
    """None for a cookie that is missing, too old, or of another code."""
    fields = _open(vault, token, "Visitor", cookie)
    return None if fields is None else Visitor(**{**fields, "wallet": Wallet(fields["wallet"])})


def _open(vault: Vault, token: str, kind: str, cookie: str | None) -> dict[str, Any] | None:
    try:
        sealed = bytes.fromhex((cookie or "")[:_COOKIE_LENGTH_MAX])
        fields: dict[str, Any] = orjson.loads(vault.open(sealed, _place(token, kind)))
    except (SealBroken, ValueError):
        return None
    return fields if fields.pop("until") > time.time() else None


def _place(token: str, kind: str) -> bytes:
    return f"cashier {kind} of {token}".encode()
