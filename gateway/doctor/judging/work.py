"""What is under way: the worker, webhooks, unresolved payments, and a quick look at the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.doctor.finding import Area, Finding, Scribe

_WORKER: Final = Scribe(Area.WORKER)
_WEBHOOKS: Final = Scribe(Area.WEBHOOKS)
_BOOKS: Final = Scribe(Area.BOOKS)
_BEAT_WARN_S: Final = 5.0
_BEAT_BAD_S: Final = 30.0
_OVERDUE_WARN_S: Final = 15.0
_OVERDUE_BAD_S: Final = 120.0
_UNRESOLVED_WARN_S: Final = 90.0
_UNRESOLVED_BAD_S: Final = 180.0
"""I6 (PRODUCT.md): so long after a fault nothing is unresolved."""
_UNTOLD_WARN_S: Final = 60.0
_UNTOLD_BAD_S: Final = 900.0
_MISSING: Final = "Start a worker: mashang worker. Any number may run."


@dataclass(frozen=True, slots=True)
class WorkFacts:
    """Ages are seconds by the database's clock, 0 where there is nothing; the heartbeat's is None where no worker has
    ever run.  `out_of_balance` are captured payments, of the newest `looked_at`, whose postings do not make up their
    amount.
    """

    beat_age_s: float | None
    overdue_tasks: int
    overdue_s: float
    unresolved: int
    unresolved_s: float
    reviews: int
    late_captures: int
    untold_events: int
    untold_s: float
    endpoints: int
    failing_endpoints: int
    looked_at: int
    out_of_balance: int
    egress: Mapping[str, str | None] = field(default_factory=dict)
    """Hosts of webhook endpoints that were tried, and what kept us from them."""


def judge_worker(facts: WorkFacts) -> list[Finding]:
    """Whether one lives, and keeps up."""
    overdue = f"{facts.overdue_tasks} tasks wait, the oldest for {facts.overdue_s:.0f} s past its time"
    advice = "Look at the worker's log; run another one: any number may run."
    return [
        _heartbeat(facts.beat_age_s),
        _WORKER.at_most("tasks", overdue, facts.overdue_s, (_OVERDUE_WARN_S, _OVERDUE_BAD_S), advice),
    ]


def _heartbeat(age_s: float | None) -> Finding:
    if age_s is None:
        return _WORKER.problem("heartbeat", "no worker has run on this database yet", _MISSING)
    told = f"a worker wrote its heartbeat {age_s:.0f} s ago"
    return _WORKER.at_most("heartbeat", told, age_s, (_BEAT_WARN_S, _BEAT_BAD_S), _MISSING)


def judge_webhooks(facts: WorkFacts) -> list[Finding]:
    """The backlog, the endpoints that fail, and the way out."""
    return [*_backlog(facts), *_egress(facts)]


def _backlog(facts: WorkFacts) -> Iterator[Finding]:
    told = f"{facts.untold_events} events have not become deliveries, the oldest {facts.untold_s:.0f} s old"
    yield _WEBHOOKS.at_most("backlog", told, facts.untold_s, (_UNTOLD_WARN_S, _UNTOLD_BAD_S), _MISSING)
    if facts.failing_endpoints:
        told = f"{facts.failing_endpoints} of {facts.endpoints} endpoints are failing"
        advice = (
            "GET /v1/webhook_endpoints as the merchant tells since when; docs/webhooks.md says when one is disabled."
        )
        yield _WEBHOOKS.warning("endpoints", told, advice)
    else:
        yield _WEBHOOKS.ok("endpoints", f"{facts.endpoints} endpoints, none failing")


def _egress(facts: WorkFacts) -> Iterator[Finding]:
    if not facts.egress:
        yield _WEBHOOKS.not_checked("egress", "no endpoint is enabled")
        return
    blocked = {host: why for host, why in facts.egress.items() if why is not None}
    if not blocked:
        yield _WEBHOOKS.ok("egress", f"{len(facts.egress)} endpoints take a connection")
        return
    told = "; ".join(f"{host}: {why}" for host, why in sorted(blocked.items()))
    if len(blocked) == len(facts.egress):
        yield _WEBHOOKS.problem("egress", told, "No endpoint is reached: look at the way out (DNS, firewall, policy).")
    else:
        yield _WEBHOOKS.warning("egress", told, "Tell these merchants; the others are reached.")


def judge_books(facts: WorkFacts) -> list[Finding]:
    """What is unresolved, what waits for a person, and whether the newest captures balance."""
    told = f"{facts.unresolved} payments are unresolved, the oldest for {facts.unresolved_s:.0f} s"
    advice = "docs/operating.md, “Payments that stay unresolved”; each channel's health: mashang routing accounts"
    found = [_BOOKS.at_most("unresolved", told, facts.unresolved_s, (_UNRESOLVED_WARN_S, _UNRESOLVED_BAD_S), advice)]
    if facts.reviews:
        told = f"{facts.reviews} things wait for a person"
        found.append(_BOOKS.warning("reviews", told, "mashang review list, mashang review settle (docs/reviews.md)"))
    else:
        found.append(_BOOKS.ok("reviews", "nothing waits for a person"))
    if facts.late_captures:
        told = f"{facts.late_captures} late captures are on their way back"
        found.append(_BOOKS.warning("late_captures", told, "They go back by themselves; look again in ten minutes."))
    return [*found, _balance(facts)]


def _balance(facts: WorkFacts) -> Finding:
    told = f"{facts.out_of_balance} of the newest {facts.looked_at} captures do not balance"
    if facts.out_of_balance:
        return _BOOKS.problem("balance", told, "Run mashang audit at once, and stop the channels it names.")
    if not facts.looked_at:
        return _BOOKS.not_checked("balance", "nothing has been captured")
    return _BOOKS.ok("balance", f"the newest {facts.looked_at} captures balance; mashang audit compares all")
