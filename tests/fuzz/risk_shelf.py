"""What the shelf has of risk: some cases of each kind, and a valid request for every operation on cases and rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from gateway.kernel.ids import new_ulid

_CASES = "/admin/v1/risk/cases/{case_id}"
_RULE_SET: Mapping[str, Any] = {
    "note": "of nothing",
    "thresholds": {"review": 99, "decline": 100},
    "rules": [
        {
            "code": "R_NOTHING",
            "when": "payment.amount < 1",
            "action": "score",
            "score": 1,
            "mode": "shadow",
            "rollout": 1,
            "priority": 1,
            "description": "a",
            "merchants": ["mer_1"],
            "tests": [{"given": {"payment.amount": 1}, "hits": False, "verdict": "approve"}],
        }
    ],
}
"""That hits no payment."""


def rule_bodies() -> Mapping[str, Mapping[str, Any]]:
    """Requests about rule sets that are taken; version 0 has no rules."""
    return {
        "POST /admin/v1/risk/rule_sets": _RULE_SET,
        "POST /admin/v1/risk/rule_sets/check": _RULE_SET,
        "POST /admin/v1/risk/rule_sets/{version}/publish": {"base_version": 0},
        "POST /admin/v1/risk/rule_sets/{version}/roll_back": {"base_version": 0},
    }


def case_bodies(payment_id: str) -> Mapping[str, Mapping[str, Any]]:
    """Requests that are taken."""
    label = {"payment_id": payment_id, "fraud": False, "source": "merchant", "by": "li.wei", "note": "a"}
    return {
        f"POST {_CASES}/claim": {"by": "li.wei"},
        f"POST {_CASES}/release": {"by": "li.wei"},
        f"POST {_CASES}/notes": {"by": "li.wei", "note": "a"},
        f"POST {_CASES}/verdict": {"by": "li.wei", "note": "a", "verdict": "good", "watch": ["merchant"]},
        f"POST {_CASES}/reopen": {"by": "li.wei", "note": "a"},
        "POST /admin/v1/risk/complaints": _complaint(payment_id),
        "POST /admin/v1/risk/labels": label,
        "POST /admin/v1/risk/labels/bulk": {"labels": [label]},
        "PUT /admin/v1/risk/case_terms": {"kind": "review", "due_hours": 24, "claim_minutes": 30},
    }


async def open_case(admin: httpx.AsyncClient, payment_id: str) -> str:
    """A case of that payment; its id."""
    answer = await admin.post("/admin/v1/risk/complaints", json=_complaint(payment_id))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["case_id"])


async def decided_case(admin: httpx.AsyncClient, payment_id: str) -> str:
    """The same, decided."""
    case_id = await open_case(admin, payment_id)
    body = {"by": "li.wei", "note": "a", "verdict": "good"}
    assert (await admin.post(f"/admin/v1/risk/cases/{case_id}/verdict", json=body)).status_code == 200
    return case_id


def _complaint(payment_id: str) -> dict[str, Any]:
    return {
        "payment_id": payment_id,
        "reason": "other",
        "text": "a",
        "channel": "phone",
        "channel_complaint_id": new_ulid(),
        "by": "li.wei",
        "evidence": [{"kind": "text", "name": "a", "text": "b"}],
    }
