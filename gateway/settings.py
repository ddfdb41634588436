"""Every setting of the gateway: one typed class, read from environment variables with the prefix MASHANG_."""

from __future__ import annotations

import base64
import re
from enum import StrEnum
from functools import cached_property
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.database.valkey_address import Address
from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.store_addresses import require_readable

_VALKEY: Final = re.compile(r"(unix|rediss?(\+(sentinel|cluster))?)://")
_EXPORTER: Final = "opentelemetry.exporter.otlp.proto.http"


class Environment(StrEnum):
    """Where this gateway runs; production refuses what is only good for trying out."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """Seconds, bytes and counts are named in the fields.  `mashang settings` prints them with secrets masked."""

    model_config = SettingsConfigDict(env_prefix="MASHANG_", extra="ignore", frozen=True)

    environment: Annotated[Environment, Field(validation_alias="MASHANG_ENV")] = Environment.DEVELOPMENT
    """`production` refuses what is only good for trying out."""

    database_url: SecretStr
    """PostgreSQL ≥ 15, e.g. `postgresql://user@host/name` or `postgresql:///name?host=/socket/folder`."""
    redis_url: SecretStr
    """Redis ≥ 7 or Valkey ≥ 8: `redis://host:port/0`, `rediss://` for TLS, or `unix:///path/to/socket`; of several
    servers `redis+sentinel://host:port,host:port/MASTER` or `redis+cluster://host:port,host:port`, with
    `user:password@` first."""
    master_key: SecretStr
    """32 random bytes in base64: every other key of this installation is derived from it."""
    admin_token: SecretStr
    """Bearer token of the admin API; at least 24 characters."""

    database_pool_size: Annotated[int, Field(ge=2, le=100)] = 6
    """Connections for reads; five more carry the hot statements, so that no crowd of readers can starve a payment."""
    database_command_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """A statement that takes longer is given up."""
    redis_timeout_s: Annotated[float, Field(gt=0)] = 0.25
    """A call of Valkey that takes longer is given up, and the payment goes on without it."""

    batch_rows_max: Annotated[int, Field(ge=1, le=1000)] = 128
    """So many payments at most are written by one statement."""
    batch_queue_max: Annotated[int, Field(ge=1)] = 4096
    """So many rows at most wait for the next batch of a kind."""
    batch_linger_ms_max: Annotated[float, Field(ge=0, le=50)] = 5.0
    """So long at most a batch waits for company."""

    payments_in_flight_max: Annotated[int, Field(ge=1)] = 1024
    """Payments that one gateway process carries at once; one more is refused with 503 and Retry-After."""
    admission_own_time_ms: Annotated[float, Field(gt=0, le=500)] = 100.0
    """How long it may take on average, under load, from a payment's arrival until its intent is durable: the adaptive
    limit on payments that are beginning keeps to it (docs/overload.md)."""
    admission_beginning_min: Annotated[int, Field(ge=1)] = 64
    """That limit never falls below this: with fewer, batches shrink and every payment gets dearer."""
    admission_beginning_max: Annotated[int, Field(ge=1)] = 1024
    """That limit never rises above this, nor above `MASHANG_PAYMENTS_IN_FLIGHT_MAX`."""
    admission_beginning_first: Annotated[int, Field(ge=1)] = 128
    """That limit when a process starts."""
    completing_in_flight_max: Annotated[int, Field(ge=1)] = 1024
    """Other requests (queries, cancellations, refunds, notifications) that one process works on at once."""
    merchant_payments_per_s: Annotated[int, Field(ge=1)] | None = None
    """Payments that a merchant may begin a second, over all processes, where none is set for it; none: no limit."""
    merchant_payments_burst: Annotated[int, Field(ge=1)] | None = None
    """How many of them at once; none: a second's worth."""
    merchant_payments_in_flight_max: Annotated[int, Field(ge=1)] | None = None
    """Payments that a merchant may have in flight at once, over all processes, where none is set for it."""
    request_bytes_max: Annotated[int, Field(ge=1024)] = 32 * 1024
    """A longer body is refused with 413."""
    request_read_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """A body that takes longer to arrive is refused with 408."""

    wait_default_s: Annotated[float, Field(gt=0)] = 10.0
    """How long a payment request waits for its outcome without `Prefer: wait=…`; then it answers `processing`."""
    wait_max_s: Annotated[float, Field(gt=0)] = 30.0
    """The longest wait that `Prefer` can ask for."""
    drain_s: Annotated[float, Field(ge=0, le=300)] = 0.0
    """So long a gateway told to stop (SIGTERM) goes on accepting, with /readyz at 503, so that balancers turn away."""
    channel_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    """A call of a channel that takes longer has an unknown outcome, and is asked about."""
    send_within_s: Annotated[float, Field(gt=0)] = 5.0
    """A charge may leave this machine at most this long after its intent was begun."""
    take_over_after_s: Annotated[float, Field(gt=0)] = 5.0
    """So long after the last moment at which a gateway can still be at work on a payment, the worker takes it over."""
    not_created_after_s: Annotated[float, Field(gt=0)] = 120.0
    """So long after the last moment at which a charge may leave, an order that query and reversal both do not find was
    never created."""
    watch_until_hours: Annotated[float, Field(gt=0)] = 36.0
    """How long an order that was never found stays watched: past the channel's next statement (T+1, 10:00)."""
    pay_until_margin_s: Annotated[float, Field(ge=0)] = 30.0
    """So long after a channel's own time limit for a code, a query that says unpaid is final."""
    code_watch_s: Annotated[float, Field(ge=0)] = 600.0
    """So long after that time limit, the order of a code that is over stays watched."""
    page_protected_s: Annotated[float, Field(ge=0)] = 60.0
    """Whoever chose a wallet for a code that any wallet can pay is not pushed out by another payer for so long."""
    page_pay_within_s: Annotated[float, Field(ge=30)] = 120.0
    """How long such an order can be paid at a channel that has no call to shut it (UnionPay)."""
    codes_holding_per_customer_max: Annotated[int, Field(ge=1)] = 5
    """So many unpaid codes on display of one customer may hold a discount of a limited budget at a time."""
    codes_holding_per_merchant_max: Annotated[int, Field(ge=1)] = 1_000
    """The same of one merchant, whoever the customers are."""
    recovery_interval_s: Annotated[float, Field(gt=0)] = 0.5
    """How often the worker looks for tasks."""
    recovery_lease_s: Annotated[float, Field(gt=0)] = 30.0
    """So long a task is one worker's; then another may take it over."""
    recovery_concurrency_max: Annotated[int, Field(ge=1)] = 64
    """Tasks that one worker has under way at once."""
    callback_body_days: Annotated[int, Field(ge=1)] = 90
    """So long the notifications of the channels are kept as they came; what they said is kept with the payments."""
    retention_months: Annotated[int | None, Field(ge=13)] = None
    """So many whole months of payments stay in the database, besides this one; all of them without it."""
    archive_dir: Path | None = None
    """Where the worker writes the months that leave the database; it takes none out without it."""
    webhook_interval_s: Annotated[float, Field(gt=0)] = 0.2
    """How often the worker looks for events to tell."""
    webhook_timeout_s: Annotated[float, Field(gt=0)] = 15.0
    """A receiver that takes longer has not taken the message: it is sent again."""
    webhook_lease_s: Annotated[float, Field(gt=0)] = 45.0
    """A delivery of a worker that died is sent again after so long; longer than `MASHANG_WEBHOOK_TIMEOUT_S`."""
    webhook_concurrency_max: Annotated[int, Field(ge=8)] = 512
    """Messages that one worker has under way at once."""
    webhook_disable_after_days: Annotated[float, Field(gt=0)] = 5.0
    """An endpoint that has failed for so long is switched off."""
    webhook_allowed_networks: str = ""
    """Inner networks to which webhooks may be sent all the same, e.g. `127.0.0.0/8,::1/128`."""
    claim_ttl_s: Annotated[float, Field(gt=0)] = 15.0
    """So long Valkey keeps an order number for the request that came first."""
    risk_deadline_ms: Annotated[float, Field(gt=0, le=1000)] = 20.0
    """So long after it was begun, a risk decision is made of what has come by then."""

    plain_network_allowed: bool = False
    """In production: PostgreSQL and Valkey may be reached without TLS, for the network between is one of your own."""
    public_url: str = "http://127.0.0.1:8000"
    """Where callers, customers and channels reach this gateway: codes, receipts, notifications and the errors'
    `docs_url` lead there."""
    trusted_proxies: Annotated[int, Field(ge=0, le=8)] = 0
    """How many proxies of our own stand before the gateway: where the caller's address is read in X-Forwarded-For."""
    metrics_dir: Path | None = None
    """Folder of the multi-process metric files, shared by the processes of one host; emptied when nobody is left."""
    worker_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Where a worker answers /metrics, /livez and /readyz; without it, it has no HTTP of its own."""
    worker_host: str = "127.0.0.1"
    """The address for it; 0.0.0.0 in a container."""
    tracing_endpoint: str | None = None
    """An OpenTelemetry collector that takes OTLP over HTTP, e.g. `http://collector:4318`; without it nothing is traced.
    Needs the extra `tracing`."""
    tracing_sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The share of requests that are traced (docs/tracing.md)."""
    rsa: RsaChoice = RsaChoice.AUTO
    """What signs requests with RSA keys: `auto` takes Intel's multi-buffer library where it is installed (extra
    `multibuffer`) and the processor has AVX-512 IFMA, `openssl` never, `multibuffer` does not start without it."""
    crypto_mb_library: Path | None = None
    """Where that library is, where it is none of the extra's: the path of `libcrypto_mb.so`."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR (docs/logs.md)."""
    log_json: bool = False
    """One JSON object a line, as production wants it, instead of lines for a terminal."""

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("database_url", "redis_url")
    @classmethod
    def _is_readable(cls, value: SecretStr) -> SecretStr:
        require_readable(value.get_secret_value())
        return value

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if len(base64.b64decode(value.get_secret_value(), validate=True)) != 32:
            raise ValueError("must be 32 bytes in base64, e.g. from: openssl rand -base64 32")
        return value

    @field_validator("admin_token")
    @classmethod
    def _is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 24:
            raise ValueError("must have at least 24 characters")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_valkey(cls, value: SecretStr) -> SecretStr:
        """After `_is_readable`: what is raised here shows nothing of a password."""
        address = value.get_secret_value()
        if not _VALKEY.match(address):
            raise ValueError("must begin with redis://, rediss://, unix://, or redis+sentinel://, redis+cluster://")
        Address.of(address)
        return value

    @field_validator("public_url")
    @classmethod
    def _ends_before_the_path(cls, value: str) -> str:
        if urlsplit(value).port == 0:  # one beyond 65535, or no number, raises by itself
            raise ValueError("has a port that nobody can listen at")
        return value.rstrip("/")

    @field_validator("archive_dir", "metrics_dir", "crypto_mb_library", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """An empty variable would be the working directory."""
        return None if value == "" else value

    @field_validator("tracing_endpoint")
    @classmethod
    def _can_be_traced(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        if "@" in value:
            raise ValueError("takes no password: put it into OTEL_EXPORTER_OTLP_HEADERS")
        if not is_tracing_installed():
            raise ValueError("needs the extra `tracing`, which is not installed: see docs/tracing.md")
        return value.strip().rstrip("/")

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @cached_property
    def webhook_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed inner networks, read."""
        return _networks(self.webhook_allowed_networks)

    @cached_property
    def master_key_bytes(self) -> bytes:
        """The master key itself."""
        return base64.b64decode(self.master_key.get_secret_value())


def is_tracing_installed() -> bool:
    """Whether the extra `tracing` is there; nothing of it is imported but its empty namespaces."""
    try:
        return find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:
        return False


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
