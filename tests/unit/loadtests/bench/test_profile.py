"""Raw stacks of the profiler become shares by function."""

from loadtests.bench.profile import tally


def test_time_is_counted_for_the_innermost_function_and_for_all_above_it() -> None:
    found = tally(["main;take;sign 30", "main;take 10", "main;wait;main 5"])
    assert found.itself == {"sign": 30, "take": 10, "main": 5}
    assert found.with_called == {"main": 45, "take": 40, "sign": 30, "wait": 5}
