"""The doctor's report: a table by area with what to do, or JSON for scripts; and the exit status."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Final

from rich.console import Console
from rich.table import Table

from gateway.doctor.finding import Finding, Standing


class ExitStatus(IntEnum):
    """What scripts rely on; warnings and what could not be looked at are 0."""

    WELL = 0
    PROBLEMS = 2


_MARKS: Final = {
    Standing.OK: ("ok", "green"),
    Standing.NOT_CHECKED: ("not checked", "dim"),
    Standing.WARNING: ("warning", "yellow"),
    Standing.PROBLEM: ("PROBLEM", "bold red"),
}
_WIDTH_UNKNOWN: Final = 160


def show_report(found: Sequence[Finding], accepted: Collection[str], *, as_json: bool) -> ExitStatus:
    """Print it.  An accepted problem is a warning."""
    findings = [_accepted(finding) if finding.name in accepted else finding for finding in found]
    has_problems = any(finding.standing is Standing.PROBLEM for finding in findings)
    status = ExitStatus.PROBLEMS if has_problems else ExitStatus.WELL
    if as_json:
        sys.stdout.write(report_json(findings, status) + "\n")
    else:
        _print(findings)
    return status


def report_json(findings: Sequence[Finding], status: ExitStatus) -> str:
    """One object: exit status, counts by standing, findings."""
    counts = Counter(finding.standing for finding in findings)
    rows = [
        {
            "area": finding.area,
            "check": finding.check,
            "standing": finding.standing.replace(" ", "_"),
            "told": finding.told,
            "advice": finding.advice or None,
        }
        for finding in findings
    ]
    summary = {standing.replace(" ", "_"): counts[standing] for standing in Standing}
    return json.dumps({"exit_status": status, "summary": summary, "findings": rows}, ensure_ascii=False)


def _accepted(finding: Finding) -> Finding:
    if finding.standing is not Standing.PROBLEM:
        return finding
    return replace(finding, standing=Standing.WARNING, told=f"{finding.told} (accepted)")


def _print(findings: Sequence[Finding]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_UNKNOWN)
    table = Table(show_lines=False)
    for heading in ("area", "check", "", "what was seen, and what to do"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "")
    area = None
    for finding in findings:
        if area is not None and finding.area != area:
            table.add_section()
        word, style = _MARKS[finding.standing]
        told = f"{finding.told}\n→ {finding.advice}" if finding.advice else finding.told
        shown = "" if finding.area == area else str(finding.area)
        table.add_row(shown, _plain(finding.check), f"[{style}]{word}[/]", _plain(told))
        area = finding.area
    console.print(table)
    counts = Counter(finding.standing for finding in findings)
    console.print(", ".join(f"{counts[standing]} {standing}" for standing in Standing if counts[standing]))


def _plain(text: str) -> str:
    """Brackets in it are no markup."""
    return text.replace("[", r"\[")
