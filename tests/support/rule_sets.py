"""Risk rules for tests: saved and published over the admin API."""

from __future__ import annotations

from typing import Any, Final

import httpx

RULE_SETS: Final = "/admin/v1/risk/rule_sets"
FAST: Final[dict[str, Any]] = {
    "code": "R_FAST",
    "when": "payment.amount > 50000 && velocity('count', 'customer', '1h') >= 5",
    "action": "decline",
    "score": 40,
    "mode": "live",
    "rollout": 100,
    "priority": 10,
    "description": "…",
}
"""The rule of PRODUCT.md."""


def rule(code: str, when: str = "payment.amount > 50000", action: str = "review", **more: Any) -> dict[str, Any]:
    """A rule."""
    return {"code": code, "when": when, "action": action, **more}


async def save(admin: httpx.AsyncClient, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A draft of these rules."""
    answer = await admin.post(RULE_SETS, json={"rules": list(rules), **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def publish(admin: httpx.AsyncClient, version: int, **body: Any) -> dict[str, Any]:
    """Put a version in force."""
    answer = await admin.post(f"{RULE_SETS}/{version}/publish", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
