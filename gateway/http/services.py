"""What the endpoints work with, composed once per process in gateway.app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import asyncpg
from fastapi import Request

from gateway.admission.admission import Admission
from gateway.database.valkey import Valkey
from gateway.http.rate_limits import RateLimits
from gateway.kernel.secrets import Vault
from gateway.merchants.directory import Directory
from gateway.merchants.nonces import Nonces
from gateway.metrics.exposition import Exposition
from gateway.settings import Settings
from gateway.tracing.tracing import Tracing
from promotions.coupons.claiming import Claiming
from promotions.reporting.report import CampaignReports
from routing.accounts.book import AccountBook
from routing.accounts.usage import Usage
from routing.health.health import Health
from routing.policy.store import PolicyBook
from routing.router import Router

if TYPE_CHECKING:  # the rooms import this module for their endpoints
    from gateway.callbacks.reception import Reception
    from gateway.payments.attempts import Attempts
    from gateway.payments.charging import Charging
    from gateway.payments.desk import Desk
    from gateway.payments.store import PaymentStore
    from gateway.quotes.quoting import Quoting
    from gateway.receipts.store import ReceiptStore
    from gateway.refunds.desk import RefundDesk
    from gateway.reports.store import ReportStore
    from gateway.risk import Risk
    from gateway.webhooks.running import WebhookDesk


@dataclass(frozen=True, slots=True)
class Services:
    """One per process."""

    settings: Settings
    pool: asyncpg.Pool
    valkey: Valkey
    vault: Vault
    directory: Directory
    nonces: Nonces
    rate_limits: RateLimits
    admission: Admission
    accounts: AccountBook
    router: Router
    health: Health
    policies: PolicyBook
    usage: Usage
    store: PaymentStore
    charging: Charging
    desk: Desk
    attempts: Attempts
    refunds: RefundDesk
    quoting: Quoting
    claiming: Claiming
    callbacks: Reception
    reports: ReportStore
    campaign_reports: CampaignReports
    exposition: Exposition
    receipts: ReceiptStore
    webhooks: WebhookDesk
    risk: Risk
    tracing: Tracing


def services_of(request: Request) -> Services:
    """The services of the application that got this request."""
    return cast("Services", request.app.state.services)
