"""What `mashang campaign report` and `mashang campaign watch` print."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.commandline.admin import AdminTarget, call_admin, page_of_admin
from gateway.commandline.campaigns.tables import bar_of, money
from gateway.commandline.till.shown import print_json, say
from gateway.kernel.clock import rfc3339, utc_now

_PATH: Final = "/admin/v1/campaigns"
_HOURS_SHOWN: Final = 24
_RATE_S: Final = 60.0
"""The rate is that of the last minute."""
_REFUSALS_EVERY_S: Final = 5.0
_COLUMN: Final = 30
"""Characters of the longest bar of an hour."""


def report(
    target: AdminTarget, campaign_id: str, period: Mapping[str, str], html: Path | None, *, as_json: bool
) -> None:
    """Print a report, or write it as a page that needs nothing else."""
    path = f"{_of(campaign_id)}/report"
    if html is not None:
        html.write_text(page_of_admin(target, path, params={**period, "format": "html"}), encoding="utf-8")
        say(f"Written: {html}")
        return
    found = call_admin(target, "GET", path, params={**period, "format": "json"})
    if as_json:
        print_json(found)
        return
    console = Console()
    for part in (_figures(found), _sponsors(found), _hours(found), _refusals(found["refusals"])):
        console.print(part, markup=False)


def watch(target: AdminTarget, campaign_id: str, every_s: float, times: int | None) -> None:
    """Show a campaign's budget as it goes, until Ctrl-C or so many looks."""
    looks, console = _Looks(target, campaign_id), Console()
    with Live(looks.next(), console=console, refresh_per_second=4) as live:
        count = 1
        while times is None or count < times:
            time.sleep(every_s)
            live.update(looks.next())
            count += 1
    if not console.is_terminal:
        console.print()  # what is read by no person has no line end of Live's own


class _Looks:
    """One campaign, looked at again and again."""

    def __init__(self, target: AdminTarget, campaign_id: str) -> None:
        self._target = target
        self._path = _of(campaign_id)
        self._used: deque[tuple[float, int, int]] = deque()
        self._refusals: Sequence[Mapping[str, Any]] = ()
        self._refusals_at_s = float("-inf")

    def next(self) -> RenderableType:
        """What there is to see now."""
        found = call_admin(self._target, "GET", self._path)
        now_s = time.monotonic()
        today = found["budget"]["today"]
        self._used.append((now_s, today["used"], today["count_used"]))
        while now_s - self._used[0][0] > _RATE_S:
            self._used.popleft()
        if now_s - self._refusals_at_s > _REFUSALS_EVERY_S:
            self._refusals, self._refusals_at_s = self._read_refusals(), now_s
        return Group(self._state(found), _refusals(self._refusals))

    def _read_refusals(self) -> Sequence[Mapping[str, Any]]:
        now = utc_now()
        period = {"from": rfc3339(now - timedelta(hours=1)), "to": rfc3339(now)}
        found: list[Mapping[str, Any]] = call_admin(self._target, "GET", f"{self._path}/report", params=period)[
            "refusals"
        ]
        return found

    def _state(self, found: Mapping[str, Any]) -> Table:
        budget = found["budget"]
        today = budget["today"]
        table = Table(title=f"{found['name']} · {found['status']}", title_justify="left", show_header=False)
        table.add_row("budget", bar_of(budget))
        for name in ("spent", "held", "left"):
            table.add_row(name, "no limit" if budget[name] is None else money(budget[name]))
        limit = "" if today["budget"] is None else f" of {money(today['budget'])}"
        most = "" if today["count"] is None else f" of {today['count']:,}"
        table.add_row("today", f"{money(today['used'])}{limit}, {today['count_used']:,}{most} payments")
        if budget["count"]["total"] is not None:
            table.add_row("payments", f"{budget['count']['used']:,} of {budget['count']['total']:,}")
        table.add_row("rate", self._rate())
        return table

    def _rate(self) -> str:
        began_s, used, count = self._used[0]
        now_s, used_now, count_now = self._used[-1]
        seconds = now_s - began_s
        if seconds <= 0:
            return "…"
        a_minute = 60 / seconds
        return (
            f"{money(round((used_now - used) * a_minute))} and {(count_now - count) * a_minute:,.0f} payments a minute"
        )


def _of(campaign_id: str) -> str:
    return f"{_PATH}/{quote(campaign_id, safe='')}"


def _figures(found: Mapping[str, Any]) -> Table:
    payments, quotes, customers = found["payments"], found["quotes"], found["customers"]
    begins, ends = (_time(found[name], found["timezone"]) for name in ("from", "to"))
    table = Table(title=f"{found['name']}, {begins} to {ends}", title_justify="left", show_header=False)
    per_fen, conversion = found["turnover_per_fen"], quotes["conversion"]
    rows = (
        (
            "payments",
            f"{payments['succeeded']:,}, {payments['held']:,} not decided, {payments['given_back']:,} came to nothing",
        ),
        ("subsidy", f"{money(found['spent'])}, of which refunds gave back {money(found['returned'])}"),
        ("turnover", f"{money(found['turnover'])}, of which {money(found['refunded'])} were refunded"),
        ("turnover for each ¥1", "–" if per_fen is None else money(round(per_fen * 100))),
        ("new customers", f"{customers['new']:,} of {customers['known']:,} known ones"),
        ("redemptions per quote", "–" if conversion is None else f"{conversion:.0%} of {quotes['offered']:,} quotes"),
    )
    for name, value in rows:
        table.add_row(name, value)
    return table


def _sponsors(found: Mapping[str, Any]) -> Table:
    table = Table("sponsor")
    for heading in ("spent", "returned"):
        table.add_column(heading, justify="right")
    for part in found["sponsors"]:
        table.add_row(part["sponsor"], money(part["spent"]), money(part["returned"]))
    return table


def _hours(found: Mapping[str, Any]) -> Table:
    """The last hours in which anything happened."""
    table = Table("hour", "spent", "")
    table.add_column("payments", justify="right")
    table.add_column("turnover", justify="right")
    hours = found["hours"][-_HOURS_SHOWN:]
    most = max((hour["spent"] for hour in hours), default=0)
    for hour in hours:
        bar = "█" * round(_COLUMN * hour["spent"] / most) if most else ""
        begins = _time(hour["begins"], found["timezone"])
        table.add_row(
            begins, money(hour["spent"]), Text(bar, "green"), f"{hour['redemptions']:,}", money(hour["turnover"])
        )
    return table


def _refusals(refusals: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not refusals:
        return Text("No payment was refused it.", "dim")
    table = Table("why payments did not get it")
    table.add_column("payments", justify="right")
    for each in refusals:
        table.add_row(each["reason"].replace("_", " "), f"{each['count']:,}")
    return table


def _time(moment: str, timezone: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(timezone)):%m-%d %H:%M}"
