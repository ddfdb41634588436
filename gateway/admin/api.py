"""The endpoints under /admin/v1, a file for each noun; an ingress can leave the whole path out."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.admin import channel_accounts, merchant_settings, merchants, reviews

router = APIRouter(prefix="/admin/v1")
for part in (merchants, merchant_settings, channel_accounts, reviews):
    router.include_router(part.router)
