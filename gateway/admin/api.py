"""The endpoints under /admin/v1, a file for each noun; an ingress can leave the whole path out."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from gateway.admin import audit_trail, payments
from gateway.admin.accounts import endpoints as channel_accounts
from gateway.admin.accounts import maintenance
from gateway.admin.campaigns import endpoints as campaigns
from gateway.admin.campaigns import report as campaign_report
from gateway.admin.campaigns import steps as campaign_steps
from gateway.admin.coupons import endpoints as coupons
from gateway.admin.merchants import endpoints as merchants
from gateway.admin.merchants import settings as merchant_settings
from gateway.admin.merchants import stores
from gateway.admin.reviews import endpoints as reviews
from gateway.admin.risk import complaints as risk_complaints
from gateway.admin.risk import decisions as risk_decisions
from gateway.admin.risk import labels as risk_labels
from gateway.admin.risk import models as risk_models
from gateway.admin.risk.cases import endpoints as risk_cases
from gateway.admin.risk.cases import steps as risk_case_steps
from gateway.admin.risk.lists import endpoints as risk_lists
from gateway.admin.risk.lists import imports as risk_lists_imports
from gateway.admin.risk.rule_sets import endpoints as risk_rule_sets
from gateway.admin.risk.rule_sets import saving as risk_rule_set_saving
from gateway.admin.risk.rule_sets import steps as risk_rule_set_steps
from gateway.admin.routing import accounts as routing_accounts
from gateway.admin.routing import explain as routing_explain
from gateway.admin.routing import policy as routing_policy
from gateway.admin.segments import endpoints as segments

_PARTS: Final = (
    *(merchants, merchant_settings, stores, channel_accounts, maintenance),
    *(payments, reviews, audit_trail),
    *(routing_policy, routing_explain, routing_accounts),
    *(campaigns, campaign_steps, campaign_report, coupons, segments),
    *(risk_models, risk_rule_set_saving, risk_rule_sets, risk_rule_set_steps),
    *(risk_lists, risk_lists_imports),
    *(risk_decisions, risk_cases, risk_case_steps, risk_complaints, risk_labels),
)

router = APIRouter(prefix="/admin/v1")
for part in _PARTS:
    router.include_router(part.router)
