"""An address that was called over TLS: whether it answers, whether its certificate is believed, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.doctor.finding import Finding, Scribe

EXPIRY_BAD: Final = timedelta(days=7)
EXPIRY_WARN: Final = timedelta(days=30)
CLOCK_WARN_S: Final = 30.0
CLOCK_BAD_S: Final = 240.0
"""Channels refuse a request whose time is five minutes off."""


@dataclass(frozen=True, slots=True)
class Reached:
    """`failure` is what kept us from it, None where it answered.  `until` is its certificate's end, None without TLS.

    `clock_offset_s` is the time it wrote into its answer less ours (whole seconds), None where it wrote none.
    """

    host: str
    failure: str | None = None
    until: datetime | None = None
    clock_offset_s: float | None = None
    is_certificate: bool = False
    """Whether the failure is its certificate's."""


def judge_expiry(scribe: Scribe, check: str, what: str, left: timedelta, advice: str) -> Finding:
    """By the time that a certificate has left."""
    if left <= timedelta(0):
        return scribe.problem(check, f"{what} ended {(-left).days} days ago", advice)
    told = f"{what} is good for {left.days} more days"
    if left < EXPIRY_BAD:
        return scribe.problem(check, told, advice)
    return scribe.warning(check, told, advice) if left < EXPIRY_WARN else scribe.ok(check, told)


def judge_reached(scribe: Scribe, check: str, reached: Reached, now: datetime, advice: str) -> list[Finding]:
    """Whether it answers, its certificate, and its clock."""
    if reached.failure is not None:
        return [scribe.problem(check, f"{reached.host}: {reached.failure}", advice)]
    if reached.until is None:
        found = [scribe.ok(check, f"{reached.host} answers, without TLS")]
    else:
        renew = "Whoever runs that server has to renew its certificate."
        found = [judge_expiry(scribe, check, f"{reached.host} answers; its certificate", reached.until - now, renew)]
    offset = reached.clock_offset_s
    if offset is not None and abs(offset) > CLOCK_WARN_S:
        told = f"the clock of {reached.host} and ours differ by {abs(offset):.0f} s"
        write = scribe.problem if abs(offset) > CLOCK_BAD_S else scribe.warning
        found.append(
            write(f"{check}.clock", told, "Run chrony or systemd-timesyncd here: channels refuse wrong times.")
        )
    return found
