"""The row of a decision for the intent statement, which writes it with its payment."""

from __future__ import annotations

from typing import Final

from gateway.database.decisions import DecisionRow
from gateway.kernel.ids import new_id
from risk.decision import Decision, Verdict

_BETWEEN: Final = "\n"


def decision_row(decision: Decision, *, is_refused: bool) -> DecisionRow | None:
    """None where no rule set was in force.

    A payment to be reviewed has a case opened with it, unless it is refused already (at its price, for example): then
    there is nothing to look into.
    """
    if decision.at is None:
        return None
    is_case = decision.verdict is Verdict.REVIEW and not is_refused
    return DecisionRow(
        version=decision.version,
        verdict=decision.verdict,
        score=decision.score,
        hits=_BETWEEN.join(decision.reasons) or None,
        shadow=_BETWEEN.join(decision.shadow) or None,
        no_discount=decision.no_discount,
        features=decision.features,
        missed=decision.missed,
        beyond_tolerance=decision.beyond_tolerance,
        at=decision.at,
        case_id=new_id("case") if is_case else None,
    )
