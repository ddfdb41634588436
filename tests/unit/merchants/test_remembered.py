"""What is remembered of merchants: bounded, and forgotten merchant by merchant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.merchants.remembered import Remembered

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.integers(0, 12), st.sampled_from("abc")),
        st.tuples(st.just("forget"), st.sets(st.sampled_from("abc"))),
        st.just(("clear",)),
    ),
    max_size=60,
)


@given(_STEPS)
def test_it_holds_what_was_kept_last_of_whom_nobody_forgot(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    remembered, plain = Remembered[int, str](5), dict[int, str]()
    for step in steps:
        if step[0] == "keep":
            _, key, merchant = step
            plain.pop(key, None)
            while len(plain) >= 5:
                del plain[next(iter(plain))]
            plain[key] = merchant
            remembered.keep(key, merchant, merchant)
        elif step[0] == "forget":
            plain = {key: merchant for key, merchant in plain.items() if merchant not in step[1]}
            remembered.forget(frozenset(step[1]))
        else:
            plain.clear()
            remembered.forget(None)
        assert {key: remembered.get(key) for key in range(13) if remembered.get(key)} == plain
        assert len(remembered) == len(plain)
    remembered.forget(frozenset("abc"))
    assert len(remembered) == 0
