"""A back-test as one page that loads nothing: figures, rules and days, with charts; light and dark."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from gateway.commandline.campaigns.tables import money
from gateway.commandline.risk.backtest.tables import share
from gateway.http.pages import Language, page
from risk.backtest.outcome import Against, DayTally, Outcome, Ranking, RuleTally
from risk.backtest.tally import Tally
from risk.rules.rule import Mode

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d8dee4;--paper:#fff;--card:#f6f8fa;
--caught:#2f7d4f;--missed:#8c959f;--good:#b7561f}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b3;--line:#30363d;--paper:#0d1117;--card:#161b22;
--caught:#56d38a;--missed:#6e7681;--good:#f0883e}}
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;max-width:68rem;margin:1.5rem auto;
padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:1.8rem 0 .4rem}
p{margin:.2rem 0;color:var(--dim)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,19rem),1fr));gap:.7rem;margin:1rem 0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.cards b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.cards span{color:var(--dim);font-size:.85rem}
.wide{overflow-x:auto}.chart svg{width:100%;min-width:40rem;height:auto;display:block}
text{fill:var(--dim);font-size:11px}.rule{stroke:var(--line);stroke-width:1}
.caught{fill:var(--caught)}.missed{fill:var(--missed)}.good{fill:var(--good)}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;color:var(--dim)}
.legend svg{width:.8rem;display:inline-block;vertical-align:-1px;margin-right:.3rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:8rem}
td small{color:var(--dim);display:block}td svg{width:7rem;height:.7rem;vertical-align:middle}
@media (max-width:40rem){.chart svg{min-width:60rem}}
@media print{body{margin:0;max-width:none}}
"""
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 960, 240, 64, 24, 8
_LABEL_PX: Final = 64
_HEADINGS: Final = ("alerts", "frauds", "precision", "recall", "fraud money", "good customers", "subsidy saved")


def page_of(outcome: Outcome, rule_set: str) -> str:
    """The whole page; `rule_set` is what was played, a file or a version's number."""
    name = f"Version {rule_set} of the rules" if rule_set.isdecimal() else Path(rule_set).name
    live = [each for each in outcome.rules if each.mode is Mode.LIVE]
    shadow = [each for each in outcome.rules if each.mode is Mode.SHADOW]
    parts = [
        _head(outcome, name),
        _cards(outcome),
        "<h2>Frauds by day</h2>",
        _legend(("caught", "caught"), ("missed", "missed"), ("good", "alerts that were no fraud")),
        _chart("Frauds by day", outcome.days),
        "<h2>Rules</h2>",
        _rules(live),
        *(("<h2>Shadow rules: counted, not applied</h2>", _rules(shadow)) if shadow else ()),
        *(() if outcome.ranking is None else ("<h2>Ranking</h2>", _ranking(outcome.ranking))),
        *(() if outcome.against is None else _against(outcome.against)),
        "<h2>Days</h2>",
        _days(outcome.days),
    ]
    made = page(Language.ENGLISH, f"{name} · back-test", _STYLE, f"<main>{''.join(parts)}</main>")
    return bytes(made.body).decode()


def _head(outcome: Outcome, name: str) -> str:
    whole = outcome.whole
    days = f"{outcome.days[0].date} – {outcome.days[-1].date} (UTC)" if outcome.days else "no days"
    before = f"; the {outcome.warm_days} days before only counted in the windows" if outcome.warm_days else ""
    lines = [
        f"{days}{before}",
        f"{whole.payments:,} payments of {money(whole.amount_fen)}, {money(whole.subsidy_fen)} of subsidy",
        f"{whole.frauds:,} frauds of {money(whole.fraud_fen)}",
    ]
    if not outcome.labelled:
        lines.append("No payment has a label: every alert counts as a good customer's.")
    return f"<h1>{escape(name)}</h1>" + "".join(f"<p>{escape(line)}</p>" for line in lines)


def _cards(outcome: Outcome) -> str:
    together, whole = outcome.together, outcome.whole
    cards = [
        (share(together.precision), f"precision: {together.frauds:,} of {together.alerts:,} alerts were fraud"),
        (share(together.recall), f"recall: of {whole.frauds:,} frauds"),
        (money(together.fraud_fen), f"fraud caught, {share(together.fraud_fen_share)} of the money"),
        (f"{together.good_customers:,}", f"good customers hit, with {together.good_payments:,} payments"),
        (money(together.good_fen), "of good payments reviewed or declined"),
        (money(together.subsidy_saved_fen), "subsidy saved"),
    ]
    return '<div class="cards">' + "".join(f"<div><b>{b}</b><span>{text}</span></div>" for b, text in cards) + "</div>"


