"""Tells when the certificates of a channel account expire, so that somebody renews them in time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.kernel.business_metrics import CERTIFICATE_EXPIRY
from routing.channels.rsa import load_certificate

_told: Final[set[str]] = set()


def tell_expiry(account_id: str, settings: Mapping[str, Any]) -> None:
    """The first of an account's; one that has none any more has one that never expires, for a gauge cannot be untold.

    `settings` are those in force: what expires of the credentials before them is nobody's trouble.
    """
    moments = list(_expiries(settings))
    if moments or account_id in _told:
        _told.add(account_id)
        CERTIFICATE_EXPIRY.labels(account_id).set(min(moments, default=math.inf))


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
