"""The OpenAPI document, made from the routers alone: without settings, stores or a server."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from fastapi import FastAPI

from gateway.admin import api as admin_api
from gateway.callbacks import api as callbacks_api
from gateway.codes import api as codes_api
from gateway.codes import cashier
from gateway.coupons import api as coupons_api
from gateway.http import health
from gateway.http.openapi import describe
from gateway.payments import api as payments_api
from gateway.quotes import api as quotes_api
from gateway.receipts import api as receipts_api
from gateway.refunds import api as refunds_api
from gateway.reports import api as reports_api
from gateway.webhooks import api as webhooks_api

_ROOMS: Final = (
    *(payments_api, refunds_api, quotes_api, codes_api, cashier, coupons_api, receipts_api, reports_api),
    *(callbacks_api, webhooks_api, admin_api, health),
)


@cache
def openapi_document() -> dict[str, Any]:
    """What `/openapi.json` answers; a test holds it against a running gateway's."""
    app = FastAPI()
    for room in _ROOMS:
        app.include_router(room.router)
    describe(app)
    return app.openapi()
