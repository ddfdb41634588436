"""Which settings production refuses, each with what to set instead; pure, and all at once."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from gateway.production.entropy import weakness_of_key, weakness_of_token
from gateway.production.places import Store, unreachable_reason
from gateway.production.reasons import Reason
from gateway.settings import Settings

_PLAIN: Final = "or, where a network of your own carries it, MASHANG_PLAIN_NETWORK_ALLOWED=true"
_GUESSED: Final = frozenset({"admin", "changeme", "mashang", "password", "postgres", "redis", "secret", "valkey"})
_NOT_CREATED_AFTER_S_MIN: Final = 120.0
"""ARCHITECTURE.md: sooner, a request that is still on its way could be taken for one that never was."""
_PART_LENGTH_MIN: Final = 8
_NEVER_FOR_WEBHOOKS: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this machine too
        "127.0.0.0/8",
        "169.254.0.0/16",  # the metadata of most clouds
        "100.100.100.200/32",  # Alibaba Cloud's
        "168.63.129.16/32",  # Azure's
        "::/128",
        "::1/128",
        "::ffff:0:0/96",  # all of IPv4 once more
        "fe80::/10",
        "fd00:ec2::254/128",  # Amazon's
    )
)


def settings_reasons(settings: Settings) -> list[Reason]:
    """All that is wrong with the settings in production, refusals first."""
    found = [
        *_public_address(settings),
        *_secrets(settings),
        *_database(settings),
        *_valkey(settings),
        *_logs(settings),
        *_networks(settings),
        *_proxies(settings),
        *_windows(settings),
    ]
    return sorted(found, key=lambda reason: not reason.is_refusal)


def _public_address(settings: Settings) -> Iterator[Reason]:
    wrong = unreachable_reason(settings.public_url)
    if wrong is not None:
        yield Reason(
            "MASHANG_PUBLIC_URL",
            f"{settings.public_url} cannot be the public address: {wrong}.",
            "Set it to the https address at which channels, customers and tills reach this gateway.",
        )


def _secrets(settings: Settings) -> Iterator[Reason]:
    weak = weakness_of_key(settings.master_key_bytes)
    if weak is not None:
        yield Reason("MASHANG_MASTER_KEY", f"{weak[0].upper()}{weak[1:]}.", "Make one with: openssl rand -base64 32")
    token = settings.admin_token.get_secret_value()
    weak = weakness_of_token(token)
    if weak is None and any(_share_a_part(token, other) for other in _other_secrets(settings)):
        weak = "it and another secret of these settings have a part in common"
    if weak is not None:
        yield Reason("MASHANG_ADMIN_TOKEN", f"{weak[0].upper()}{weak[1:]}.", "Make one with: openssl rand -hex 32")


def _other_secrets(settings: Settings) -> tuple[str, ...]:
    stores = (
        Store.of_postgres(settings.database_url.get_secret_value()),
        Store.of_valkey(settings.redis_url.get_secret_value()),
    )
    key = settings.master_key_bytes
    forms = (settings.master_key.get_secret_value(), base64.urlsafe_b64encode(key).decode().rstrip("="), key.hex())
    return *forms, *(store.password for store in stores)


def _share_a_part(token: str, other: str) -> bool:
    shorter, longer = sorted((token, other), key=len)
    return len(shorter) >= _PART_LENGTH_MIN and (shorter in longer or shorter.lower() in longer)


def _database(settings: Settings) -> Iterator[Reason]:
    store = Store.of_postgres(settings.database_url.get_secret_value())
    if not (store.is_local or store.is_verified or settings.plain_network_allowed):
        yield Reason(
            "MASHANG_DATABASE_URL",
            "PostgreSQL is on another machine, and its certificate is not verified.",
            f"Add ?sslmode=verify-full&sslrootcert=FILE to it, {_PLAIN}.",
        )
    if not store.is_local and _is_guessed(store):
        yield Reason(
            "MASHANG_DATABASE_URL", "Its password can be guessed.", "Give the role a password drawn at random."
        )


def _valkey(settings: Settings) -> Iterator[Reason]:
    store = Store.of_valkey(settings.redis_url.get_secret_value())
    if not (store.is_local or store.is_verified or settings.plain_network_allowed):
        yield Reason(
            "MASHANG_REDIS_URL",
            "Valkey is on another machine, and its certificate is not verified.",
            f"Begin it with rediss:// (no ssl_cert_reqs=none), {_PLAIN}.",
        )
    if store.hosts and ((not store.password and not store.has_certificate) or _is_guessed(store)):
        told = "Its password can be guessed." if store.password else "It has no password."
        yield Reason(
            "MASHANG_REDIS_URL", told, "Set requirepass or an ACL user there, and put user:password@ before the host."
        )


def _is_guessed(store: Store) -> bool:
    return bool(store.password) and store.password.lower() in {*_GUESSED, store.user.lower()}


def _logs(settings: Settings) -> Iterator[Reason]:
    if not settings.log_json:
        yield Reason(
            "MASHANG_LOG_JSON", "The logs are made for a terminal, not for a collector.", "Set MASHANG_LOG_JSON=true."
        )
    if settings.log_level.upper() in {"DEBUG", "TRACE", "NOTSET"}:
        yield Reason(
            "MASHANG_LOG_LEVEL",
            f"{settings.log_level} lets libraries write what they carry.",
            "Set MASHANG_LOG_LEVEL=INFO, or WARNING.",
        )


def _networks(settings: Settings) -> Iterator[Reason]:
    for network in settings.webhook_networks:
        is_unsafe = any(_overlap(network, never) for never in _NEVER_FOR_WEBHOOKS)
        told = "this machine, cloud metadata or everything" if is_unsafe else "an inner network"
        yield Reason(
            "MASHANG_WEBHOOK_ALLOWED_NETWORKS",
            f"Merchants can have webhooks sent to {network}: {told}.",
            "Leave it empty, or name only the networks in which merchants' own servers stand.",
            is_refusal=is_unsafe,
        )


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _proxies(settings: Settings) -> Iterator[Reason]:
    if settings.trusted_proxies == 0:
        yield Reason(
            "MASHANG_TRUSTED_PROXIES",
            "It is 0: behind a proxy every caller has the proxy's address, in risk features and in the audit trail.",
            "Set how many of your own proxies stand before the gateway: 1 for an ingress or a load balancer.",
            is_refusal=False,
        )


def _windows(settings: Settings) -> Iterator[Reason]:
    if settings.not_created_after_s < _NOT_CREATED_AFTER_S_MIN:
        yield Reason(
            "MASHANG_NOT_CREATED_AFTER_S",
            f"After {settings.not_created_after_s:g} s a charge can still be on its way to its channel.",
            f"Leave it out, or set {_NOT_CREATED_AFTER_S_MIN:g} or more.",
        )
    if settings.webhook_lease_s <= settings.webhook_timeout_s:
        yield Reason(
            "MASHANG_WEBHOOK_LEASE_S",
            "It is not longer than MASHANG_WEBHOOK_TIMEOUT_S: a second worker would send what is under way.",
            "Set it to three times the timeout.",
        )
    if settings.retention_months is not None and settings.archive_dir is None:
        yield Reason(
            "MASHANG_RETENTION_MONTHS",
            "No month leaves the database: the worker has no folder to write it to.",
            "Set MASHANG_ARCHIVE_DIR as well.",
            is_refusal=False,
        )
