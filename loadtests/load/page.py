"""The report as one page that loads nothing: figures, charts over the run, tables, the audit; light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from gateway.http.pages import Language, page
from loadtests.bench.document import revision_in_words
from loadtests.load.charts import Line, chart
from loadtests.load.plan import Model
from loadtests.load.report import Run, answers_of, best_per_s, cpu_per_payment, memory_in_words, mix_of
from loadtests.load.tally import LATE_MS, Second

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d8dee4;--paper:#fff;--card:#f6f8fa;
--a:#2f7d4f;--b:#2a62a8;--c:#b7561f;--d:#8c959f;--e:#8250df;--f:#b08800}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b3;--line:#30363d;--paper:#0d1117;--card:#161b22;
--a:#56d38a;--b:#6cb0ff;--c:#f0883e;--d:#6e7681;--e:#b392f0;--f:#e3b341}}
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;max-width:68rem;margin:1.5rem auto;
padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:1.8rem 0 .4rem}
p{margin:.2rem 0;color:var(--dim)}small{color:var(--dim);font-weight:normal}
em{font-style:normal}.passed{color:var(--a)}.missed{color:var(--c)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:.7rem;margin:1rem 0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem}
.cards b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.cards span{color:var(--dim);font-size:.85rem}
.wide{overflow-x:auto}.chart svg{width:100%;min-width:40rem;height:auto;display:block}
text{fill:var(--dim);font-size:11px}.rule{stroke:var(--line);stroke-width:1}
.a{fill:var(--a);stroke:var(--a)}.b{fill:var(--b);stroke:var(--b)}.c{fill:var(--c);stroke:var(--c)}
.d{fill:var(--d);stroke:var(--d)}.e{fill:var(--e);stroke:var(--e)}.f{fill:var(--f);stroke:var(--f)}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;color:var(--dim)}
.legend svg{width:.8rem;display:inline-block;vertical-align:-1px;margin-right:.3rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:8rem}
pre{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.8rem;overflow-x:auto;
font-size:12px;line-height:1.35}
@media print{body{margin:0;max-width:none}}
"""
_STYLES: Final = "abcdef"


def page_of(run: Run) -> str:
    """The whole page."""
    title = f"Load: {run.plan.shape}, {run.plan.model}"
    parts = [
        _head(run, title),
        _cards(run),
        _rates(run),
        _times(run),
        _cores(run),
        *_memory(run),
        *_knee(run),
        "<h2>CPU per payment <small>µs; all that the mix does is in it</small></h2>",
        _cpu(run),
        "<h2>Ends</h2>",
        _ends(run),
        "<h2>Requests <small>ms</small></h2>",
        _requests(run),
        *_errors(run),
        "<h2>Audit</h2>",
        f"<pre>{escape(run.verdict.audit_output)}</pre>",
    ]
    made = page(Language.ENGLISH, title, _STYLE, f"<main>{''.join(parts)}</main>")
    return bytes(made.body).decode()


def _head(run: Run, title: str) -> str:
    plan = run.plan
    what = "tills" if plan.model is Model.CLOSED else "customers a second"
    made = f"{run.about['time']}, {revision_in_words(run.about['revision'])}"
    lines = [
        f"{made}; at most {plan.level:,} {what}, {run.seconds:,.0f} s, {run.processes} Locust process(es)",
        f"{len(plan.shops):,} shops and {plan.customers:,} customers by Zipf's law; "
        + ", ".join(f"{name} {percent:.1f} %" for name, percent in mix_of(run.tally).items()),
    ]
    if run.faults:
        lines.append("; ".join(run.faults))
    verdict = '<b class="passed">passed</b>' if run.passed else '<b class="missed">failed</b>'
    return f"<h1>{escape(title)} · {verdict}</h1>" + "".join(f"<p>{escape(line)}</p>" for line in lines)


def _cards(run: Run) -> str:
    total, best = run.tally.total(), best_per_s(run.tally, 10)
    audit = '<em class="passed">clean</em>' if run.verdict.audit_passed else '<em class="missed">not clean</em>'
    cards = [
        (f"{total.paid / max(1, run.seconds):,.1f}/s", f"{total.paid:,} payments succeeded"),
        ("–" if best is None else f"{best:,.1f}/s", "in the best ten seconds"),
        (f"{total.percentile_ms(50):,.0f} ms", "median of bar code payments, the channel's time included"),
        (f"{total.percentile_ms(99):,.0f} ms", "99 % of them"),
        (f"{sum(total.refused.values()):,}", "refusals (429, 503), tried again as a till does"),
        (
            f"{total.late:,}",
            f"customers served over {LATE_MS:.0f} ms late by the generator, at most {total.late_ms_max:,.0f} ms",
        ),
        (f"{total.errors:,}", "errors"),
        (audit, f"audit: {_books(run)}, PostgreSQL, simulators"),
    ]
    return '<div class="cards">' + "".join(f"<div><b>{b}</b><span>{text}</span></div>" for b, text in cards) + "</div>"


