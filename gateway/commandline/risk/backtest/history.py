"""Where a back-test's payments come from: files, or the payments that are stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.commandline.till.shown import say
from gateway.processes.errors import StackError
from risk.backtest.history import DAY_MS, History, up_to
from risk.backtest.playing import moment
from risk.backtest.table import TableError, TableForm, read_tables

_DELAY: Final = re.compile(r"([0-9]{1,4})([mhd])")
_UNITS_S: Final = {"m": 60, "h": 3_600, "d": 86_400}
_DAY: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Source:
    """As it was given on the command line."""

    files: tuple[Path, ...]
    mapped: tuple[str, ...]
    start: datetime
    timezone: str
    label_delay: str
    begin: datetime | None
    end: datetime | None
    state: Path
    report_to: str | None = None


def history_of(source: Source) -> History:
    """Read it, up to the last day that is to be reported.  Raises StackError with a sentence."""
    history = _read(source)
    return history if source.report_to is None else up_to(history, day_of(source.report_to, history))


def _read(source: Source) -> History:
    stored = source.begin is not None or source.end is not None
    if bool(source.files) == stored:
        raise StackError("Name the payments: --data FILE, or --from and --to for those that are stored.")
    if stored:
        from gateway.commandline.risk.backtest.stored import stored_history  # noqa: PLC0415  (needs a database)

        return stored_history(source.state, source.begin, source.end)
    say(f"Reading {', '.join(map(str, source.files))} …")
    try:
        return read_tables(source.files, _form(source))
    except TableError as error:
        raise StackError(str(error)) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise StackError(f"The payments could not be read: {error}") from None


def _form(source: Source) -> TableForm:
    headings = {}
    for entry in source.mapped:
        name, equals, heading = entry.partition("=")
        if not equals or not name or not heading:
            raise StackError(f"--map takes NAME=HEADING, not {entry}.")
        headings[name] = heading
    try:
        ZoneInfo(source.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise StackError(f"There is no time zone {source.timezone}.") from None
    return TableForm(headings, source.start.replace(tzinfo=UTC), source.timezone, _delay_s(source.label_delay))


def _delay_s(text: str) -> int:
    found = _DELAY.fullmatch(text)
    if found is None:
        raise StackError(f"A delay is a number and m, h or d, such as 7d, not {text}.")
    return int(found[1]) * _UNITS_S[found[2]]


def first_day(report_from: str | None, source: Source, history: History) -> int:
    """The day to report from: what was said, else --from, else the first one."""
    first = int(history.days[0])
    if report_from is not None:
        return day_of(report_from, history)
    if source.begin is None:
        return first
    wanted = int((source.begin.replace(tzinfo=UTC).timestamp() * 1000 - history.day_zero_ms) // DAY_MS)
    return max(first, wanted)


def day_of(text: str, history: History) -> int:
    """A day's number in the history, from its number or its date.  Raises StackError."""
    first, last = int(history.days[0]), int(history.days[-1])
    if _DAY.fullmatch(text):
        day = int(text)
    else:
        try:
            ordinal = date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
        except ValueError:
            raise StackError(f"A day is a number or a date such as 2026-11-22, not {text}.") from None
        day = ordinal - history.day_zero_ms // DAY_MS
    if not first <= day <= last:
        days = f"{first} ({moment(history, first):%Y-%m-%d}) to {last} ({moment(history, last):%Y-%m-%d})"
        raise StackError(f"The payments are of the days {days}; {text} is none of them.")
    return day
