"""The endpoints under /admin/v1, a file for each noun; an ingress can leave the whole path out."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from gateway.admin import (
    audit_trail,
    campaign_report,
    campaign_steps,
    campaigns,
    channel_accounts,
    coupons,
    maintenance,
    merchant_settings,
    merchants,
    payments,
    reviews,
    risk_case_steps,
    risk_cases,
    risk_complaints,
    risk_decisions,
    risk_labels,
    risk_lists,
    risk_lists_imports,
    risk_models,
    risk_rule_set_saving,
    risk_rule_set_steps,
    risk_rule_sets,
    routing_accounts,
    routing_explain,
    routing_policy,
    segments,
    stores,
)

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
