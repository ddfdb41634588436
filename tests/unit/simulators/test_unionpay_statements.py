"""UnionPay's reconciliation files: of which days there is one, and every line in it."""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from routing.simulators.unionpay_files import zm_line
from routing.simulators.wallet import Action
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.till import Answer
from tests.unit.simulators.unionpay_till import UnionpayTill

DAY_S = 86_400
WIDTHS = (
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13,
    13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
)  # fmt: skip
"""As the protocol document lists them."""
AMOUNT, QUERY_ID, ORDER, FEE, SETTLED, KIND, SUB_KIND, ORIGINAL, MERCHANT, TERMINAL, ORIGINAL_ORDER = (
    7, 10, 12, 16, 17, 20, 21, 27, 28, 34, 41,
)  # fmt: skip
"""Numbers of fields, counted from 1."""


@pytest.fixture(params=["unionpay_direct", "unionpay_keyed"])
async def bench(request: pytest.FixtureRequest, provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(request.param, provisioned, tmp_path) as made:
        yield made


@pytest.fixture
def till(bench: Bench) -> UnionpayTill:
    assert isinstance(bench.till, UnionpayTill)
    return bench.till


def entries(answer: Answer) -> dict[str, bytes]:
    """The files in an answer by name."""
    assert (answer.seal, answer.code) == ("good", "00")
    packed = zlib.decompress(base64.b64decode(answer.fields["fileContent"], validate=True))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def rows(answer: Answer) -> list[dict[int, str]]:
    """The lines of the details, by the number of each field."""
    [details] = [content for name, content in entries(answer).items() if name[11:14] == "ZM_"]
    found = []
    for line in details.split(b"\r\n")[:-1]:
        assert len(line) == sum(WIDTHS) + len(WIDTHS)
        places = [0]
        for width in WIDTHS:
            places.append(places[-1] + width + 1)
        assert all(line[place - 1 : place] == b" " for place in places[1:])
        found.append(
            {at: line[a:b].decode("gbk").strip() for at, (a, b) in enumerate(pairwise(places), 1)},
        )
    return found


def pay(bench: Bench, till: UnionpayTill, fen: int) -> str:
    number = till.order_no()
    till.consume(number, fen, till.code())
    bench.pass_time(1)
    return number


async def test_a_file_lists_what_was_paid_and_what_went_back(bench: Bench, till: UnionpayTill) -> None:
    number, voided, reversed_ = (pay(bench, till, fen) for fen in (10_000, 1_280, 500))
    shown = till.order_no()
    bench.wallet.scan(till.show(shown, 700, termId="49000009").fields["qrCode"], Action.PAY)
    till.consume(till.order_no(), 100, till.code("9001"))
    bench.pass_time(1)
    refund, void = till.order_no(), till.order_no()
    till.refund(number, refund, 3_333, 10_000)
    till.give_back("3100", voided, void, 1_280)
    till.reverse(reversed_)
    bench.pass_time(DAY_S)
    answer = till.file("1122")
    mer_id = till.settings["mer_id"]
    assert answer.fields["fileName"] == f"{mer_id}_20261122.zip"
    assert entries(answer).keys() == {f"INN26112288ZM_{mer_id}", f"INN26112288ZME_{mer_id}"}
    assert entries(answer)[f"INN26112288ZME_{mer_id}"] == b""
    found = rows(answer)
    told = (ORDER, KIND, SUB_KIND, AMOUNT, FEE, SETTLED, ORIGINAL_ORDER)
    assert [tuple(row[at] for at in told) for row in found] == [
        (number, "01", "06", "000000010000", "C000000000038", "D000000010000", ""),
        (voided, "01", "06", "000000001280", "C000000000005", "D000000001280", ""),
        (reversed_, "01", "06", "000000000500", "C000000000002", "D000000000500", ""),
        (shown, "01", "07", "000000000700", "C000000000003", "D000000000700", ""),
        (refund, "04", "00", "000000003333", "D000000000012", "C000000003333", number),
        (void, "31", "00", "000000001280", "D000000000005", "C000000001280", voided),
        (reversed_, "99", "01", "000000000500", "D000000000002", "C000000000500", reversed_),
    ]
    assert {row[MERCHANT] for row in found} == {mer_id}
    assert found[3][TERMINAL] == "49000009"
    assert found[0][QUERY_ID] == found[4][ORIGINAL] == till.query(number).fields["queryId"]
    assert found[4][QUERY_ID] == till.query(refund).fields["queryId"]


async def test_a_settlement_day_ends_at_eleven_in_the_evening(bench: Bench, till: UnionpayTill) -> None:
    bench.pass_time(13 * 3_600 - 2)
    before = pay(bench, till, 100)
    bench.pass_time(1)
    after = pay(bench, till, 100)
    assert [till.query(number).fields["settleDate"] for number in (before, after)] == ["1122", "1123"]
    assert [row[ORDER] for row in rows(till.file("1122"))] == [before]
    assert till.file("1123").code == "98"
    bench.pass_time(DAY_S)
    assert [row[ORDER] for row in rows(till.file("1123"))] == [after]


async def test_a_date_that_is_not_over_or_without_business_has_no_file(bench: Bench, till: UnionpayTill) -> None:
    pay(bench, till, 100)
    for day in ("1122", "1121", "1123"):
        answer = till.file(day)
        assert (answer.code, answer.seal, answer.fields["settleDate"]) == ("98", "good", day)
    assert till.file("0229").code == "98"
    for day in ("0230", "1301"):
        assert till.file(day).code == "10"
    assert till.file("1122", fileType="01").code == "10"
    assert till.file("").code == "13"


async def test_each_merchant_has_a_file_of_its_own(provisioned: Provision, bench: Bench, till: UnionpayTill) -> None:
    seeds = [seed for seed in provisioned.accounts if seed.channel == "unionpay"]
    others = [UnionpayTill(seed.settings, till.wire, till.now_s) for seed in seeds]
    numbers = {one.settings["mer_id"]: pay(bench, one, 100) for one in others}
    bench.pass_time(DAY_S)
    for one in others:
        assert [row[ORDER] for row in rows(one.file("1122"))] == [numbers[one.settings["mer_id"]]]


async def test_a_switch_makes_the_file_of_a_day_that_is_not_over(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("unionpay_direct", provisioned, tmp_path, statement_today=True) as bench:
        assert isinstance(bench.till, UnionpayTill)
        number = pay(bench, bench.till, 100)
        assert [row[ORDER] for row in rows(bench.till.file("1122"))] == [number]


def test_texts_are_cut_between_characters() -> None:
    line = zm_line({"subMerAbbr": "拿铁" * 20, "reqReserved": "a" + "拿铁" * 20, "reserved": "豆浆😀"})
    assert len(line) == sum(WIDTHS) + len(WIDTHS) + 2
    text = line.decode("gbk")
    assert f"{'拿铁' * 8} " in text
    assert f"a{'拿铁' * 7}拿  " in text
    assert "豆浆? " in text
