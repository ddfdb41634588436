"""What the risk check decided about a payment, and why, under /admin/v1."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import BaseModel, Field

from gateway.admin.access import admin_router, example
from gateway.http.answers import json_answer
from gateway.http.services import Services, services_of
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import InvalidRequest
from gateway.payments.api import PaymentId
from gateway.payments.recalled import recalled
from risk.decision import Missed, Verdict
from risk.decisions.explaining import ExplainedRule, Seen, model_reasons, rules_hit, values_seen
from risk.decisions.replaying import CannotReplay
from risk.decisions.store import StoredDecision, find_decision
from risk.facts import Facts

EXAMPLE: Final[dict[str, Any]] = {
    "object": "risk_decision",
    "payment_id": "pay_01JD5ZV8W3M0Q9C6R1T2X4Y7KB",
    "merchant_id": "mer_01JD5ZV8W3M0Q9C6R1T2X4Y7KA",
    "rule_set_version": 7,
    "decision": "decline",
    "score": 40,
    "reasons": ["R_FAST"],
    "no_discount": False,
    "rules": [
        {
            "code": "R_FAST",
            "mode": "live",
            "action": "decline",
            "score": 40,
            "priority": 10,
            "when": "velocity('count', 'customer', '1h') >= 5",
            "description": "Too many payments in an hour.",
        }
    ],
    "values": {"payment.amount": 2599, "velocity('count', 'customer', '1h')": 5},
    "model_reasons": [],
    "replayable": True,
    "missed": None,
    "beyond_tolerance": False,
    "decided_at": "2026-11-22T01:02:03.004Z",
}

router = admin_router()


class HitRule(BaseModel):
    """A rule that hit; null is what is not known any more."""

    code: str
    mode: Annotated[
        Literal["live", "shadow"],
        Field(description="As it was applied: a rule beyond its roll-out is counted as in shadow."),
    ]
    action: str | None
    score: int | None
    priority: int | None
    when: str | None
    description: str | None


class ModelReason(BaseModel):
    """How much a feature moved the model's score, in log-odds: above zero towards fraud."""

    feature: str
    value: float | None
    log_odds: float


class DecisionObject(BaseModel):
    """What was decided about a payment, by which rules, of which values."""

    model_config = example(EXAMPLE)

    object: Literal["risk_decision"]
    payment_id: str
    merchant_id: str
    rule_set_version: int
    decision: Verdict
    score: int
    reasons: Annotated[list[str], Field(description="The codes of live rules that hit, by priority.")]
    no_discount: bool
    rules: list[HitRule]
    values: Annotated[
        dict[str, Any],
        Field(description="What the rules saw, by the names of fields and calls; addresses and cards are masked."),
    ]
    model_reasons: list[ModelReason]
    replayable: Annotated[
        bool, Field(description="False where the version's rules cannot be read any more: `values` is empty then.")
    ]
    missed: Annotated[
        Missed | None, Field(description="Why features were away; then velocities and the like are null.")
    ]
    beyond_tolerance: Annotated[bool, Field(description="The merchant takes no such payment while features are away.")]
    decided_at: Annotated[datetime, Field(description="By the database's clock.")]


@router.get(
    "/risk/decisions/{payment_id}", response_model=DecisionObject, summary="Read what the risk check decided, and why"
)
async def get_decision(request: Request, payment_id: PaymentId) -> Response:
    """The decision about a payment; none (404) where no rule set was in force."""
    services = services_of(request)
    stored = await find_decision(services.pool, payment_id)
    if stored is None:
        message = "There is no decision about it: no rule set was in force, or there is no such payment."
        raise InvalidRequest("not_found", message, param="payment_id", status=404)
    return json_answer(200, await decision_json(services, stored)).to_response()


async def decision_json(services: Services, stored: StoredDecision) -> dict[str, Any]:
    """DecisionObject."""
    decision, risk = stored.decision, services.risk
    assert decision.at is not None, "the column is not null"
    try:
        compiled = await risk.past_sets.get(decision.version)
    except CannotReplay:
        values, model, is_replayable = Seen({}, {}), None, False
    else:
        values = values_seen(decision, compiled, await _facts(services, stored, decision.at))
        model, is_replayable = compiled.model, True
    rules = await rules_hit(services.pool, decision)
    return {
        "object": "risk_decision",
        "payment_id": stored.payment_id,
        "merchant_id": stored.merchant_id,
        "rule_set_version": decision.version,
        "decision": decision.verdict,
        "score": decision.score,
        "reasons": [*decision.reasons],
        "no_discount": decision.no_discount,
        "rules": [_rule_json(rule) for rule in rules],
        "values": values.masked,
        "model_reasons": [reason._asdict() for reason in await model_reasons(risk.past_models, model, values.seen)],
        "replayable": is_replayable,
        "missed": decision.missed,
        "beyond_tolerance": decision.beyond_tolerance,
        "decided_at": rfc3339(decision.at),
    }


async def _facts(services: Services, stored: StoredDecision, at: datetime) -> Facts | None:
    """None where the request was erased."""
    payment = await services.store.find(stored.merchant_id, stored.payment_id)
    fields = None if payment is None else await services.store.request_fields(payment)
    if payment is None or fields is None:
        return None
    place = await services.risk.places.get(stored.merchant_id, payment.store_id)
    return recalled(payment, fields, place, services.vault, at)


def _rule_json(rule: ExplainedRule) -> dict[str, Any]:
    """HitRule."""
    return rule._asdict()
