"""Campaigns with coupons for tests: what a process knows of them, and their rows."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

import asyncpg
import orjson

from gateway.kernel.clock import rfc3339
from promotions.campaigns.campaign import CouponTerms, Status
from promotions.coupons.campaigns import CouponCampaign

ANY_TERMS: Final = CouponTerms()
NAME: Final = "满20减5"
BENEFIT: Final = {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]}


def campaign(campaign_id: str, terms: CouponTerms = ANY_TERMS, *, ends_at: datetime | None = None) -> CouponCampaign:
    """¥5 off from ¥20 on, with a coupon only."""
    return CouponCampaign(campaign_id, 1, Status.ACTIVE, NAME, terms, ends_at)


async def save(pool: asyncpg.Pool, known: CouponCampaign, *, benefit: dict[str, Any] | None = None) -> CouponCampaign:
    """Write the row, or its next version, as the admin API would; the campaign with that version."""
    version = await pool.fetchval(
        "WITH saved AS (INSERT INTO campaigns (id, status, version, document, timezone, ends_at)"
        " VALUES ($1, $2, 1, $3::json, 'Asia/Shanghai', $4)"
        " ON CONFLICT (id) DO UPDATE SET version = campaigns.version + 1, status = excluded.status,"
        " document = excluded.document, ends_at = excluded.ends_at RETURNING *)"
        " INSERT INTO campaign_versions (campaign_id, version, document) SELECT id, version, document FROM saved"
        " RETURNING version",
        known.id,
        known.status,
        orjson.dumps(document(known, benefit)).decode(),
        known.ends_at,
    )
    return replace(known, version=version)


def document(known: CouponCampaign, benefit: dict[str, Any] | None = None) -> dict[str, Any]:
    """As a manager writes it."""
    terms = {name: _plain(value) for name, value in asdict(known.terms).items()}
    return {
        "name": known.name,
        "benefit": benefit or BENEFIT,
        "funding": [{"sponsor": "bank", "share": "1"}],
        "ends_at": _plain(known.ends_at),
        "coupon": {name: value for name, value in terms.items() if value not in (None, [])},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return rfc3339(value) if isinstance(value, datetime) else value
