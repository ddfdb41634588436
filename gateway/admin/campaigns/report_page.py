"""A campaign's report as one page that loads nothing: figures, spend by hour, sponsors, refusals; light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Response

from gateway.http.pages import Language, page
from promotions.campaigns.balances import Balance

_COLOURS: Final = 5
"""Of sponsors: as many as a campaign can have."""
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d8dee4;--paper:#fff;--card:#f6f8fa;
--c0:#1f5f99;--c1:#d6402b;--c2:#2f7d4f;--c3:#b7791f;--c4:#6b4fa0;--idle:#8c959f}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b3;--line:#30363d;--paper:#0d1117;--card:#161b22;
--c0:#58a6ff;--c1:#ff7b6b;--c2:#56d38a;--c3:#e3b341;--c4:#bc8cff;--idle:#6e7681}}
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;max-width:60rem;margin:1.5rem auto;
padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:1.8rem 0 .4rem}p{margin:.2rem 0;color:var(--dim)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.7rem;margin:1rem 0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.cards b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.cards span{color:var(--dim);font-size:.85rem}
svg{width:100%;height:auto;display:block}.chart{overflow-x:auto;direction:rtl}.chart svg{min-width:40rem;direction:ltr}
text{fill:var(--dim);font-size:11px}
.k0{fill:var(--c0)}.k1{fill:var(--c1)}.k2{fill:var(--c2)}.k3{fill:var(--c3)}.k4{fill:var(--c4)}.idle{fill:var(--idle)}
.rule{stroke:var(--line);stroke-width:1}.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;color:var(--dim)}
.legend svg{width:.8rem;display:inline-block;vertical-align:-1px;margin-right:.3rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}
@media (max-width:40rem){.chart svg{min-width:60rem}}
@media print{body{margin:0;max-width:none}}
"""
_WIDTH, _HEIGHT, _RIGHT, _BOTTOM, _TOP = 960, 260, 64, 24, 8
"""The scale stands to the right, where a phone, which shows a part of the chart, begins with what is newest."""
_COLUMNS_MAX: Final = 192
"""Beyond eight days of hours, a column is a day."""
_SHORTEST: Final = timedelta(days=1)
"""What a chart shows at least: of a campaign that began an hour ago, a column, not a wall."""
_LABEL_PX: Final = 60
_ROUND_TENTHS: Final = (10, 12, 15, 20, 30, 40, 50, 60, 80, 100)


def report_page(balance: Balance, report: Mapping[str, Any]) -> Response:
    """The page; times are in the campaign's time zone."""
    timezone = ZoneInfo(report["timezone"])
    sponsors = [part["sponsor"] for part in report["sponsors"]]
    parts = [
        _head(balance, report, timezone),
        _cards(balance, report),
        "<h2>Spend by sponsor</h2>",
        _legend(sponsors),
        _spend_chart(report, sponsors, timezone),
        "<h2>Turnover</h2>",
        _turnover_chart(report, timezone),
        _table("Sponsors", ("sponsor", "spent", "returned by refunds"), _sponsor_rows(report)),
        _table("Why payments did not get it", ("reason", "payments"), _refusal_rows(report)),
    ]
    return page(Language.ENGLISH, f"{report['name']} · report", _STYLE, f"<main>{''.join(parts)}</main>")


def _head(balance: Balance, report: Mapping[str, Any], timezone: ZoneInfo) -> str:
    start, end, made = (_time(report[name], timezone) for name in ("from", "to", "made_at"))
    lines = [
        f"{report['campaign_id']} · {report['status']} · version {balance.campaign.version}",
        f"{start} – {end} ({report['timezone']}), made at {made}",
    ]
    return f"<h1>{escape(report['name'])}</h1>" + "".join(f"<p>{escape(line)}</p>" for line in lines)


def _cards(balance: Balance, report: Mapping[str, Any]) -> str:
    payments, quotes, customers, left = report["payments"], report["quotes"], report["customers"], balance.left_fen
    per_fen, conversion = report["turnover_per_fen"], quotes["conversion"]
    cards = [
        (_yuan(report["spent"] - report["returned"]), "subsidy, refunds taken off"),
        (_yuan(report["turnover"] - report["refunded"]), "turnover, refunds taken off"),
        ("–" if per_fen is None else f"¥{per_fen:,.2f}", "turnover for each ¥1 of subsidy"),
        (
            f"{payments['succeeded']:,}",
            f"payments; {payments['held']:,} not decided, {payments['given_back']:,} came to nothing",
        ),
        (f"{customers['new']:,}", f"new customers, of {customers['known']:,} known ones"),
        ("–" if conversion is None else f"{conversion:.0%}", f"redemptions per quote; {quotes['offered']:,} quotes"),
        ("no limit" if left is None else _yuan(left), "left of the budget now"),
    ]
    return '<div class="cards">' + "".join(f"<div><b>{b}</b><span>{text}</span></div>" for b, text in cards) + "</div>"


