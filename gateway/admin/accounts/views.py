"""Channel accounts as the admin API shows them: identities masked, keys by their fingerprints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from gateway.admin.accounts.terms import terms_shown
from gateway.composition import notify_url_of
from gateway.http.services import Services
from gateway.kernel.clock import rfc3339, utc_now
from gateway.kernel.secrets import SealBroken, Vault
from routing.accounts.store import AccountRow
from routing.channels.facts import identity_of, key_facts

_SHOWN_AT_BEGINNING: Final = 4
_SHOWN_AT_END: Final = 2
_TOLD: Final = ("channel", "merchant_id", "wallets", "status", "priority", "fee_rate_millionths", "terms", "identity")


def account_object(row: AccountRow, vault: Vault) -> dict[str, Any]:
    """AccountObject."""
    return _object(row, _settings(row, vault))


def account_detail(row: AccountRow, services: Services) -> dict[str, Any]:
    """AccountDetail."""
    vault = services.vault
    settings = _settings(row, vault)
    previous = _previous(row, vault)
    return _object(row, settings) | {
        "notify_url": None if settings is None else notify_url_of(services.settings, row.channel, row.id, settings),
        "keys": [] if settings is None else _keys(row.channel, settings, vault),
        "previous_keys": [] if previous is None else _keys(row.channel, previous, vault),
        "problem": _problem(row, settings, services),
    }


def account_told(row: AccountRow, vault: Vault) -> dict[str, Any]:
    """An account for the audit trail: where its calls go and which keys it has; all settings by a keyed hash."""
    settings = _settings(row, vault)
    shown = _object(row, settings)
    told = {name: shown[name] for name in _TOLD}
    if settings is None:
        return told
    whole = json.dumps(settings, sort_keys=True).encode()
    return told | {
        "addresses": {name: value for name, value in sorted(settings.items()) if name.endswith("_url")},
        "keys": _keys(row.channel, settings, vault),
        "settings_fingerprint": vault.keyed_hash(whole).hex(),
    }


def masked(text: str) -> str:
    """The beginning and the end, enough to recognise one's own."""
    hidden = len(text) - _SHOWN_AT_BEGINNING - _SHOWN_AT_END
    if hidden < _SHOWN_AT_BEGINNING:
        return "*" * len(text)
    return f"{text[:_SHOWN_AT_BEGINNING]}{'*' * hidden}{text[-_SHOWN_AT_END:]}"


def _object(row: AccountRow, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    identity = {} if settings is None else identity_of(row.channel, settings)
    overlaps = row.previous_until is not None and row.previous_until > utc_now()
    return {
        "id": row.id,
        "channel": row.channel,
        "merchant_id": row.merchant_id,
        "wallets": list(row.wallets),
        **terms_shown(row, utc_now()),
        "status": row.status,
        "priority": row.priority,
        "fee_rate_millionths": row.fee_rate_millionths,
        "identity": {name: masked(value) for name, value in identity.items()},
        "previous_until": rfc3339(row.previous_until) if overlaps and row.previous_until else None,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _settings(row: AccountRow, vault: Vault) -> dict[str, Any] | None:
    try:
        return row.settings(vault)
    except SealBroken:
        return None


def _previous(row: AccountRow, vault: Vault) -> dict[str, Any] | None:
    """The earlier settings while they are good."""
    if row.previous_until is None or row.previous_until <= utc_now():
        return None
    try:
        return row.previous_settings(vault)
    except SealBroken:
        return None


def _keys(kind: str, settings: Mapping[str, Any], vault: Vault) -> list[dict[str, Any]]:
    return [asdict(fact) for fact in key_facts(kind, settings, vault.keyed_hash)]


def _problem(row: AccountRow, settings: Mapping[str, Any] | None, services: Services) -> str | None:
    """Why this installation cannot open the account; None where it can."""
    if settings is None:
        return "its settings were sealed with another master key"
    try:
        services.accounts.check(row.id, row.channel, settings)
    except ValueError as error:
        return str(error)
    return None
