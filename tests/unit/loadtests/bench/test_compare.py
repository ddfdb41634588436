"""Differences between two runs are told with the noise of their rounds beside them."""

from typing import Any

import pytest

from loadtests.bench.compare import Change, changes


def document(no_op_us: float, gateway_us: float, rounds: list[float], **behind: float) -> dict[str, Any]:
    return {
        "runs": {
            "yardstick": {"cpu_us_per_payment": {"yardstick": no_op_us, "generator": 30.0}},
            "wechat": {
                "cpu_us_per_payment": {"gateway": gateway_us, "generator": 30.0, **behind},
                "server_us_rounds": rounds,
            },
        }
    }


def change(found: list[Change], process: str) -> Change:
    return next(each for each in found if (each.run, each.process) == ("wechat", process))


def test_a_difference_counts_when_it_is_larger_than_the_rounds_differ_among_themselves() -> None:
    before = document(150, 1_000, [990, 1_010])
    assert change(changes(document(150, 900, [890, 910]), before), "server").is_beyond_noise is True
    noisy = change(changes(document(150, 900, [800, 1_000]), before), "server")
    assert noisy.difference == pytest.approx(-0.1)
    assert noisy.noise == pytest.approx(200 / 900)
    assert noisy.is_beyond_noise is False


def test_with_one_round_nothing_is_said_of_noise() -> None:
    found = changes(document(150, 900, [900]), document(150, 1_000, [1_000]))
    assert change(found, "server").is_beyond_noise is None


def test_a_slower_machine_does_not_look_like_slower_code() -> None:
    found = changes(document(180, 1_200, [1_200]), document(150, 1_000, [1_000]))
    assert change(found, "server").difference == pytest.approx(0.2)
    assert change(found, "server ÷ no-op").difference == pytest.approx(0.0)


def test_what_stands_behind_the_server_is_compared_and_the_generator_is_not() -> None:
    found = changes(document(150, 900, [], PostgreSQL=200.0), document(150, 900, [], PostgreSQL=400.0, Valkey=10.0))
    assert change(found, "PostgreSQL").difference == pytest.approx(-0.5)
    assert {each.process for each in found if each.run == "wechat"} == {"server", "server ÷ no-op", "PostgreSQL"}


def test_a_run_of_the_gateway_with_another_number_of_open_requests_is_another_run() -> None:
    now, before = document(150, 900, []), document(150, 1_000, [])
    now["runs"]["wechat"]["open_requests"], before["runs"]["wechat"]["open_requests"] = 128, 32
    assert {each.run for each in changes(now, before)} == {"yardstick"}
    for each, number in ((now, 64), (before, 32)):
        each["runs"]["baseline aiohttp"] = {**each["runs"].pop("wechat"), "open_requests": number}
    assert "baseline aiohttp" in {each.run for each in changes(now, before)}, "each at its own best"


def test_runs_that_only_one_of_them_has_are_left_out() -> None:
    before = document(150, 1_000, [])
    del before["runs"]["wechat"]
    assert {each.run for each in changes(document(150, 900, []), before)} == {"yardstick"}