def _spend_chart(report: Mapping[str, Any], sponsors: Sequence[str], timezone: ZoneInfo) -> str:
    columns = _columns(report, timezone, lambda hour: [hour["sponsors"].get(sponsor, 0) for sponsor in sponsors])
    return _chart("Spend by sponsor and time", columns, [f"k{number % _COLOURS}" for number in range(len(sponsors))])


def _turnover_chart(report: Mapping[str, Any], timezone: ZoneInfo) -> str:
    return _chart("Turnover by time", _columns(report, timezone, lambda hour: [hour["turnover"]]), ["idle"])


def _columns(report: Mapping[str, Any], timezone: ZoneInfo, values: Any) -> list[tuple[str, list[int]]]:
    """Every hour (or day) from the first on in which anything happened, with its label; idle ones too."""
    start, end = (datetime.fromisoformat(report[name]).astimezone(timezone) for name in ("from", "to"))
    if report["hours"]:
        first = datetime.fromisoformat(report["hours"][0]["begins"]).astimezone(timezone)
        start = max(start, min(first, end - _SHORTEST))
    by_day = (end - start) / timedelta(hours=1) > _COLUMNS_MAX
    found: dict[str, list[int]] = {}
    moment = start
    while moment < end:
        found.setdefault(_label(moment.astimezone(timezone), by_day=by_day), [])
        moment += timedelta(hours=1)
    for hour in report["hours"]:
        label = _label(datetime.fromisoformat(hour["begins"]).astimezone(timezone), by_day=by_day)
        sums = found.setdefault(label, [])
        given = values(hour)
        found[label] = [a + b for a, b in zip(sums or [0] * len(given), given, strict=True)]
    return list(found.items())


def _label(moment: datetime, *, by_day: bool) -> str:
    return f"{moment:%m-%d}" if by_day else f"{moment:%m-%d %H}h"


def _chart(title: str, columns: Sequence[tuple[str, list[int]]], kinds: Sequence[str]) -> str:
    """Stacked columns as inline SVG; each says on hovering what it is."""
    top = _round_up(max((sum(values) for _, values in columns), default=0))
    room, step = _HEIGHT - _BOTTOM - _TOP, (_WIDTH - _RIGHT) / max(1, len(columns))
    drawn = [_scale(top, room)]
    every = max(1, math.ceil(_LABEL_PX / step))
    for number, (label, values) in enumerate(columns):
        left, base = number * step, float(_HEIGHT - _BOTTOM)
        for kind, value in zip(kinds, values, strict=False):
            height = value / top * room
            base -= height
            drawn.append(
                f'<rect class="{kind}" x="{left + step * 0.1:.1f}" y="{base:.1f}" width="{step * 0.8:.1f}" '
                f'height="{height:.1f}"><title>{label}: {_yuan(value)}</title></rect>'
                if value
                else ""
            )
        if number % every == 0 and left + _LABEL_PX <= _WIDTH - _RIGHT:
            drawn.append(f'<text x="{left:.1f}" y="{_HEIGHT - 8}">{label}</text>')
    chart = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    return f'<div class="chart" tabindex="0">{chart}</div>'


def _scale(top: int, room: int) -> str:
    lines = []
    for part in (0, 0.5, 1):
        y = _HEIGHT - _BOTTOM - part * room
        lines.append(f'<line class="rule" x1="0" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_WIDTH - _RIGHT + 6}" y="{y + 4:.1f}">{_short(int(top * part))}</text>')
    return "".join(lines)


def _round_up(fen: int) -> int:
    """To a round number of tenths of a power of ten, in fen; at least a yuan."""
    if fen <= 100:
        return 100
    power = int(10 ** int(math.log10(fen)))
    return next(power * tenths // 10 for tenths in _ROUND_TENTHS if power * tenths // 10 >= fen)


def _legend(sponsors: Sequence[str]) -> str:
    dots = [
        f'<span><svg viewBox="0 0 10 10"><rect class="k{number % _COLOURS}" width="10" height="10"/></svg>'
        f"{escape(sponsor)}</span>"
        for number, sponsor in enumerate(sponsors)
    ]
    return f'<div class="legend">{"".join(dots)}</div>'


def _sponsor_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(part["sponsor"], _yuan(part["spent"]), _yuan(part["returned"])) for part in report["sponsors"]]


def _refusal_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(part["reason"].replace("_", " "), f"{part['count']:,}") for part in report["refusals"]]


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"<h2>{title}</h2><p>nothing</p>"
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _yuan(fen: int) -> str:
    """With a real minus: refunds may have given back more than was spent meanwhile."""
    return f"{'−' if fen < 0 else ''}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def _short(fen: int) -> str:
    return f"¥{fen / 100:,.0f}" if fen >= 1_000 else f"¥{fen / 100:g}"


def _time(moment: str, timezone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(timezone):%Y-%m-%d %H:%M}"
