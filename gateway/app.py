"""The only composition root of the HTTP service: `create_app` builds it from the settings."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from gateway.admin import api as admin_api
from gateway.admission.admission import Admission, Capacity
from gateway.admission.running import keep_admitting
from gateway.admission.sharing import QuotaSharing
from gateway.callbacks import api as callbacks_api
from gateway.callbacks.applying import Applying
from gateway.callbacks.inbox import Inbox
from gateway.callbacks.reception import Reception
from gateway.codes import api as codes_api
from gateway.codes import cashier
from gateway.composition import compose
from gateway.coupons import api as coupons_api
from gateway.coupons.claims import claiming
from gateway.database.batches import BROKEN, database_away
from gateway.database.failovers import failovers
from gateway.database.intents import intents
from gateway.database.shown import shown_codes
from gateway.http import errors_page, health
from gateway.http.admission import Gate
from gateway.http.answers import InternalError, error_answer, invalid_request
from gateway.http.edge import Edge
from gateway.http.openapi import describe
from gateway.http.rate_limits import RateLimits
from gateway.http.services import Services
from gateway.kernel.errors import ApiError, InvalidRequest
from gateway.kernel.hot_metrics import FLUSH_S, flush_hot_metrics
from gateway.kernel.logs import set_up_logs
from gateway.kernel.metrics import IN_FLIGHT, LOOP_LAG
from gateway.merchants.nonces import Nonces
from gateway.metrics.exposition import Exposition
from gateway.metrics.process import ProcessWatch, Role
from gateway.payments import api as payments_api
from gateway.payments.attempt_store import AttemptStore
from gateway.payments.attempts import Attempts
from gateway.payments.claims import Claims
from gateway.payments.desk import Desk
from gateway.payments.failing_over import FailingOver
from gateway.payments.flow import PaymentFlow
from gateway.payments.pricing import Pricing
from gateway.payments.replays import Replays
from gateway.payments.showing import Showing
from gateway.quotes import api as quotes_api
from gateway.quotes.quoting import Quoting
from gateway.receipts import api as receipts_api
from gateway.receipts.store import ReceiptStore
from gateway.refunds import api as refunds_api
from gateway.reports import api as reports_api
from gateway.reports.store import ReportStore
from gateway.settings import Settings
from gateway.webhooks import api as webhooks_api
from gateway.webhooks.running import webhook_desk
from promotions.reporting.counting import COUNTING
from promotions.reporting.report import CampaignReports
from routing.health.running import keeping

_log = logging.getLogger("mashang.http")
_GC_THRESHOLDS: Final = (20_000, 20, 50)
"""A payment allocates some hundred containers that die by reference count; Python's default of 700 runs the collector
several times a payment for nothing."""


def create_app(settings: Settings | None = None) -> ASGIApp:
    """Build the service; its stores are opened when the server starts it and closed when it stops."""
    settings = settings or Settings()
    set_up_logs(settings.log_level, json=settings.log_json)
    app = FastAPIOffline(
        title="Mashang", version="1", lifespan=_lifespan(settings), redirect_slashes=False, redoc_url=None
    )
    app.include_router(payments_api.router)
    app.include_router(refunds_api.router)
    app.include_router(quotes_api.router)
    app.include_router(codes_api.router)
    app.include_router(cashier.router)
    app.include_router(coupons_api.router)
    app.include_router(receipts_api.router)
    app.include_router(reports_api.router)
    app.include_router(callbacks_api.router)
    app.include_router(webhooks_api.router)
    app.include_router(admin_api.router)
    app.include_router(health.router)
    app.include_router(errors_page.router)
    _handle_errors(app, settings)
    describe(app)
    hot = {("POST", "/v1/payments"): payments_api.take, ("POST", "/v1/coupons"): coupons_api.claim}
    edge = Edge(app, hot, lambda: app.state.services)
    return Gate(edge, lambda: app.state.services)


def _lifespan(settings: Settings) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            base = await stack.enter_async_context(compose(settings, "mashang-gateway"))
            await stack.enter_async_context(keeping(base.routing.health, base.valkey, base.accounts))
            replays = Replays(base.store, base.vault)
            router = base.routing.router
            flow = PaymentFlow(
                settings=settings,
                vault=base.vault,
                claims=Claims(base.valkey, settings.claim_ttl_s),
                store=base.store,
                replays=replays,
                router=router,
                screening=base.risk.orders,
                pricing=Pricing(base.campaigns.desk, base.campaigns.places, base.accounts),
                intents=intents(base.hot_pool, settings),
                charging=base.charging,
                showing=Showing(base.store, base.charging, shown_codes(base.hot_pool, settings), base.feedback),
                failing_over=FailingOver(settings, base.store, router, failovers(base.hot_pool, settings)),
            )
            attempts = Attempts(
                settings=settings,
                vault=base.vault,
                store=base.store,
                attempts=AttemptStore(base.pool, base.vault),
                accounts=base.accounts,
                router=router,
                charging=base.charging,
                feedback=base.feedback,
            )
            desk = Desk(flow, replays, settings.payments_in_flight_max)
            admission = Admission(Capacity.of(settings))
            inbox = Inbox(base.pool, base.vault)
            applying = Applying(base.accounts, base.store, base.charging, base.refunds, inbox)
            callbacks = Reception(
                base.accounts, inbox, applying, base.tracing, worker_after_s=settings.take_over_after_s
            )
            app.state.services = Services(
                settings=settings,
                pool=base.pool,
                valkey=base.valkey,
                vault=base.vault,
                directory=base.directory,
                nonces=Nonces(base.valkey),
                rate_limits=RateLimits(base.valkey),
                admission=admission,
                accounts=base.accounts,
                router=router,
                health=base.routing.health,
                policies=base.routing.policies,
                usage=base.routing.usage,
                store=base.store,
                charging=base.charging,
                desk=desk,
                attempts=attempts,
                refunds=base.refunds,
                quoting=Quoting(
                    pool=base.pool,
                    campaigns=base.campaigns,
                    accounts=base.accounts,
                    router=base.routing.router,
                    screening=base.risk.orders,
                ),
                claiming=claiming(base),
                callbacks=callbacks,
                reports=ReportStore(base.pool),
                campaign_reports=CampaignReports(base.pool),
                exposition=Exposition(),
                receipts=ReceiptStore(base.pool, base.vault, base.store, base.refunds.store, settings.public_url),
                webhooks=stack.enter_context(webhook_desk(base)),
                risk=base.risk,
                tracing=base.tracing,
            )
            async with asyncio.TaskGroup() as tasks:
                _settle_memory()
                loops = (
                    base.revision.run(),
                    base.routing.usage.run(),
                    COUNTING.run(base.pool),
                    keep_admitting(admission, QuotaSharing(base.valkey, admission)),
                    _pulse(desk),
                )
                background = [tasks.create_task(loop) for loop in loops]
                yield
                await desk.drain(settings.wait_max_s)
                await callbacks.drain()
                for task in background:
                    task.cancel()
                flush_hot_metrics()

    return lifespan


def _settle_memory() -> None:
    """What lives as long as the process is not looked at by the garbage collector again, and it looks less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def _pulse(desk: Desk) -> None:
    """Twice a second: the hot metrics, how many payments are in flight, and how late the event loop is."""
    watch = ProcessWatch(Role.GATEWAY)
    while True:
        due = time.monotonic() + FLUSH_S
        await asyncio.sleep(FLUSH_S)
        try:
            LOOP_LAG.set(max(0.0, time.monotonic() - due))
            IN_FLIGHT.set(len(desk))
            watch.look()
            flush_hot_metrics()
        except Exception:  # a full disk under the metric files is no reason to stop taking payments
            _log.exception("the metrics could not be written")


def _handle_errors(app: FastAPI, settings: Settings) -> None:
    def answer(request: Request, error: ApiError) -> Response:
        return error_answer(error, request.scope["mashang.request_id"], settings.public_url).to_response()

    async def on_api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return answer(request, error)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, invalid_request(error.errors()))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        codes = {404: "no_such_path", 405: "method_not_allowed"}
        code = codes.get(error.status_code, "invalid_request")
        return answer(request, InvalidRequest(code, f"{error.detail}.", status=error.status_code))

    async def on_store_away(request: Request, error: Exception) -> Response:
        route = getattr(request.scope.get("route"), "path", "none")  # the path itself can hold a customer's token
        _log.warning("a store is away", extra={"error": type(error).__name__, "route": route})
        return answer(request, database_away())

    async def on_bug(request: Request, error: Exception) -> Response:
        _log.exception("a request failed", exc_info=error, extra={"request_id": request.scope["mashang.request_id"]})
        return answer(request, InternalError())

    for kind in BROKEN:
        app.add_exception_handler(kind, on_store_away)
    app.add_exception_handler(Exception, on_bug)
    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
