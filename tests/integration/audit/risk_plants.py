"""Errors in what the risk check decided (I3): decisions that are missing, differ from payments, or lack a case."""

from __future__ import annotations

from gateway.audit.checks import Check
from tests.integration.audit.planting import plants
from tests.integration.audit.world import World


@plants(Check.DECISION)
def a_screened_payment_without_its_decision(world: World) -> None:
    story = world.succeeded()
    story.screened()
    story.risk_decisions.clear()


@plants(Check.DECISION)
def a_score_without_any_screening(world: World) -> None:
    world.succeeded().payment["risk_score"] = 5


@plants(Check.DECISION)
def a_decision_about_a_payment_that_says_it_was_not_screened(world: World) -> None:
    story = world.succeeded()
    story.screened()
    story.payment["risk_version"] = None


@plants(Check.DECISION)
def a_decision_by_other_rules_than_the_payment_says(world: World) -> None:
    story = world.succeeded()
    story.screened()
    story.payment["risk_version"] = 8


@plants(Check.DECISION)
def a_verdict_other_than_the_payment_says(world: World) -> None:
    story = world.succeeded()
    story.screened("review", 40)
    story.payment["risk_decision"] = "approve"


@plants(Check.DECISION)
def a_payment_that_was_declined_and_charged_all_the_same(world: World) -> None:
    world.succeeded().screened("decline", 90)


@plants(Check.DECISION)
def a_payment_refused_as_declined_that_was_approved(world: World) -> None:
    story = world.refused()
    story.screened()
    story.payment["failure_code"] = "risk_declined"


@plants(Check.DECISION)
def a_payment_beyond_the_tolerance_that_was_charged(world: World) -> None:
    story = world.succeeded()
    story.screened()
    story.risk_decisions[0] |= {"missed": "away", "beyond_tolerance": True}


@plants(Check.DECISION)
def a_review_without_a_case(world: World) -> None:
    story = world.succeeded()
    story.screened("review", 40)
    story.risk_cases.clear()
