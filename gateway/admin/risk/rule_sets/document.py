"""A rule set's document in the OpenAPI document; it is read by risk.rules, which finds every problem at once."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from gateway.admin.access import example
from gateway.kernel.expressions.checking import TEXT_LENGTH_MAX
from risk.decision import Action, Verdict
from risk.rules.document import DESCRIPTION_LENGTH_MAX, MERCHANTS_MAX, NOTE_LENGTH_MAX
from risk.rules.examples import EXAMPLES_MAX
from risk.rules.rule import PRIORITY_MAX, RULES_MAX, SCORE_MAX, Mode

RULE: Final[dict[str, Any]] = {
    "code": "R_FAST",
    "when": "payment.amount > 50000 && velocity('count', 'customer', '1h') >= 5",
    "action": "decline",
    "score": 40,
    "mode": "live",
    "rollout": 100,
    "priority": 10,
    "description": "Five payments within the hour, and then a large one.",
    "merchants": [],
    "tests": [
        {
            "given": {"payment.amount": 60000, "velocity('count', 'customer', '1h')": 5},
            "hits": True,
            "verdict": "decline",
        }
    ],
}
THRESHOLDS: Final[dict[str, Any]] = {"review": 40, "decline": 80}
DOCUMENT: Final[dict[str, Any]] = {
    "note": "Cards are being tested in the stations.",
    "thresholds": THRESHOLDS,
    "model": None,
    "rules": [RULE],
}

Score = Annotated[int, Field(ge=0, le=SCORE_MAX)]


class RiskRuleTest(BaseModel):
    """A payment as the rule's author imagines it, and what is to come of it; tests run before a publish."""

    model_config = example(RULE["tests"][0])

    given: Annotated[
        dict[str, Any],
        Field(
            description="Values by the names of fields and calls, as conditions write them; what is missing is null."
        ),
    ]
    hits: Annotated[bool | None, Field(description="Whether the rule hits; null where it does not matter.")] = None
    verdict: Annotated[Verdict | None, Field(description="What the whole set says; null where it does not matter.")] = (
        None
    )


class RiskRule(BaseModel):
    """A rule: a condition, and what is done where it is true (docs/risk.md)."""

    model_config = example(RULE)

    code: Annotated[
        str,
        Field(
            pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$",
            description="Unique in the set: the reason that decisions, cases and back-tests tell.",
        ),
    ]
    when: Annotated[
        str, Field(min_length=1, max_length=TEXT_LENGTH_MAX, description="CEL: docs/risk.md has the fields.")
    ]
    action: Annotated[
        Action,
        Field(
            description="`approve`, `review` and `decline` give the verdict; `score` only adds its score; "
            "`no_discount` lets the payment through at its full price."
        ),
    ]
    score: Annotated[Score, Field(description="Added to the payment's score, whatever the action.")] = 0
    mode: Annotated[Mode, Field(description="`shadow`: hits are counted and told, nothing is done.")] = Mode.LIVE
    rollout: Annotated[
        int, Field(ge=0, le=100, description="To so many percent of the customers it is live; to the others, shadow.")
    ] = 100
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX, description="The highest that hits decides.")] = 0
    description: Annotated[str, Field(max_length=DESCRIPTION_LENGTH_MAX)] = ""
    merchants: Annotated[
        list[str], Field(max_length=MERCHANTS_MAX, description="For these only; for all where it is empty.")
    ] = []
    tests: Annotated[list[RiskRuleTest], Field(max_length=EXAMPLES_MAX)] = []


class RiskThresholds(BaseModel):
    """From which score on a payment that no rule decides is reviewed, or declined; null: at none."""

    model_config = example(THRESHOLDS)

    review: Annotated[Score | None, Field(description="Below `decline`.")] = None
    decline: Score | None = None


class RuleSetHead(BaseModel):
    """What a rule set says beside its rules."""

    note: Annotated[str, Field(max_length=NOTE_LENGTH_MAX, description="Why this version was made.")] = ""
    thresholds: RiskThresholds | None = None
    model: Annotated[
        int | None, Field(ge=1, description="The version of the model that gives `model.score`; null: none.")
    ] = None


class RuleSetRequest(RuleSetHead):
    """A rule set, whole: up to 64 MiB."""

    model_config = example(DOCUMENT)

    rules: Annotated[list[RiskRule], Field(max_length=RULES_MAX)]
