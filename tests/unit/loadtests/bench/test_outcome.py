"""Ratios, the baseline's best concurrency, and the verdicts."""

from dataclasses import replace

import pytest

from loadtests.bench.discounts import DiscountCost
from loadtests.bench.measure import CORES, Measurement
from loadtests.bench.outcome import CAMPAIGNS, HOT_CAMPAIGN, NO_CAMPAIGN, RULES, Audit, Outcome, Run, Verdict, verdicts
from loadtests.bench.signatures import SignatureCost
from loadtests.counts import Signing
from loadtests.processes import Memory
from loadtests.traffic.samples import Figures


def run(
    server: str,
    server_us: int,
    *,
    per_second: int = 100,
    others_us: int = 0,
    signed: float = 1.0,
    errors: int = 0,
    **behind_us: int,
) -> Run:
    """Ten seconds in which each payment cost so much."""
    completed = per_second * 10
    figures = Figures(10.0, completed, {"HTTP 500": errors} if errors else {}, [80.0] * completed)
    work = max(completed, 1)
    used = {server: server_us * work} | {name: us * work for name, us in behind_us.items()}
    measured = Measurement(figures, used, others_us)
    return Run(measured, 128, signed, {"intent": 8.0}, Memory(90.0, 60.0), signing=Signing(alone=signed))


@pytest.fixture
def outcome() -> Outcome:
    found = Outcome(signatures=[SignatureCost(300.0, 20.0), SignatureCost(340.0, 20.0)])
    found.add("yardstick", run("yardstick", 160))
    found.add("wechat", run("gateway", 800, PostgreSQL=200, generator=40))
    found.add("unionpay", run("gateway", 1_160, signed=2.0))
    found.add("unionpay keyed", run("gateway", 480, signed=0.0))
    found.add("baseline aiohttp", run("baseline", 2_400, PostgreSQL=1_000))
    return found


def verdict_of(outcome: Outcome, what: str) -> Verdict:
    return next(verdict for verdict in verdicts(outcome) if what in verdict.what)


def test_the_ratio_counts_the_server_only(outcome: Outcome) -> None:
    assert outcome.ratio("wechat") == pytest.approx(5.0)


def test_signatures_are_taken_out_as_measured_in_this_run(outcome: Outcome) -> None:
    assert outcome.ratio("wechat", without_signatures=True) == pytest.approx((800 - 340) / 160)


def test_a_channel_that_is_called_twice_signs_twice(outcome: Outcome) -> None:
    assert outcome.ratio("unionpay", without_signatures=True) == pytest.approx((1_160 - 2 * 340) / 160)


def test_nothing_is_taken_out_where_the_channel_takes_a_keyed_hash(outcome: Outcome) -> None:
    assert outcome.ratio("unionpay keyed", without_signatures=True) == pytest.approx(3.0)


def test_of_signatures_made_together_no_more_is_taken_out_than_their_calls_cost(outcome: Outcome) -> None:
    outcome.signatures = [SignatureCost(300.0, 20.0, (500.0, 600.0, 700.0, 800.0)), SignatureCost(300.0, 20.0)]
    together = run("gateway", 800)
    outcome.add("together", replace(together, signing=Signing(alone=0.25, together=0.75, calls=0.25)))
    assert outcome.rsa_us(outcome.runs["together"]) == pytest.approx(0.25 * 300 + 20 + 0.25 * (700 + 0) / 2)
    assert outcome.ratio("together", without_signatures=True) == pytest.approx((800 - 182.5) / 160)


def test_two_rounds_of_a_run_signed_as_both_did_in_the_mean(outcome: Outcome) -> None:
    again = run("gateway", 800, PostgreSQL=200, generator=40)
    outcome.add("wechat", replace(again, signing=Signing(together=1.0, calls=0.25)))
    assert outcome.runs["wechat"].signing == Signing(alone=0.5, together=0.5, calls=0.125)


