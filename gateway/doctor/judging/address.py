"""The public address, as customers and channels see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.doctor.finding import Area, Finding, Scribe
from gateway.doctor.judging.tls import Reached, judge_reached

_SCRIBE: Final = Scribe(Area.ADDRESS)


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """HTTP statuses of /livez, /metrics and the admin API without a token; None where nothing answered."""

    url: str
    reached: Reached
    live: int | None
    metrics: int | None
    admin: int | None
    now: datetime


def judge_address(facts: AddressFacts) -> list[Finding]:
    """Whether this gateway answers there, and whether what is not for the public does not."""
    advice = f"Look at DNS, the ingress and its certificate: channels call {facts.url}/callbacks/…"
    found = judge_reached(_SCRIBE, "public_url", facts.reached, facts.now, advice)
    if facts.reached.failure is not None:
        return found
    if facts.reached.until is None:
        return [
            _SCRIBE.problem("public_url", f"{facts.url} is not https", "Set MASHANG_PUBLIC_URL to its https address.")
        ]
    if facts.live not in {200, 404}:
        told = f"/livez there answers {facts.live}"
        found.append(_SCRIBE.problem("gateway", told, "No gateway stands behind it: look at the ingress's backends."))
    for check, path, status in (("metrics", "/metrics", facts.metrics), ("admin", "/admin/v1/merchants", facts.admin)):
        if status in {200, 401, 403, 405} and not (check == "metrics" and status != 200):
            told = f"{path} answers {status} at the public address"
            found.append(_SCRIBE.warning(check, told, f"Leave {path.rpartition('/')[0] or path} out of the ingress."))
    return found
