"""What the shelf has of risk: cases, lists, segments, a model, and a valid request for every operation on these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import httpx
import numpy as np
import xgboost

from gateway.kernel.ids import new_ulid
from tests.support.gateway import GatewayStack
from tests.support.risk_rules import published, rule, without_rules
from tests.support.till import Till

_LISTS: Final = "/admin/v1/risk/lists"
_LIST: Final = f"{_LISTS}/{{name}}"
_IMPORT: Final = f"{_LIST}/imports/{{import_id}}"
_SEGMENT: Final = "/admin/v1/segments/{name}"
_MODELS: Final = "/admin/v1/risk/models"
_LISTED: Final = {"field": "ip", "value": "203.0.113.0/24"}
_DOOMED: Final = {"field": "ip", "value": "198.51.100.7"}
_IMPORTED: Final = {"mode": "merge", "reason": "a", "source": "a"}
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


@cache
def _model() -> Mapping[str, Any]:
    """One tree of one leaf."""
    rows = xgboost.DMatrix(np.array([[1.0], [2.0]]), label=[0, 1])
    trees = xgboost.train({"objective": "binary:logistic", "base_score": 0.5}, rows, 1).save_raw("json")
    features = ["payment.amount"]
    return {"format": 1, "note": "a", "features": features, "trained": {"payments": 2}, "trees": json.loads(trees)}


def rule_bodies() -> Mapping[str, Mapping[str, Any]]:
    """Requests about rule sets that are taken; version 0 has no rules."""
    return {
        "POST /admin/v1/risk/rule_sets": _RULE_SET,
        "POST /admin/v1/risk/rule_sets/check": _RULE_SET,
        "POST /admin/v1/risk/rule_sets/{version}/publish": {"base_version": 0},
        "POST /admin/v1/risk/rule_sets/{version}/roll_back": {"base_version": 0},
    }


def model_bodies() -> Mapping[str, Mapping[str, Any]]:
    """Requests about models that are taken."""
    return {f"POST {_MODELS}": _model()}


def list_bodies() -> Mapping[str, Mapping[str, Any]]:
    """Requests about lists that are taken; the import's only batch has arrived."""
    entry = {**_LISTED, "expires_at": None, "reason": "b"}
    return {
        f"POST {_LISTS}": {"name": f"fuzz_{new_ulid().lower()}", "description": "a"},
        f"POST {_LISTS}/find": {"field": "ip", "value": "203.0.113.9"},
        f"POST {_LIST}/entries": {"reason": "a", "entries": [entry]},
        f"POST {_LIST}/entries/remove": {"entries": [{"field": "card", "value": "622202"}]},
        f"POST {_LIST}/imports": _IMPORTED,
        f"POST {_IMPORT}/batches": {"number": 1, "groups": [{"field": "ip", "values": ["203.0.113.0/25"]}]},
    }


def segment_bodies(merchant_id: str) -> Mapping[str, Mapping[str, Any]]:
    """Requests about segments that are taken."""
    whose = {"merchant_id": merchant_id}
    return {
        "POST /admin/v1/segments/find": {**whose, "customer": "c"},
        f"PUT {_SEGMENT}/customers": {**whose, "customers": ["c"]},
        f"POST {_SEGMENT}/customers/remove": {**whose, "customers": ["c"]},
    }


def risk_ids(operation: str, ids: Mapping[str, str]) -> Mapping[str, str]:
    """The ids of an operation on what is its own: a list that may go, an import that is over, a model, a decision."""
    found = {
        f"DELETE {_SEGMENT}": {"name": ids["doomed_segment"]},
        f"DELETE {_LIST}": {"name": ids["doomed_list"]},
        f"POST {_IMPORT}/finish": {"name": ids["finished_list"], "import_id": ids["finished_import_id"]},
        f"DELETE {_IMPORT}": {"name": ids["finished_list"], "import_id": ids["doomed_import_id"]},
        f"GET {_MODELS}/{{version}}": {"version": ids["model_version"]},
        "GET /admin/v1/risk/decisions/{payment_id}": {"payment_id": ids["screened_payment_id"]},
    }
    return found.get(operation, {})


async def fill_risk_shelf(stack: GatewayStack, till: Till, admin: httpx.AsyncClient) -> dict[str, str]:
    """Lists, segments, imports of each kind, a model, a payment that was screened; no rules are in force after that."""
    names = {kind: f"{kind}_{new_ulid().lower()}" for kind in ("kept", "doomed", "finished")}
    for name in names.values():
        await _posted(admin, _LISTS, {"name": name})
    kept, finished = (f"{_LISTS}/{names[kind]}" for kind in ("kept", "finished"))
    await _posted(admin, f"{kept}/entries", {"reason": "a", "entries": [_LISTED, _DOOMED]})
    entries = (await admin.get(f"{kept}/entries")).json()["data"]
    doomed = next(entry for entry in entries if not entry["value"].endswith("/24"))
    begun = await _posted(admin, f"{kept}/imports", _IMPORTED)
    await _posted(admin, f"{kept}/imports/{begun['id']}/batches", list_bodies()[f"POST {_IMPORT}/batches"], 200)
    done = await _posted(admin, f"{finished}/imports", _IMPORTED)
    done = await _posted(admin, f"{finished}/imports/{done['id']}/finish", {}, 200)
    given_up = await _posted(admin, f"{finished}/imports", _IMPORTED)
    model = await _posted(admin, _MODELS, _model())
    for name in (names["kept"], names["doomed"]):
        body = segment_bodies(stack.shop.id)[f"PUT {_SEGMENT}/customers"]
        await admin.put(f"{_SEGMENT.format(name=name)}/customers", json=body)
    await published(stack, rule("payment.amount > 0", "score", score=1))
    screened = await till.paid()
    await without_rules(stack)
    return {
        "name": names["kept"],
        "doomed_list": names["doomed"],
        "doomed_segment": names["doomed"],
        "finished_list": names["finished"],
        "import_id": begun["id"],
        "finished_import_id": done["id"],
        "doomed_import_id": given_up["id"],
        "entry_id": doomed["id"],
        "model_version": str(model["version"]),
        "screened_payment_id": screened["id"],
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


async def _posted(admin: httpx.AsyncClient, path: str, body: Mapping[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await admin.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found