def test_without_a_yardstick_there_is_no_ratio(outcome: Outcome) -> None:
    del outcome.runs["yardstick"]
    assert outcome.ratio("wechat") is None
    assert not [verdict for verdict in verdicts(outcome) if verdict.target.startswith("P1")]


@pytest.mark.parametrize(("hot_us", "met"), [(959, True), (961, False)])
def test_a_hot_campaign_costs_at_most_a_fifth_more_than_none(outcome: Outcome, hot_us: int, met: bool) -> None:
    outcome.add(NO_CAMPAIGN, run("gateway", 800, PostgreSQL=200))
    outcome.add(HOT_CAMPAIGN, run("gateway", hot_us, PostgreSQL=200))
    assert verdict_of(outcome, "one hot campaign ÷ none, gateway CPU").met is met
    assert verdict_of(outcome, "CPU of all processes").measured == pytest.approx((hot_us + 200) / 1_000)


def test_what_a_hundred_campaigns_add_is_shown_and_the_price_by_itself_is_judged(outcome: Outcome) -> None:
    outcome.add(CAMPAIGNS, run("gateway", 800))
    outcome.add(NO_CAMPAIGN, run("gateway", 700))
    outcome.discounts = [DiscountCost(50.0, 0.9), DiscountCost(72.0, 0.9)]
    assert verdict_of(outcome, "100 campaigns add").measured == pytest.approx(100)
    assert verdict_of(outcome, "100 campaigns add").met is None
    assert verdict_of(outcome, "price and reservation").met is False


def test_what_a_thousand_rules_add_is_shown_for_each_process(outcome: Outcome) -> None:
    outcome.add(NO_CAMPAIGN, run("gateway", 700, PostgreSQL=150, Valkey=10))
    outcome.add(RULES, run("gateway", 780, PostgreSQL=160, Valkey=40))
    added = {verdict.what.rpartition(" ")[2]: verdict for verdict in verdicts(outcome) if "rules add" in verdict.what}
    assert {name: round(verdict.measured) for name, verdict in added.items()} == {
        "gateway": 80,
        "PostgreSQL": 10,
        "Valkey": 30,
    }
    assert not any(verdict.judged for verdict in added.values())


def test_decisions_without_features_are_told_where_payments_are_screened(outcome: Outcome) -> None:
    assert not [verdict for verdict in verdicts(outcome) if "without features" in verdict.what]
    outcome.add(RULES, replace(run("gateway", 780), screened=1.0, missed_share=0.02))
    outcome.add(RULES, replace(run("gateway", 780), screened=1.0, missed_share=0.04))
    assert verdict_of(outcome, "without features").measured == pytest.approx(3)


def test_everything_in_force_is_judged_by_the_full_ratios_and_nothing_in_force_by_smaller_ones(
    outcome: Outcome,
) -> None:
    outcome.add(NO_CAMPAIGN, run("gateway", 801))
    assert verdict_of(outcome, "rules and 100 campaigns ÷ no-op").met is True
    assert verdict_of(outcome, "without rules and campaigns ÷ no-op").met is False


def test_an_audit_that_compared_no_decision_of_screened_payments_has_failed(outcome: Outcome) -> None:
    table = "│ ✓ │ I3.decision │ {} │ 0 │ a screened payment has its decision │\nThe books agree: 9 payments"
    outcome.audit = Audit(passed=True, output=table.format("0"))
    assert outcome.is_audited
    outcome.add(RULES, replace(run("gateway", 780), screened=1.0))
    assert not outcome.is_audited
    outcome.audit = Audit(passed=True, output=table.format("12,345"))
    assert outcome.audit.decisions == 12_345
    assert outcome.is_audited
    assert not Outcome(audit=Audit(passed=False, output=table.format("12,345"))).is_audited


