"""What the doctor says of the worker, webhooks, books, keys and this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from gateway.doctor.finding import Finding, Standing
from gateway.doctor.judging.keys import KeyFacts, judge_keys
from gateway.doctor.judging.machine import Folder, MachineFacts, RsaFact, judge_machine
from gateway.doctor.judging.work import WorkFacts, judge_books, judge_webhooks, judge_worker

WORK: Final = WorkFacts(
    beat_age_s=0.6,
    overdue_tasks=0,
    overdue_s=0.0,
    unresolved=0,
    unresolved_s=0.0,
    reviews=0,
    late_captures=0,
    untold_events=0,
    untold_s=0.0,
    endpoints=2,
    failing_endpoints=0,
    looked_at=100,
    out_of_balance=0,
    egress={"hook.cn": None, "till.cn": None},
)
MACHINE: Final = MachineFacts(
    files_max=65_536,
    processors=4,
    memory_bytes=4_000_000_000,
    processes=4,
    folders=(Folder("MASHANG_METRICS_DIR", "/m", None),),
    has_time_zones=True,
    has_metrics_folder=True,
    rsa=RsaFact("openssl", "the processor has no AVX-512 IFMA"),
)


def of_work(facts: WorkFacts) -> list[Finding]:
    return [*judge_worker(facts), *judge_webhooks(facts), *judge_books(facts)]


def test_a_stack_at_work_and_a_fitting_machine_are_all_ok() -> None:
    found = [*of_work(WORK), *judge_machine(MACHINE), *judge_keys(KeyFacts(3, 3))]
    assert {finding.standing for finding in found} == {Standing.OK}


@pytest.mark.parametrize(
    ("check", "changes", "standing"),
    [
        ("heartbeat", {"beat_age_s": None}, Standing.PROBLEM),
        ("heartbeat", {"beat_age_s": 9.0}, Standing.WARNING),
        ("heartbeat", {"beat_age_s": 90.0}, Standing.PROBLEM),
        ("tasks", {"overdue_s": 20.0}, Standing.WARNING),
        ("tasks", {"overdue_s": 200.0}, Standing.PROBLEM),
        ("backlog", {"untold_s": 100.0}, Standing.WARNING),
        ("backlog", {"untold_s": 1_000.0}, Standing.PROBLEM),
        ("endpoints", {"failing_endpoints": 1}, Standing.WARNING),
        ("egress", {"egress": {}}, Standing.NOT_CHECKED),
        ("egress", {"egress": {"hook.cn": "refused", "till.cn": None}}, Standing.WARNING),
        ("egress", {"egress": {"hook.cn": "refused"}}, Standing.PROBLEM),
        ("unresolved", {"unresolved_s": 100.0}, Standing.WARNING),
        ("unresolved", {"unresolved_s": 200.0}, Standing.PROBLEM),
        ("reviews", {"reviews": 1}, Standing.WARNING),
        ("late_captures", {"late_captures": 1}, Standing.WARNING),
        ("balance", {"out_of_balance": 1}, Standing.PROBLEM),
        ("balance", {"looked_at": 0}, Standing.NOT_CHECKED),
    ],
)
def test_what_is_under_way_is_judged(check: str, changes: dict[str, Any], standing: Standing) -> None:
    [found] = [finding for finding in of_work(replace(WORK, **changes)) if finding.check == check]
    assert found.standing is standing


@pytest.mark.parametrize(
    ("check", "changes", "standing"),
    [
        ("files", {"files_max": 1_024}, Standing.PROBLEM),
        ("files", {"files_max": 4_096}, Standing.WARNING),
        ("processors", {"processes": 6}, Standing.WARNING),
        ("processors", {"processes": 11}, Standing.PROBLEM),
        ("memory", {"processes": 11}, Standing.WARNING),
        ("memory", {"memory_bytes": 1_000_000_000}, Standing.PROBLEM),
        ("metrics", {"has_metrics_folder": False}, Standing.WARNING),
        ("MASHANG_METRICS_DIR", {"folders": (Folder("MASHANG_METRICS_DIR", "/m", "no"),)}, Standing.PROBLEM),
        ("MASHANG_ARCHIVE_DIR", {"folders": (Folder("MASHANG_ARCHIVE_DIR", "/a", None, 5),)}, Standing.WARNING),
        ("time_zones", {"has_time_zones": False}, Standing.PROBLEM),
        ("rsa", {"rsa": RsaFact(None, "it is not there")}, Standing.PROBLEM),
    ],
)
def test_a_machine_is_judged(check: str, changes: dict[str, Any], standing: Standing) -> None:
    [found] = [finding for finding in judge_machine(replace(MACHINE, **changes)) if finding.check == check]
    assert found.standing is standing


@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        (KeyFacts(0, 0), Standing.NOT_CHECKED),
        (KeyFacts(3, 0), Standing.PROBLEM),
        (KeyFacts(3, 2), Standing.PROBLEM),
    ],
)
def test_a_master_key_is_judged_by_what_it_opens(facts: KeyFacts, standing: Standing) -> None:
    [found] = judge_keys(facts)
    assert found.standing is standing
