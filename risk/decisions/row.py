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
    return DecisionRow(  # by position: by name it takes three times as long
        decision.version,
        decision.verdict,
        decision.score,
        _BETWEEN.join(decision.reasons) or None,
        _BETWEEN.join(decision.shadow) or None,
        decision.no_discount,
        decision.features,
        decision.missed,
        decision.beyond_tolerance,
        decision.at,
        new_id("case") if is_case else None,
    )