def _books(run: Run) -> str:
    if not run.verdict.books_here:
        return "without the books of clients on other machines"
    return f"books of {run.books.books} client(s) with {run.books.lines:,} lines"


def _by_second(run: Run) -> list[tuple[float, Second]]:
    """Every second of the run, also those in which nothing happened."""
    first = min(run.tally.seconds, default=0)
    return [(at, run.tally.seconds.get(first + at, Second())) for at in range(int(run.seconds))]


def _rates(run: Run) -> str:
    rows = _by_second(run)
    lines = [
        Line("d", "customers", [(at, row.arrived) for at, row in rows]),
        Line("a", "payments", [(at, row.paid) for at, row in rows]),
        Line("f", "refused", [(at, sum(row.refused.values())) for at, row in rows]),
        Line("c", "errors", [(at, row.errors) for at, row in rows]),
        Line("e", "late", [(at, row.late) for at, row in rows]),
    ]
    return chart("What came, and what came of it", "a second", lines, run.seconds)


def _times(run: Run) -> str:
    rows = [(at, row) for at, row in _by_second(run) if row.percentile_ms(50)]
    lines = [
        Line(style, f"p{percent}", [(at, row.percentile_ms(percent)) for at, row in rows])
        for style, percent in (("b", 50), ("f", 95), ("c", 99))
    ]
    return chart("Answers to bar code payments", "ms", lines, run.seconds)


def _cores(run: Run) -> str:
    first = min(run.tally.seconds, default=0)
    lines = [
        Line(style, name, [(at - first, value) for at, value in points if 0 <= at - first <= run.seconds])
        for style, (name, points) in zip(_STYLES, run.readings.cores().items(), strict=False)
    ]
    return chart("CPU", "cores", lines, run.seconds)


def _memory(run: Run) -> list[str]:
    """Of the gateway over the time: flat in a soak."""
    first = min(run.tally.seconds, default=0)
    points = [(at - first, mib) for at, mib in run.readings.memory if 0 <= at - first <= run.seconds]
    if not points:
        return []
    said = f"<p>{escape(memory_in_words(run.readings))}</p>"
    return [chart("Memory of the gateway", "MiB, resident", [Line("b", "gateway", points)], run.seconds), said]


def _knee(run: Run) -> list[str]:
    if run.knee is None:
        return []
    rows = [
        (
            f"{step['level']:,}" + (" ◀ knee" if step == run.knee["knee"] else ""),
            f"{step['paid_per_s']:,.1f}",
            *(f"{step[name]:,.0f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
            f"{100 * step['refused_share']:.1f}",
        )
        for step in run.knee["steps"]
    ]
    said = f"<p>{escape(knee_sentence(run.knee))}</p>"
    headings = ("level", "payments/s", "p50 ms", "p95 ms", "p99 ms", "refusals per 100 customers")
    return ["<h2>Knee</h2>", said, _table(headings, rows)]


def knee_sentence(knee: object) -> str:
    """What a climb found, in words."""
    assert isinstance(knee, dict)
    if not knee["bends"]:
        return "The climb came to its top without a bend: give it a higher --level."
    why = "beyond it: " + "; ".join(knee["bends"])
    if knee["knee"] is None:
        return f"The first step is beyond the knee: give it a lower --level. {why}"
    return f"Knee at {knee['knee']['level']:,} with {knee['knee']['paid_per_s']:,.1f} payments/s; {why}"


def _cpu(run: Run) -> str:
    costs = cpu_per_payment(run)
    rows = [(escape(name), f"{cost:,.0f}") for name, cost in costs.items()]
    rows.append(("all", f"{sum(costs.values()):,.0f}"))
    others = f"<p>Other processes used {run.readings.others_share:.0%} of the machine meanwhile.</p>"
    return _table(("processes", "µs per payment"), rows) + others


def _ends(run: Run) -> str:
    total = run.tally.total()
    rows = [(escape(name), f"{count:,}") for name, count in total.ends.most_common()]
    rows += [(f"refusals, HTTP {status}", f"{count:,}") for status, count in total.refused.items()]
    return _table(("payments", ""), rows)


def _requests(run: Run) -> str:
    rows = [
        (escape(kind), f"{row['count']:,}", *(f"{row[f'p{percent}']:,.0f}" for percent in (50, 95, 99)))
        for kind, row in answers_of(run.tally.total()).items()
    ]
    return _table(("request", "answers", "p50", "p95", "p99"), rows)


def _errors(run: Run) -> list[str]:
    rows = [(escape(text), f"{count:,}") for text, count in run.tally.errors.most_common(20)]
    return ["<h2>Errors</h2>", _table(("what", "times"), rows)] if rows else []


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
