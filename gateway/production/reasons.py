"""Why something is not fit for production, and what to set instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.processes.errors import StackError


@dataclass(frozen=True, slots=True)
class Reason:
    """`subject` is the variable, or what of the database; `told` and `remedy` are sentences without secrets.

    A reason that is no refusal is only told: it can be meant.
    """

    subject: str
    told: str
    remedy: str
    is_refusal: bool = True


class UnsafeInProduction(StackError):
    """MASHANG_ENV=production with what is only good for trying out.  The message numbers every reason."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__(refusal_text(reasons))
        self.reasons = tuple(reasons)


def refusals(reasons: Sequence[Reason]) -> list[Reason]:
    """Those for which a process does not start."""
    return [reason for reason in reasons if reason.is_refusal]


def refusal_text(reasons: Sequence[Reason]) -> str:
    """All of them as one numbered list, each with what to set."""
    lines = [
        f"  {number}. {reason.subject}: {reason.told}\n     {reason.remedy}"
        for number, reason in enumerate(reasons, start=1)
    ]
    many = "1 reason" if len(reasons) == 1 else f"{len(reasons)} reasons"
    return "\n".join(
        [f"MASHANG_ENV=production refuses to start, for {many}:", *lines, "See docs/operating.md, “Settings”."]
    )
