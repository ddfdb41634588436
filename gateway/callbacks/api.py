"""`POST /callbacks/{channel}/{account}`: where the channels tell what they have to tell."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from gateway.http.services import services_of

router = APIRouter(prefix="/callbacks", tags=["callbacks"])

_CHANNELS_WORDS: Final[dict[str, Any]] = {
    "content": {"application/json": {"schema": {"type": "object"}}, "text/plain": {"schema": {"type": "string"}}}
}


@router.post(
    "/{channel}/{account}",
    summary="A channel's notification",
    response_class=Response,
    responses={
        200: {"description": "Taken in, in the channel's own words.", **_CHANNELS_WORDS},
        400: {"description": "Forged, stale, or for somebody else; in the channel's own words.", **_CHANNELS_WORDS},
        404: {"description": "There is no such channel account."},
        503: {"description": "It cannot be written down now; in the channel's own words.", **_CHANNELS_WORDS},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
            },
        }
    },
)
async def post_callback(
    request: Request,
    channel: Annotated[str, Path(examples=["wechat"])],
    account: Annotated[str, Path(examples=["wechat_direct"])],
) -> Response:
    """For the channels only: takes a signed notification in and answers in the channel's own words.

    A message that is forged, stale or for somebody else is refused with 4xx, one that cannot be written down now with
    503; the channel then sends it again.
    """
    answer = await services_of(request).callbacks.receive(channel, account, dict(request.headers), await request.body())
    return Response(answer.body, answer.status, media_type=answer.content_type)
