"""Counts the router's choices, so that operations see where payments go, why, and why some go nowhere."""

from __future__ import annotations

from typing import Final

from gateway.kernel.metrics import ROUTING_CHOICES, ROUTING_EXHAUSTED
from routing.choice import Choice

_NOBODY: Final = "no_account"
"""The reason where no account is set up for the wallet and the method at all."""


def count_choice(choice: Choice) -> None:
    """One choice that a payment follows; nothing of what is only explained."""
    account = choice.account
    if account is not None:
        ROUTING_CHOICES.labels(account.id, choice.why).inc()
        return
    reasons = {str(candidate.reason) for candidate in choice.candidates if candidate.reason is not None}
    for reason in reasons or {_NOBODY}:
        ROUTING_EXHAUSTED.labels(reason).inc()
