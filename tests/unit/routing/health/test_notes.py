"""What processes tell each other: bounded, read back as written, harmless where it is not ours, never counted twice."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.channels.base import Wallet
from routing.health import health as health_module
from routing.health import notes
from routing.health.health import Health
from routing.health.notes import CELLS_MAX, Hearing, Note
from routing.health.settings import HealthSettings
from routing.health.standing import BreakerState
from routing.health.verdicts import Verdict
from routing.sale import Cell, Method

WECHAT = Cell("front", Wallet.WECHAT, Method.BARCODE)


class Process:
    """A Health on a clock that all share, and what it hears."""

    now = 1_000.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.health = Health(HealthSettings(), lambda: Process.now)
        self.hearing = Hearing(self.health)

    def tell(self, age_s: float = 0.0) -> Note:
        return Note(self.name, notes.write(self.health), age_s)

    def saw(self, verdict: Verdict, times: int = 1, cell: Cell = WECHAT) -> None:
        for _ in range(times):
            self.health.begin(cell).end(verdict)

    @property
    def state(self) -> BreakerState:
        return self.health.standing(WECHAT).state


def test_a_note_says_what_its_process_saw() -> None:
    one, two = Process("one"), Process("two")
    one.saw(Verdict.OK, 90)
    one.saw(Verdict.FAULT, 10)
    two.hearing.hear([one.tell()])
    own, heard = one.health.standing(WECHAT), two.health.standing(WECHAT)
    assert (heard.success, heard.spread, heard.weight) == pytest.approx((own.success, own.spread, own.weight))
    two.hearing.hear([one.tell()])
    assert heard.weight == 100, "each note is in the place of the one before"
    assert b"[]" in notes.write(Process("three").health), "who saw nothing has nothing to tell"
    assert not orjson.loads(two.tell().text)["cells"], "what was heard is not told on"


def test_others_can_name_so_many_cells_and_no_more_and_those_in_use_are_always_heard_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health_module, "CELLS_KEPT_MAX", 50)
    strangers, two = [Process(f"stranger {number}") for number in range(3)], Process("two")
    for stranger in strangers:
        for number in range(40):
            stranger.saw(Verdict.OK, 5, Cell(f"{stranger.name} {number}", Wallet.WECHAT, Method.BARCODE))
    two.hearing.hear([stranger.tell() for stranger in strangers])
    assert len(list(two.health.cells)) == 50
    one = Process("one")
    one.saw(Verdict.OK, 100)
    standing = two.health.standing(WECHAT)
    two.hearing.hear([one.tell(), *[stranger.tell() for stranger in strangers]])
    assert standing.weight == 100


def test_an_old_note_counts_for_less() -> None:
    one, two = Process("one"), Process("two")
    one.saw(Verdict.OK, 100)
    two.hearing.hear([one.tell(age_s=20.0)])
    assert two.health.standing(WECHAT).weight == pytest.approx(50)


def test_who_falls_silent_is_forgotten() -> None:
    one, two = Process("one"), Process("two")
    one.saw(Verdict.OK, 100)
    two.hearing.hear([one.tell()])
    two.hearing.hear([])
    standing = two.health.standing(WECHAT)
    assert standing.weight == 0
    two.health.cell_health(WECHAT).decay(1.0, 1.0, 1.0)
    assert standing.p50_s == math.inf


def test_failures_over_several_processes_open_the_breakers_of_all() -> None:
    processes = [Process(f"p{number}") for number in range(4)]
    for process in processes:
        process.saw(Verdict.OK)
    for process in processes:
        process.hearing.hear([other.tell() for other in processes if other is not process])
    for process in processes:
        process.saw(Verdict.FAULT, 3)
    assert all(process.state is BreakerState.CLOSED for process in processes)
    for process in processes:
        process.hearing.hear([other.tell() for other in processes if other is not process])
    assert all(process.state is BreakerState.OPEN for process in processes)


def test_the_same_failures_are_not_heard_twice() -> None:
    one, two = Process("one"), Process("two")
    one.saw(Verdict.OK)
    two.hearing.hear([one.tell()])
    one.saw(Verdict.FAULT, 4)
    for _ in range(10):
        two.hearing.hear([one.tell()])
    assert two.state is BreakerState.CLOSED


def test_a_process_that_has_just_begun_knows_of_an_outage_at_once() -> None:
    one, two = Process("one"), Process("two")
    one.saw(Verdict.FAULT, 12)
    Process.now += 60
    two.hearing.hear([one.tell()])
    assert two.state is BreakerState.OPEN


def test_one_process_that_is_cut_off_does_not_take_with_it_those_that_see_the_account_well() -> None:
    cut_off, well = Process("cut_off"), Process("well")
    for _ in range(40):
        well.saw(Verdict.OK, 10)
        cut_off.saw(Verdict.FAULT, 3)
        cut_off.hearing.hear([well.tell()])
        well.hearing.hear([cut_off.tell()])
        Process.now += 0.25
        assert well.state is BreakerState.CLOSED
    assert cut_off.state is BreakerState.OPEN


def test_who_saw_the_account_well_just_now_does_not_believe_that_it_is_down_until_that_is_old() -> None:
    one, two = Process("one"), Process("two")
    two.saw(Verdict.OK)
    Process.now += 0.5
    one.saw(Verdict.FAULT, 12)
    Process.now += 0.5
    two.hearing.hear([one.tell()])
    assert two.state is BreakerState.CLOSED
    Process.now += 1.5
    two.hearing.hear([one.tell()])
    assert two.state is BreakerState.OPEN


def test_who_has_closed_its_breaker_of_late_does_not_follow_a_single_voice() -> None:
    cut_off, other, well = Process("cut_off"), Process("other"), Process("well")
    well.health.cell_health(WECHAT).open(Process.now - 5, 0)
    well.health.cell_health(WECHAT).close(Process.now)
    Process.now += 3
    cut_off.saw(Verdict.FAULT, 12)
    Process.now += 1
    well.hearing.hear([cut_off.tell()])
    assert well.state is BreakerState.CLOSED
    other.saw(Verdict.FAULT, 12)
    well.hearing.hear([cut_off.tell(), other.tell()])
    assert well.state is BreakerState.OPEN


def test_a_return_is_followed_and_a_return_from_an_earlier_outage_is_not() -> None:
    one, two = Process("one"), Process("two")
    one.saw(Verdict.FAULT, 12)
    two.hearing.hear([one.tell()])
    Process.now += 2
    one.health.cell_health(WECHAT).close(Process.now)
    earlier = one.tell()
    two.hearing.hear([earlier])
    assert two.state is BreakerState.CLOSED
    Process.now += 1
    two.saw(Verdict.FAULT, 12)
    two.hearing.hear([earlier._replace(age_s=1.0)])
    assert two.state is BreakerState.OPEN


def test_who_is_half_open_probes_alone_for_a_second_before_the_others_do() -> None:
    one, two = Process("one"), Process("two")
    one.saw(Verdict.FAULT, 12)
    two.hearing.hear([one.tell()])
    Process.now += 2
    one.health.alive("front")
    one.health.asked("front")
    one.health.tick()
    assert one.state is BreakerState.HALF_OPEN
    Process.now += 0.5
    two.hearing.hear([one.tell()])
    assert two.state is BreakerState.OPEN
    Process.now += 0.6
    two.hearing.hear([one.tell()])
    assert two.state is BreakerState.HALF_OPEN


def test_no_more_cells_are_told_than_fit_and_what_is_down_comes_first_then_the_busiest() -> None:
    one = Process("one")
    for number in range(CELLS_MAX + 50):
        one.saw(Verdict.OK, 1 + (number % 3), Cell(f"acc_{number}", Wallet.WECHAT, Method.BARCODE))
    one.saw(Verdict.FAULT, 12, Cell("down", Wallet.WECHAT, Method.PAGE))
    text = one.tell().text
    rows = orjson.loads(text)["cells"]
    assert len(rows) == CELLS_MAX
    assert rows[0][0] == "down"
    assert all(row[3] == 3 for row in rows[1:600])
    assert len(text) < 300_000


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"7",
        b"[]",
        b"{}",
        b'{"v": 2, "cells": [["front", "wechat", "barcode", 0, 9, 0, 9, 0, 99, "open", 1, 0, []]]}',
        b'{"v": 1}',
        b'{"v": 1, "cells": 3}',
        b'{"v": 1, "cells": {"a": 1}}',
        b'{"v": 1, "cells": [1, null, [], ["front"]]}',
        b'{"v": 1, "cells": [["front", "shells", "barcode", 0, 9, 0, 9, 0, 99, "open", 1, 0, []]]}',
        b'{"v": 1, "cells": [["front", "wechat", "barcode", -1, 9, 0, 9, 0, 99, "open", 1, 0, []]]}',
        b'{"v": 1, "cells": [["front", "wechat", "barcode", 0, true, 0, 9, 0, 99, "open", 1, 0, []]]}',
        b'{"v": 1, "cells": [["front", "wechat", "barcode", 0, 9, 0, 9, 0, 99, "ajar", 1, 0, []]]}',
        b'{"v": 1, "cells": [["front", "wechat", "barcode", 0, 9, 0, 9, 0, 99, "open", 1, 0, [99, 1]]]}',
        b'{"v": 1, "cells": [["front", "wechat", "barcode", 0, 9, 0, 9, 0, 99, "open", 1, 0, [1]]]}',
        b'{"v": 1, "cells": [["front", "wechat", "barcode", 0, 9, 0, 9, 0, 99, "open", 1, 0, 5]]}',
    ],
)
def test_what_is_not_ours_changes_nothing(text: bytes) -> None:
    one = Process("one")
    one.saw(Verdict.OK, 10)
    before = one.tell().text
    one.hearing.hear([Note("stranger", text, 0.1)])
    assert one.tell().text == before
    assert one.state is BreakerState.CLOSED


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
NUMBER = st.integers(0, 10**9) | st.floats(0, 1e9) | JSON
ROW = st.tuples(
    st.just("front"), st.just("wechat"), st.just("barcode"), *[NUMBER] * 6,
    st.sampled_from([*BreakerState, "x"]), st.none() | NUMBER, NUMBER, st.lists(NUMBER, max_size=6) | JSON,
)  # fmt: skip


@given(st.lists(ROW | JSON, max_size=5), st.floats(0, 100))
def test_no_note_whatever_it_says_breaks_the_one_who_hears_it(rows: list[Any], age_s: float) -> None:
    one = Process("one")
    one.saw(Verdict.OK, 3)
    for _ in range(2):
        one.hearing.hear([Note("stranger", orjson.dumps({"v": 1, "cells": rows}), age_s)])
        one.health.tick()
    standing = one.health.standing(WECHAT)
    assert 0 <= standing.success <= 1
    assert math.isfinite(standing.spread)
    notes.write(one.health)
