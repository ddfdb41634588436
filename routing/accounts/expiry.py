"""Tells when the certificates of a channel account expire, so that somebody renews them in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.kernel.business_metrics import CERTIFICATE_EXPIRY
from routing.channels.rsa import load_certificate


def tell_expiry(account_id: str, settings: Mapping[str, Any]) -> None:
    """The first of an account's; nothing where it has none."""
    moments = list(_expiries(settings))
    if moments:
        CERTIFICATE_EXPIRY.labels(account_id).set(min(moments))


def _expiries(settings: Mapping[str, Any]) -> Iterator[float]:
    """In seconds since 1970; what cannot be read is the channel's to refuse."""
    for value in settings.values():
        values = value.values() if isinstance(value, Mapping) else (value,)
        for pem in values:
            if isinstance(pem, str) and "BEGIN CERTIFICATE-----" in pem:
                try:
                    yield load_certificate(pem).not_valid_after_utc.timestamp()
                except ValueError:
                    continue
