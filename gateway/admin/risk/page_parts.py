"""What the pages of the risk analyst share: the style, and how amounts, times and badges look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.kernel.clock import utc_now

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d8dee4;--paper:#fff;--card:#f6f8fa;
--good:#1a7f37;--bad:#cf222e;--warn:#9a6700;--info:#0969da;--good-bg:#dafbe1;--bad-bg:#ffebe9;--warn-bg:#fff8c5;
--info-bg:#ddf4ff}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b3;--line:#30363d;--paper:#0d1117;--card:#161b22;
--good:#56d364;--bad:#ff7b72;--warn:#e3b341;--info:#79c0ff;--good-bg:#12261e;--bad-bg:#301517;--warn-bg:#272115;
--info-bg:#121d2f}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;max-width:64rem;margin:1.5rem auto;
padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.45rem;margin:0;display:flex;flex-wrap:wrap;gap:.6rem;align-items:center}
h2{font-size:1.05rem;margin:1.9rem 0 .5rem}p{margin:.2rem 0;color:var(--dim)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.7rem;margin:1rem 0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.cards b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums}
.cards span{color:var(--dim);font-size:.87rem}
.badge{font-size:.8rem;font-weight:600;border-radius:1rem;padding:.08rem .6rem;white-space:nowrap;
color:var(--dim);background:var(--card);border:1px solid var(--line)}
.good{color:var(--good);background:var(--good-bg);border-color:transparent}
.bad{color:var(--bad);background:var(--bad-bg);border-color:transparent}
.warn{color:var(--warn);background:var(--warn-bg);border-color:transparent}
.info{color:var(--info);background:var(--info-bg);border-color:transparent}
.wide{overflow-x:auto}.wide+.wide{margin-top:1rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--dim);font-weight:500;font-size:.87rem}td.n,th.n{text-align:right;white-space:nowrap}
.id{font:.82rem ui-monospace,SFMono-Regular,Menlo,monospace;color:var(--dim);overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0}dt{color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
.wide .id{white-space:nowrap}.when{font:.82rem ui-monospace,SFMono-Regular,Menlo,monospace;color:var(--dim)}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(19rem,1fr));gap:0 2rem}
blockquote{margin:.5rem 0;padding:.5rem .9rem;border-left:3px solid var(--line);background:var(--card);
white-space:pre-wrap;overflow-wrap:anywhere}
.steps{list-style:none;margin:0;padding:0}.steps li{border-left:2px solid var(--line);padding:.1rem 0 .7rem 1rem}
@media (max-width:40rem){.few .id,.few .badge,.few td.n{white-space:normal;overflow-wrap:anywhere}
.few td:first-child{min-width:5rem}}
@media print{body{margin:0;max-width:none}}
"""
_FEW: Final = 3
"""So many columns fit a phone, where their cells may break; more of them are scrolled."""
_CHINA: Final = ZoneInfo("Asia/Shanghai")
"""Pages of operations show one clock, whoever's the merchant is."""
_LOOKS: Final = {
    "good": ("good", "succeeded", "captured", "approve"),
    "bad": ("fraud", "overdue", "decline", "failed", "refused"),
    "warn": ("complaint", "review", "reversed"),
    "info": ("open", "processing", "pending"),
}
_KINDS: Final = {word: look for look, words in _LOOKS.items() for word in words}
_UNITS_S: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


def yuan(fen: int) -> str:
    """Such as ¥1,234.50."""
    return f"¥{fen // 100:,}.{fen % 100:02d}"


def at(moment: str) -> str:
    """A time of the API in Beijing time."""
    return f"{datetime.fromisoformat(moment).astimezone(_CHINA):%Y-%m-%d %H:%M:%S}"


def lasted(seconds: float) -> str:
    """In its two largest units: `2 d 3 h`, `14 min`."""
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS_S:
        if rest >= size and len(parts) < 2:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts) or f"{rest} s"


def until(moment: str) -> str:
    """How long from now to a time of the API: `in 5 h 12 min`, `3 h ago`."""
    left_s = (datetime.fromisoformat(moment) - utc_now()).total_seconds()
    return f"in {lasted(left_s)}" if left_s >= 0 else f"{lasted(-left_s)} ago"


def badge(text: str) -> str:
    """A word in the colour of what it means."""
    return f'<span class="badge {_KINDS.get(text, "")}">{escape(text.replace("_", " "))}</span>'


def cards(given: Iterable[tuple[str, str]]) -> str:
    """Figures with what they are."""
    drawn = "".join(f"<div><b>{escape(figure)}</b><span>{escape(text)}</span></div>" for figure, text in given)
    return f'<div class="cards">{drawn}</div>'


def facts(given: Iterable[tuple[str, Any]]) -> str:
    """Names and values; what nobody knows is left out."""
    rows = [(name, value) for name, value in given if value not in (None, "", [], {})]
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in rows) + "</dl>"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: frozenset[int] = frozenset()) -> str:
    """Cells are HTML; the columns of `numbers` stand to the right."""
    if not rows:
        return "<p>nothing</p>"

    def cells(name: str, texts: Sequence[str]) -> str:
        scope = ' scope="col"' if name == "th" else ""
        marked = [' class="n"' if number in numbers else "" for number in range(len(texts))]
        return "".join(f"<{name}{scope}{mark}>{text}</{name}>" for mark, text in zip(marked, texts, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    kind = "wide few" if len(headings) <= _FEW else "wide"
    return (
        f'<div class="{kind}"><table><thead><tr>{cells("th", headings)}</tr></thead><tbody>{body}</tbody></table></div>'
    )
