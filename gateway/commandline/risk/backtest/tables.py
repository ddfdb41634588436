"""How a back-test looks in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table

from gateway.commandline.campaigns.tables import money
from risk.backtest.outcome import Against, DayTally, Outcome, Ranking, RuleTally
from risk.backtest.tally import Tally, Whole
from risk.rules.rule import Mode

_MEASURES: Final = ("alerts", "frauds", "precision", "recall", "fraud money", "good customers", "good money", "subsidy")
_BAR: Final = 20
_DAYS_SHOWN: Final = 31


def tables_of(outcome: Outcome) -> Iterator[Table]:
    """Together, by rule, against the set in force, and by day."""
    yield _together(outcome)
    yield _rules("live rules", [each for each in outcome.rules if each.mode is Mode.LIVE])
    shadow = [each for each in outcome.rules if each.mode is Mode.SHADOW]
    if shadow:
        yield _rules("shadow rules: counted, not applied", shadow)
    if outcome.ranking is not None:
        yield _ranking(outcome.ranking)
    if outcome.against is not None:
        yield _against(outcome.against)
    yield _days(outcome.days[-_DAYS_SHOWN:])


def share(value: float | None, digits: int = 3) -> str:
    """Such as 0.973; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def _measures(tally: Tally) -> tuple[str, ...]:
    return (
        f"{tally.alerts:,}",
        f"{tally.frauds:,}",
        share(tally.precision),
        share(tally.recall),
        money(tally.fraud_fen),
        f"{tally.good_customers:,}",
        money(tally.good_fen),
        money(tally.subsidy_saved_fen),
    )


def _table(first: Sequence[str], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in first:
        table.add_column(heading, overflow="fold")
    for heading in _MEASURES:
        table.add_column(heading, justify="right")
    return table


def _together(outcome: Outcome) -> Table:
    whole: Whole = outcome.whole
    begins, ends = (outcome.days[0].date, outcome.days[-1].date) if outcome.days else ("–", "–")
    title = (
        f"{begins} to {ends}: {whole.payments:,} payments of {money(whole.amount_fen)}, {whole.frauds:,} frauds of "
        f"{money(whole.fraud_fen)}, {money(whole.subsidy_fen)} of subsidy; {outcome.warm_days} days before only counted"
    )
    if not outcome.labelled:
        title += "; no payment has a label, so that every alert counts as a good customer's"
    table = _table(("all together",), title)
    table.add_row("reviewed or declined", *_measures(outcome.together))
    return table


def _rules(title: str, rules: Sequence[RuleTally]) -> Table:
    table = _table(("rule", "action", "only it"), title)
    for each in rules:
        alone = "" if each.alone is None else f"{each.alone:,}"
        missing = f"\nnot known here: {', '.join(each.missing)}" if each.missing else ""
        table.add_row(f"{each.code}{missing}", each.action, alone, *_measures(each.tally))
    return table


def _ranking(ranking: Ranking) -> Table:
    table = Table("order of payments", title="ranking", title_justify="left")
    table.add_column("average precision", justify="right")
    table.add_column("100 customers a day", justify="right")
    rows = (
        ("by the model's score", ranking.model_average_precision, ranking.model_customer_precision),
        ("by the rules' verdict, then the score", ranking.average_precision, ranking.customer_precision),
    )
    for name, precision, customers in rows:
        table.add_row(name, share(precision, 4), share(customers, 4))
    return table


def _against(against: Against) -> Table:
    table = _table(("alerts of",), f"against version {against.version}")
    table.add_row("of that version", *_measures(against.together))
    table.add_row("new", *_measures(against.new))
    table.add_row("no more", *_measures(against.gone))
    return table


def _days(days: Sequence[DayTally]) -> Table:
    table = Table("day", "", title="by day: █ caught, ░ missed, + good payments", title_justify="left")
    for heading in ("payments", "frauds", "alerts", "precision", "recall", "fraud money caught", "of"):
        table.add_column(heading, justify="right")
    most = max((max(each.whole.frauds, each.tally.alerts) for each in days), default=0) or 1
    for each in days:
        tally, whole = each.tally, each.whole
        parts = ((tally.frauds, "█"), (whole.frauds - tally.frauds, "░"), (tally.good_payments, "+"))
        bar = "".join(sign * round(_BAR * count / most) for count, sign in parts)
        figures = (f"{whole.payments:,}", f"{whole.frauds:,}", f"{tally.alerts:,}")
        shares = (share(tally.precision), share(tally.recall))
        table.add_row(each.date, bar, *figures, *shares, money(tally.fraud_fen), money(whole.fraud_fen))
    return table
