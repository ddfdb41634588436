"""docs/capacity.md says what the script computes from the checked-in measurements."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.calibrating import CALIBRATED_AT
from loadtests.capacity.measured import MEASURED_FILE, read_measured
from loadtests.capacity.report import (
    DOCUMENT,
    THE_CURVE,
    Report,
    as_json,
    blocks,
    inject,
    make_report,
    not_reproduced,
)
from loadtests.capacity.validating import Compared

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report(read_measured(), Assumptions())


def test_the_document_is_what_the_script_makes_of_the_measurements(report: Report) -> None:
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    assert inject(text, blocks(report)) == text, "run `make capacity`"


def test_the_json_holds_every_scale_and_what_is_full_first(report: Report) -> None:
    told = orjson.loads(orjson.dumps(as_json(report), option=orjson.OPT_NON_STR_KEYS))
    assert [scale["per_second"] for scale in told["plan"]] == [1_000, 5_000, 10_000, 20_000, 50_000]
    assert all(scale["bottleneck"] for scale in told["plan"])
    assert {one["judged"] for one in told["compared"]} == {True, False}


def test_the_measurements_name_no_machine_but_its_kind() -> None:
    document = orjson.loads(MEASURED_FILE.read_bytes())
    assert set(document["machine"]) == {"cpu", "cores", "load_average"}
    assert document["audit_passed"] is True


def test_what_is_further_off_than_it_may_be_is_named() -> None:
    compared = [
        Compared(8, "payments/s", 100.0, 84.0), Compared(128, "payments/s", 100.0, 115.0),
        Compared(8, "gateway µs", 100.0, 60.0), Compared(128, "gateway µs", 100.0, 100.0),
        Compared(CALIBRATED_AT[0], "payments/s", 100.0, 900.0),
    ]  # fmt: skip
    assert not_reproduced(compared) == ["payments/s", "gateway µs"]
    assert THE_CURVE.intersection(not_reproduced(compared)) == {"payments/s"}
    assert not_reproduced([Compared(8, "payments/s", 100.0, 115.0)]) == []


def test_a_block_replaces_the_one_before_and_leaves_the_rest() -> None:
    text = "a\n<!-- capacity: x -->\nold\n<!-- /capacity: x -->\nb"
    assert inject(text, {"x": r"new \1"}) == "a\n<!-- capacity: x -->\nnew \\1\n<!-- /capacity: x -->\nb"


def test_a_block_without_a_place_is_an_error() -> None:
    with pytest.raises(KeyError):
        inject("nothing here", {"x": "new"})