def test_rounds_are_added_by_payments_and_not_averaged_by_round() -> None:
    found = Outcome()
    found.add("wechat", run("gateway", 1_000, per_second=100))
    found.add("wechat", run("gateway", 700, per_second=200))
    assert found.runs["wechat"].server_us == pytest.approx(800)


def test_the_best_concurrency_is_the_one_with_the_least_cpu_of_its_own() -> None:
    scan = {8: run("baseline", 3_000), 32: run("baseline", 2_300, PostgreSQL=9_000), 128: run("baseline", 2_400)}
    assert Outcome(scans={"aiohttp": scan}).best_open("aiohttp") == 32


@pytest.mark.parametrize(("gateway_us", "met"), [(800, True), (801, False)])
def test_three_times_the_baseline_is_asked_and_judged(outcome: Outcome, gateway_us: int, *, met: bool) -> None:
    outcome.runs["wechat"] = run("gateway", gateway_us)
    assert verdict_of(outcome, "baseline over aiohttp").met is met


@pytest.mark.parametrize(
    ("name", "server"), [("yardstick", "yardstick"), ("wechat", "gateway"), ("baseline aiohttp", "baseline")]
)
@pytest.mark.parametrize(("errors", "judged"), [(10, True), (11, False)])
def test_nothing_is_judged_by_a_run_in_which_much_went_wrong(
    outcome: Outcome, name: str, server: str, errors: int, judged: bool
) -> None:
    """Each payment that was completed seems dearer: good for the gateway where they are the baseline's."""
    outcome.runs[name] = run(server, 5_000, errors=errors)
    of_it = "baseline over aiohttp ÷" if server == "baseline" else "rules and 100 campaigns ÷ no-op"
    assert (verdict_of(outcome, of_it).met is not None) is judged
    assert outcome.unsound == ([] if judged else [name])


def test_nothing_is_judged_where_nothing_was_completed(outcome: Outcome) -> None:
    outcome.runs["yardstick"] = run("yardstick", 160, per_second=0)
    assert verdict_of(outcome, "rules and 100 campaigns ÷ no-op").met is None
    assert outcome.unsound == ["yardstick"]


def test_nothing_is_judged_with_another_number_of_open_requests_than_is_asked_for(outcome: Outcome) -> None:
    outcome.runs["wechat"] = replace(outcome.runs["wechat"], open_requests=32)
    for what in ("rules and 100 campaigns ÷ no-op", "baseline over aiohttp ÷ gateway, CPU", "wechat: payments/s ÷"):
        assert verdict_of(outcome, what).met is None, what
    outcome.runs["baseline aiohttp"] = replace(outcome.runs["baseline aiohttp"], open_requests=32)
    outcome.runs["wechat"] = replace(outcome.runs["wechat"], open_requests=128)
    assert verdict_of(outcome, "baseline over aiohttp ÷ gateway, CPU").met is True, "the baseline is at its own best"


def test_a_price_without_a_reservation_is_not_judged(outcome: Outcome) -> None:
    outcome.discounts = [DiscountCost(20.0, 0.9), DiscountCost(20.0, 0.0)]
    assert verdict_of(outcome, "price and reservation").met is None


def test_a_throughput_that_falls_short_is_not_judged_while_strangers_use_the_machine(outcome: Outcome) -> None:
    assert verdict_of(outcome, "wechat: payments/s ÷").met is False
    outcome.runs["wechat"] = run("gateway", 800, others_us=2_000_000 * CORES)
    assert verdict_of(outcome, "wechat: payments/s ÷").met is None
    outcome.runs["wechat"] = run("gateway", 900 * CORES, per_second=1_000, others_us=1_000_000 * CORES)
    assert verdict_of(outcome, "wechat: payments/s ÷").met is True


def test_utilisation_is_payments_times_cpu_over_the_cores() -> None:
    busy = run("gateway", 900, per_second=1_000, PostgreSQL=100).measurement
    assert busy.utilisation == pytest.approx(1.0 / CORES)
