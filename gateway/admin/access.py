"""The door of the admin API: every route takes the admin token, every change leaves an entry in the audit trail.

A route's `name` is the action that the entry tells (`channel_account.changed`).  Every POST takes an `Idempotency-Key`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from gateway.admin.once import carry_out, carry_out_once
from gateway.http.answers import no_unknown_parameters
from gateway.http.authentication import has_admin_token
from gateway.http.preferences import idempotency_key
from gateway.http.services import Services, services_of
from gateway.kernel.errors import NotAuthenticated
from gateway.trail.recording import Handler, person_of

CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class AdminRequest(BaseModel):
    """Unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AdminRoute(APIRoute):
    """A route that looks at the token before anything else, records a change, and answers a repeated POST as before."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        methods = set(options.get("methods") or ())
        documented = [*([_KEY] if "POST" in methods else []), *([_PERSON] if methods & CHANGING else [])]
        dependencies = list(options.get("dependencies") or ())
        dependencies += [each for each in documented if each not in dependencies]
        super().__init__(path, endpoint, **{**options, "dependencies": dependencies})

    def get_route_handler(self) -> Any:
        """The handler behind the door."""
        handle: Handler = super().get_route_handler()

        async def behind_the_door(request: Request) -> Response:
            services = admitted(request)
            key = idempotency_key(request.headers.get("idempotency-key"))
            if request.method not in CHANGING:
                return await handle(request)
            person = person_of(request)
            if request.method != "POST" or key is None:
                return await carry_out(services, person, request, handle)
            return await carry_out_once(services, key, person, request, handle)

        return behind_the_door


def admin_router(route: type[AdminRoute] = AdminRoute) -> APIRouter:
    """A router for some of the endpoints under /admin/v1."""
    return APIRouter(route_class=route, tags=["admin"], dependencies=[Depends(no_unknown_parameters)])


def admitted(request: Request) -> Services:
    """The services.  Raises NotAuthenticated without the admin token."""
    if not has_admin_token(request):
        raise NotAuthenticated("invalid_admin_token", "Send the admin token as: Authorization: Bearer …")
    return services_of(request)


def example(value: dict[str, Any]) -> ConfigDict:
    """The example of a model in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [value]})


async def _key_of_a_post(
    idempotency_key: Annotated[  # noqa: ARG001  documented here, read by the route
        str | None,
        Header(description="The same key with the same request: carried out once, answered as before for a day."),
    ] = None,
) -> None:
    return None


async def _person_of_a_change(
    mashang_actor: Annotated[  # noqa: ARG001  documented here, read by the route
        str | None,
        Header(description="Who acts, as the company knows its people: stands in the audit trail beside the token."),
    ] = None,
) -> None:
    return None


_KEY: Final = Depends(_key_of_a_post)
_PERSON: Final = Depends(_person_of_a_change)