def _legend(*kinds: tuple[str, str]) -> str:
    dots = [
        f'<span><svg viewBox="0 0 10 10"><rect class="{kind}" width="10" height="10"/></svg>{text}</span>'
        for kind, text in kinds
    ]
    return f'<div class="legend">{"".join(dots)}</div>'


def _chart(title: str, days: Sequence[DayTally]) -> str:
    """Stacked columns as inline SVG; each says on hovering what it is."""
    stacks = [_stack(each) for each in days]
    top = _round_up(max((sum(count for _, count in stack) for stack in stacks), default=0))
    room, step = _HEIGHT - _BOTTOM - _TOP, (_WIDTH - _LEFT) / max(1, len(days))
    every = max(1, math.ceil(_LABEL_PX / step))
    drawn = [_scale(top, room)]
    for number, (day, stack) in enumerate(zip(days, stacks, strict=True)):
        left, base = _LEFT + number * step, float(_HEIGHT - _BOTTOM)
        for kind, count in stack:
            height = count / top * room
            base -= height
            drawn.append(
                f'<rect class="{kind}" x="{left + step * 0.1:.1f}" y="{base:.1f}" width="{step * 0.8:.1f}" '
                f'height="{height:.1f}"><title>{day.date}: {count:,} {kind}</title></rect>'
            )
        if number % every == 0 and left + _LABEL_PX <= _WIDTH:
            drawn.append(f'<text x="{left:.1f}" y="{_HEIGHT - 8}">{day.date[5:]}</text>')
    chart = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(drawn)}</svg>'
    return f'<div class="wide chart" tabindex="0">{chart}</div>'


def _stack(day: DayTally) -> tuple[tuple[str, int], ...]:
    tally = day.tally
    return ("caught", tally.frauds), ("missed", day.whole.frauds - tally.frauds), ("good", tally.good_payments)


def _scale(top: int, room: int) -> str:
    lines = []
    for part in (0, 0.5, 1):
        y = _HEIGHT - _BOTTOM - part * room
        lines.append(f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * part:,.0f}</text>')
    return "".join(lines)


def _round_up(count: int) -> int:
    """To an even number with one digit that is not zero, or two of them."""
    if count <= 10:
        return 10
    power = int(10 ** int(math.log10(count)))
    return next(power * tenths // 10 for tenths in range(10, 101, 2) if power * tenths // 10 >= count)


def _measures(tally: Tally) -> tuple[str, ...]:
    return (
        f"{tally.alerts:,}",
        f"{tally.frauds:,}",
        share(tally.precision),
        share(tally.recall),
        money(tally.fraud_fen),
        f"{tally.good_customers:,}",
        money(tally.subsidy_saved_fen),
    )


def _rules(rules: Sequence[RuleTally]) -> str:
    most = max((each.tally.alerts for each in rules), default=0) or 1
    rows = []
    for each in rules:
        missing = f"<small>not known here: {escape(', '.join(each.missing))}</small>" if each.missing else ""
        code = f"{_breakable(each.code)}<small>{each.action}</small>{missing}"
        alone = "" if each.alone is None else f"{each.alone:,}"
        rows.append((code, _bar(each.tally, most), alone, *_measures(each.tally)))
    return _table(("rule", "", "only it", *_HEADINGS), rows)


def _breakable(code: str) -> str:
    """A rule's code as HTML; in a narrow column it breaks between its words."""
    return re.sub(r"([._-])", r"\1<wbr>", escape(code))


def _bar(tally: Tally, most: int) -> str:
    """Frauds, then the other alerts, of the most alerts that a rule has."""
    frauds, others = 100 * tally.frauds / most, 100 * tally.good_payments / most
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="caught" width="{frauds:.1f}" height="10"/>'
        f'<rect class="good" x="{frauds:.1f}" width="{others:.1f}" height="10"/></svg>'
    )


def _ranking(ranking: Ranking) -> str:
    rows = [
        (
            "by the model's score",
            share(ranking.model_average_precision, 4),
            share(ranking.model_customer_precision, 4),
        ),
        (
            "by the rules' verdict, then the score",
            share(ranking.average_precision, 4),
            share(ranking.customer_precision, 4),
        ),
    ]
    return _table(("order of payments", "average precision", "precision of 100 customers a day"), rows)


def _against(against: Against) -> tuple[str, str]:
    rows = [
        ("of that version", *_measures(against.together)),
        ("new", *_measures(against.new)),
        ("no more", *_measures(against.gone)),
    ]
    return f"<h2>Against version {against.version}</h2>", _table(("alerts of", *_HEADINGS), rows)


def _days(days: Sequence[DayTally]) -> str:
    rows = [(each.date, f"{each.whole.payments:,}", f"{each.whole.frauds:,}", *_measures(each.tally)) for each in days]
    return _table(("day", "payments", "frauds in all", *_HEADINGS), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
