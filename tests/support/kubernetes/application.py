"""What the manifests must agree with: the application's own routes, settings and times, asked of the code itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import typer
from fastapi.routing import iter_route_contexts
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from starlette.routing import Route

from gateway.app import create_app
from gateway.cli import app
from gateway.processes.serving import stop_s
from gateway.settings import Settings
from gateway.workers.probes import Turns, probes_app

_DRAWN: Final = [hashlib.sha256(bytes([number])) for number in range(4)]
STAND_INS: Final = {
    "MASHANG_DATABASE_URL": f"postgresql://mashang:{_DRAWN[0].hexdigest()}@db.internal/mashang?sslmode=verify-full",
    "MASHANG_REDIS_URL": f"rediss://:{_DRAWN[1].hexdigest()}@cache.internal:6379/0",
    "MASHANG_MASTER_KEY": base64.b64encode(_DRAWN[2].digest()).decode(),
    "MASHANG_ADMIN_TOKEN": _DRAWN[3].hexdigest(),
}
"""Secrets that manifests refer to and do not hold, so that the settings around them can be read."""
_USAGE_ERROR: Final[Any] = typer.BadParameter.__mro__[1]
"""Of the click that typer brings along, which has no name of its own to import it by."""
INNER_ROUTES: Final = ("/admin", "/metrics", "/livez", "/readyz", "/docs", "/openapi.json", "/static-offline-docs")
"""Whatever begins with these is not for the world."""
PUBLIC_ALL_THE_SAME: Final = "/docs/errors"
"""Every error's `docs_url` points there."""


class _GivenSettings(Settings):
    """The settings from what is given alone: nothing of this process's environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def setting_names() -> frozenset[str]:
    """The environment variables that the settings are read from."""
    return frozenset(_variables())


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings that a container with these variables would have.  Raises pydantic's ValidationError."""
    variables = _variables()
    given = {**STAND_INS, **environment}
    return _GivenSettings(**{variables[name]: value for name, value in given.items() if name in variables})  # type: ignore[arg-type]


def fault_of_command(arguments: Sequence[str]) -> str | None:
    """What `mashang` would say of these arguments before it does anything; None where they are right."""
    command = _mashang()
    rest = list(arguments)
    while rest and rest[0] in (commands := getattr(command, "commands", {})):
        command = commands[rest.pop(0)]
    if hasattr(command, "commands"):
        return f"there is no command {' '.join(arguments)}"
    try:
        command.make_context("mashang", rest)
    except _USAGE_ERROR as error:
        return str(error)
    return None


@cache
def _mashang() -> Any:
    return typer.main.get_command(app)


def gateway_stop_s(settings: Settings) -> float:
    """The longest that a gateway takes from SIGTERM to its end."""
    return stop_s(settings)


def worker_stop_s(settings: Settings) -> float:
    """The longest that a worker takes: tasks under way, then the deliveries."""
    return settings.recovery_lease_s + settings.webhook_timeout_s


@cache
def gateway_routes() -> frozenset[str]:
    """Every path of the HTTP service, as its routes are written."""
    gate: Any = create_app(settings_of({}))
    application = gate._inner._inner
    paths = (context.path for context in iter_route_contexts(application.routes))
    return frozenset(path for path in paths if path is not None)


@cache
def worker_routes() -> frozenset[str]:
    """Every path of the worker's small HTTP."""
    exposition: Any = None  # what /metrics tells, and no route
    return frozenset(route.path for route in probes_app(Turns(), exposition).routes if isinstance(route, Route))


def is_inner(path: str) -> bool:
    """Whether a route is not for the world."""
    return path != PUBLIC_ALL_THE_SAME and any(path == inner or path.startswith(f"{inner}/") for inner in INNER_ROUTES)


def _variables() -> dict[str, str]:
    """Environment variable → the name by which the settings take it."""
    fields = Settings.model_fields.items()
    return {
        str(field.validation_alias or f"MASHANG_{name.upper()}"): str(field.validation_alias or name)
        for name, field in fields
    }
