"""The baseline service: FastAPI, uvicorn, asyncpg, redis-py.  Run by the benchmark in a process of its own."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final

import asyncpg
import redis.asyncio as redis
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from prometheus_client import Counter, Histogram, make_asgi_app

from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.choosing import choose
from loadtests.baseline.flow import DifferentRequest, Flow, Merchant
from loadtests.baseline.schemas import PaymentObject, PaymentRequest
from loadtests.baseline.settings import SETTINGS_VARIABLE, read_settings
from loadtests.baseline.store import Store
from loadtests.baseline.transports import make_transport
from routing.channels.settings import WechatSettings
from routing.channels.wechat import WechatChannel

_PAYMENTS: Final = Counter("baseline_payments_total", "Payments answered.", ["status"])
_SECONDS: Final = Histogram("baseline_payment_seconds", "From request to answer.")
_KEY_KEPT_S: Final = 1.0
"""A revoked key is refused in under a second or so, as the gateway does."""
_log = logging.getLogger("baseline")


class Keys:
    """Bearer keys, cached in process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[bytes, tuple[Merchant, float]] = {}

    async def merchant_of(self, authorization: str) -> Merchant:
        """Who holds the key.  Raises 401."""
        hashed = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
        known = self._known.get(hashed)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        row = await self._store.find_key(hashed)
        if row is None:
            raise HTTPException(401, "This key is not known.")
        merchant = Merchant(row["merchant_id"], row["merchant_name"])
        self._known[hashed] = (merchant, time.monotonic() + _KEY_KEPT_S)
        return merchant


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = read_settings(Path(os.environ[SETTINGS_VARIABLE]))
    choose(RsaChoice.OPENSSL)  # one signature at a time: signing together is a way of working of the gateway's own
    transport = make_transport(settings.transport)
    client = redis.from_url(settings.redis_url, protocol=3)
    pool = await asyncpg.create_pool(
        settings.database_url,
        min_size=settings.database_pool_size,
        max_size=settings.database_pool_size,
        server_settings={"synchronous_commit": "on", "jit": "off"},
    )
    store = Store(pool)
    channel = WechatChannel(WechatSettings(**settings.wechat.model_dump()), transport)
    app.state.keys = Keys(store)
    app.state.flow = Flow(settings, store, client, channel)
    yield
    await transport.aclose()
    await client.aclose()
    await pool.close()


async def _merchant(request: Request, authorization: Annotated[str, Header()]) -> Merchant:
    keys: Keys = request.app.state.keys
    return await keys.merchant_of(authorization)


def create_app() -> FastAPI:
    """The service; settings come from the file that SETTINGS_VARIABLE names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = FastAPI(lifespan=_lifespan, openapi_url=None)
    app.mount("/metrics", make_asgi_app())

    @app.post("/v1/payments", status_code=201)
    async def take_payment(
        order: PaymentRequest, merchant: Annotated[Merchant, Depends(_merchant)], request: Request, response: Response
    ) -> PaymentObject:
        began_s = time.monotonic()
        flow: Flow = request.app.state.flow
        try:
            taken = await flow.take(merchant, order)
        except DifferentRequest:
            raise HTTPException(409, "This order number belongs to another request.") from None
        except TimeoutError:
            raise HTTPException(503, "An earlier request with this number is still at work.") from None
        if taken.replayed:
            response.headers["Idempotent-Replayed"] = "true"
        payment, seconds = taken.payment, time.monotonic() - began_s
        _PAYMENTS.labels(payment.status).inc()
        _SECONDS.observe(seconds)
        _log.info("payment %s %s amount=%d ms=%.1f", payment.id, payment.status, payment.amount, seconds * 1000)
        return payment

    @app.get("/ready")
    async def ready() -> None:
        """Answers once the service has started."""

    return app
