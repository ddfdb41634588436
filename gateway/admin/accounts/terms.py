"""The terms of a channel account as the admin API takes and shows them, and what they make of a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.admin.kept_answers import SQL
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import InvalidRequest
from routing.accounts.hours import Maintenance
from routing.accounts.store import AccountRow, Database
from routing.accounts.terms import Terms, TermsError
from routing.channels.base import Wallet
from routing.channels.facts import methods_of, wallets_of

_PARAM_LENGTH_MAX: Final = 128
_CODES: Final = {"is not known": "unknown_field", "is missing": "missing_field"}


async def check_terms(database: Database, document: Mapping[str, Any], fee_rate_millionths: int) -> Terms:
    """Terms that can be stored.  Raises InvalidRequest naming the part that cannot be meant."""
    try:
        terms = Terms.of(document, fee_rate_millionths)
    except TermsError as error:
        param = error.path.encode(errors="replace").decode()[:_PARAM_LENGTH_MAX]
        code = _CODES.get(error.problem, "invalid_field")
        raise InvalidRequest(code, f"“{param}” {error.problem}.", param=param) from None
    if terms.merchants:
        known = {record["id"] for record in await database.fetch(SQL["known_merchants"], sorted(terms.merchants))}
        for position, merchant_id in enumerate(document["merchants"]):
            if merchant_id not in known:
                param = f"terms.merchants[{position}]"
                raise InvalidRequest("invalid_field", f"“{param}” is no merchant.", param=param)
    return terms


def checked_wallets(channel: str, wanted: Sequence[Wallet] | None) -> tuple[Wallet, ...]:
    """The wallets of a new account, all that its channel has where none are named.  Raises InvalidRequest."""
    has = wallets_of(channel)
    for position, wallet in enumerate(wanted or ()):
        if wallet not in has:
            param = f"wallets.{position}"
            raise InvalidRequest("invalid_field", f"“{param}”: {channel} does not take {wallet}.", param=param)
    return tuple([wallet for wallet in Wallet if wallet in (has if wanted is None else wanted)])


def terms_shown(row: AccountRow, now: datetime) -> dict[str, Any]:
    """The parts of AccountObject that tell of the terms."""
    shown: dict[str, Any] = {"terms": dict(row.terms or {}), "methods": {}, "in_force": None}
    try:
        terms = Terms.of(row.terms, row.fee_rate_millionths)
        wallets = [Wallet(wallet) for wallet in row.wallets]
    except ValueError:  # of a later version
        return shown
    shown["methods"] = {str(wallet): _methods(row.channel, wallet, terms) for wallet in wallets}
    shown["in_force"] = in_force(terms, wallets, now)
    return shown


def in_force(terms: Terms, wallets: Iterable[Wallet], now: datetime) -> dict[str, Any]:
    """InForce."""
    maintenance = next((window for window in terms.maintenance if window.covers(now)), None)
    return {
        "open": terms.is_open(now) and maintenance is None,
        "maintenance": None if maintenance is None else window_shown(maintenance),
        "fees": [fee for wallet in wallets for fee in _fees(terms, wallet, now)],
    }


def window_shown(window: Maintenance) -> dict[str, str]:
    """MaintenanceWindow; the same as it stands in the terms."""
    return {"from": rfc3339(window.since), "until": rfc3339(window.until), "note": window.note}


def _methods(channel: str, wallet: Wallet, terms: Terms) -> list[str]:
    return sorted([m for m in methods_of(channel, wallet) if terms.methods is None or m in terms.methods])


def _fees(terms: Terms, wallet: Wallet, now: datetime) -> Iterator[dict[str, Any]]:
    """FeeInForce."""
    for rule in terms.fee.rules(wallet, now):
        yield {"wallet": wallet, **rule._asdict()}
