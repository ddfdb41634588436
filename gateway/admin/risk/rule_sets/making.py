"""The route of requests that bring a rule set: it is made before the request's transaction begins.

Checking 100,000 rules takes half a minute and more, and no transaction stays open for so long.
"""

from __future__ import annotations

from typing import Any, Final, cast

from fastapi import Request, Response

from gateway.admin.access import AdminRoute, admitted
from gateway.kernel.errors import InvalidRequest, Unavailable
from risk.rules.apart import MakersBusy, make_apart
from risk.rules.document import RuleSetError
from risk.rules.making import Known, Made, NoDocument
from risk.rules.store import known

_RETRY_AFTER_S: Final = 5


class RuleSetRoute(AdminRoute):
    """A route whose body is a rule set."""

    def get_route_handler(self) -> Any:
        """The handler behind the door, with the rule set made."""
        handle = super().get_route_handler()

        async def made(request: Request) -> Response:
            services = admitted(request)
            request.state.made = await _made(await request.body(), await known(services.pool))
            return cast("Response", await handle(request))

        return made


def made_of(request: Request) -> Made | RuleSetError:
    """The rule set in the request, or all that is wrong with it."""
    return cast("Made | RuleSetError", request.state.made)


async def _made(body: bytes, names: Known) -> Made | RuleSetError:
    try:
        return await make_apart(body, names)
    except RuleSetError as error:
        return error
    except NoDocument as error:
        raise InvalidRequest("invalid_json", f"The body is not a JSON object: {error}.", param="body") from None
    except (MakersBusy, TimeoutError):
        message = "Other large rule sets are being checked: send it again."
        raise Unavailable("busy", message, retry_after_s=_RETRY_AFTER_S) from None
