"""Campaigns as the admin API shows them."""

from __future__ import annotations

from typing import Any

from gateway.http.answers import Answer, json_answer
from gateway.kernel.clock import rfc3339
from promotions.campaigns.balances import Balance
from promotions.campaigns.store import StoredVersion


def campaign_answer(status: int, balance: Balance) -> Answer:
    """CampaignObject, with the revision as its ETag."""
    etag = f'"{balance.campaign.revision}"'.encode()
    return json_answer(status, campaign_json(balance), [(b"etag", etag)])


def campaign_json(balance: Balance) -> dict[str, Any]:
    """CampaignObject."""
    stored = balance.campaign
    return {
        "id": stored.id,
        "object": "campaign",
        "status": stored.status.value,
        "version": stored.version,
        "revision": stored.revision,
        **stored.document,
        "budget": balance.to_json(),
        "created_at": rfc3339(stored.created_at),
        "updated_at": rfc3339(stored.updated_at),
        "activated_at": None if stored.activated_at is None else rfc3339(stored.activated_at),
        "ended_at": None if stored.ended_at is None else rfc3339(stored.ended_at),
    }


def version_json(stored: StoredVersion, current: int) -> dict[str, Any]:
    """CampaignVersionObject."""
    return {
        "object": "campaign_version",
        "version": stored.version,
        "in_force": stored.version == current,
        "created_at": rfc3339(stored.created_at),
        "campaign": stored.document,
    }
