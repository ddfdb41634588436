"""The endpoints under /admin/v1, a file for each noun; an ingress can leave the whole path out."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.admin import audit_trail, channel_accounts, merchant_settings, merchants, reviews, routing_policy

router = APIRouter(prefix="/admin/v1")
for part in (merchants, merchant_settings, channel_accounts, reviews, audit_trail, routing_policy):
    router.include_router(part.router)
