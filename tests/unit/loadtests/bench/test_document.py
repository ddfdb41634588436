"""Documents are found by kind and moment, and an earlier run is one that was as quick."""

from datetime import UTC, datetime
from pathlib import Path

from loadtests.bench.document import newest, read_previous, verdict_rows, write
from loadtests.bench.outcome import Verdict


def at(hour: int) -> datetime:
    return datetime(2026, 11, 22, hour, tzinfo=UTC)


def test_the_newest_of_a_kind_is_found_or_the_one_that_was_chosen(tmp_path: Path) -> None:
    assert newest(tmp_path, "curves") is None
    first = write(tmp_path, "curves", {"number": 1, "options": {"small": False}}, at(9))
    write(tmp_path, "curves", {"number": 2, "options": {"small": True}}, at(10))
    write(tmp_path, "latency", {"number": 3, "options": {}}, at(11))
    assert (newest(tmp_path, "curves") or {})["number"] == 2
    assert (newest(tmp_path, "curves", first) or {})["number"] == 1


def test_an_earlier_run_was_made_with_the_same_options(tmp_path: Path) -> None:
    write(tmp_path, "curves", {"number": 1, "options": {"small": False, "seconds": 8}}, at(9))
    write(tmp_path, "curves", {"number": 2, "options": {"small": True, "seconds": 8}}, at(10))
    assert (newest(tmp_path, "curves", small=False) or {})["number"] == 1
    assert newest(tmp_path, "curves", small=False, open_requests=32) is None


def test_a_quick_run_is_compared_with_a_quick_one(tmp_path: Path) -> None:
    write(tmp_path, "bench", {"options": {"quick": True}, "number": 1}, at(9))
    write(tmp_path, "bench", {"options": {"quick": False}, "number": 2}, at(10))
    assert (read_previous(tmp_path, quick=True) or {})["number"] == 1
    assert (read_previous(tmp_path, quick=False) or {})["number"] == 2


def test_a_target_that_cannot_be_judged_is_neither_met_nor_missed() -> None:
    rows = verdict_rows([
        Verdict("P5", "flat", 1.2, 1.3, at_most=True),
        Verdict("P5", "steep", 1.4, 1.3, at_most=True),
        Verdict("P4", "disturbed", 9.0, 7.0, at_most=True, judged=False, unit="ms"),
    ])  # fmt: skip
    assert [row["met"] for row in rows] == [True, False, None]
    assert rows[2]["unit"] == "ms"
