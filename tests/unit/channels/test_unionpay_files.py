"""UnionPay's statements: fetched by 76/01, unpacked within bounds, and every line read as what it is."""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.channels.base import Channel, ChannelRejected, ChannelUnknown, ChannelUnsent, TransportResponse
from routing.channels.registry import build_channel
from routing.channels.statements import StatementKind, StatementLine
from routing.channels.unionpay_files import FILE_BYTES_MAX, entries, inflated, read_statement
from tests.unit.channels.answering import LIMITS, Canned, unionpay_answer
from tests.unit.channels.vectors import keys, unionpay_settings
from tests.unit.channels.vectors import vector as vector_of

KEYS = keys("unionpay")
MER_ID = KEYS["mer_id"]
DAY = date(2026, 11, 21)
GOLDEN = vector_of("unionpay", "unionpay-file-zip")["input"]["fileContent"]
FILE_URL = "https://filedownload.unionpay.invalid"
# Offset and width of the fields that a test writes: the document's widths with a blank after each field.
FIELDS = {
    "traceTime": (35, 10),
    "txnAmt": (66, 12),
    "queryId": (87, 21),
    "orderId": (112, 32),
    "fee": (166, 13),
    "txnType": (215, 2),
    "origQryId": (271, 21),
    "merId": (293, 15),
    "origOrderId": (476, 32),
}
PAID = {
    "traceTime": "1121101530",
    "txnAmt": "000000001280",
    "queryId": "702611211015301234568",
    "orderId": "01JD5ZV8W3M0Q9C6R1T2X4Y7KBA1",
    "fee": "C000000000008",
    "txnType": "01",
    "merId": MER_ID,
}
REFUNDED = PAID | {
    "txnAmt": "000000000100",
    "queryId": "702611211020001234569",
    "orderId": "01JD5ZV8W3M0Q9C6R1T2X4Y7KBA1F01",
    "fee": "D000000000001",
    "txnType": "04",
    "origQryId": "702611211015301234568",
}


def row(values: Mapping[str, str]) -> bytes:
    line = bytearray(b" " * 607)
    for name, value in values.items():
        at, width = FIELDS[name]
        line[at : at + width] = value.encode("gbk").ljust(width)
    return bytes(line) + b"\r\n"


def packed(files: Mapping[str, bytes]) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return base64.b64encode(zlib.compress(buffer.getvalue())).decode()


def content_of(*rows: Mapping[str, str], day: date = DAY) -> str:
    name = f"INN{day:%y%m%d}88ZM"
    return packed({f"{name}_{MER_ID}": b"".join(map(row, rows)), f"{name}E_{MER_ID}": b""})


def lines_of(*rows: Mapping[str, str], day: date = DAY) -> tuple[StatementLine, ...]:
    return read_statement(content_of(*rows, day=day), MER_ID, day, 28).lines


class Files(Canned):
    """Answers 76/01 about the very request that came."""

    def __init__(self, code: str, seal: str = "signed", **more: str) -> None:
        super().__init__(TransportResponse(200, {}, b""))
        self._code, self._seal, self._more = code, seal, more

    async def send(self, *call: Any) -> TransportResponse:
        await super().send(*call)
        form = {name: value for name, value in self.form.items() if name not in {"signature", "certId"}}
        return unionpay_answer(form | {"respCode": self._code} | self._more, seal=self._seal)


def asking(code: str, seal: str = "signed", **more: str) -> tuple[Channel, Canned]:
    transport = Files(code, seal, **more)
    return build_channel("unionpay", unionpay_settings() | {"file_url": FILE_URL}, transport), transport


async def test_a_statement_is_asked_for_by_its_settlement_date() -> None:
    channel, sent = asking("00", fileName="x.zip", fileContent=GOLDEN)
    statement = await channel.statement(DAY, LIMITS)
    assert statement is not None
    assert (statement.file_name, len(statement.lines)) == (f"INN26112188ZM_{MER_ID}", 2)
    assert sent.urls == [f"POST {FILE_URL}"]
    form = sent.form
    assert (form["txnType"], form["txnSubType"], form["settleDate"], form["fileType"]) == ("76", "01", "1121", "00")
    assert {"channelType", "orderId"} & set(form) == set()


async def test_a_day_without_a_file_has_no_statement() -> None:
    assert await asking("98")[0].statement(DAY, LIMITS) is None


@pytest.mark.parametrize("code", ["31", "32", "99"])
async def test_a_statement_can_be_refused(code: str) -> None:
    with pytest.raises(ChannelRejected):
        await asking(code)[0].statement(DAY, LIMITS)


@pytest.mark.parametrize(
    ("channel", "day"),
    [
        (asking("00", "unsigned", fileContent=GOLDEN)[0], DAY),
        (asking("00", "forged", fileContent=GOLDEN)[0], DAY),
        (asking("98", "unsigned")[0], DAY),
        (asking("00", fileContent=GOLDEN, settleDate="1120")[0], DAY),
        (asking("00", fileContent=GOLDEN, merId="777290058110048")[0], DAY),
        (asking("00", fileContent=GOLDEN)[0], date(2025, 11, 21)),  # the same month and day of another year
        (asking("00", fileContent=GOLDEN)[0], date(2026, 11, 20)),
        (asking("00", fileContent="x")[0], DAY),
        (asking("00")[0], DAY),
        (asking("37")[0], DAY),
    ],
)
async def test_without_a_proven_file_there_is_no_statement_to_trust(channel: Channel, day: date) -> None:
    with pytest.raises(ChannelUnknown):
        await channel.statement(day, LIMITS)


async def test_an_account_without_the_files_address_asks_nobody() -> None:
    transport = Canned(TransportResponse(200, {}, b""))
    with pytest.raises(ChannelUnsent):
        await build_channel("unionpay", unionpay_settings(), transport).statement(DAY, LIMITS)
    assert not transport.urls


def test_the_golden_file_is_read_line_by_line() -> None:
    statement = read_statement(GOLDEN, MER_ID, DAY, 28)
    assert statement.lines == (
        StatementLine(
            kind=StatementKind.PAYMENT,
            order_no="MS20261122200001",
            refund_no=None,
            channel_trade_no="702611221015301234568",
            amount_fen=1280,
            fee_fen=8,
            at=datetime(2026, 11, 22, 2, 15, 30, tzinfo=UTC),
        ),
        StatementLine(
            kind=StatementKind.REFUND,
            order_no="MS20261122200001",  # by the queryId of the payment's line
            refund_no="RF20261122200001",
            channel_trade_no="702611221015301234569",
            amount_fen=100,
            fee_fen=0,
            at=datetime(2026, 11, 22, 2, 20, 0, tzinfo=UTC),
        ),
    )
    expected = vector_of("unionpay", "unionpay-file-zip")["expected"]["entries"]
    assert statement.content == base64.b64decode(expected[statement.file_name])


def test_a_payment_and_its_refund_are_read_with_their_fees() -> None:
    paid, refunded = lines_of(PAID, REFUNDED)
    assert (paid.kind, paid.order_no, paid.refund_no, paid.amount_fen, paid.fee_fen) == (
        *(StatementKind.PAYMENT, PAID["orderId"], None, 1280, 8),
    )
    assert (refunded.kind, refunded.order_no, refunded.refund_no, refunded.amount_fen, refunded.fee_fen) == (
        *(StatementKind.REFUND, PAID["orderId"], REFUNDED["orderId"], 100, 1),
    )


def test_a_refund_of_an_earlier_day_finds_its_order_by_field_or_by_its_own_number() -> None:
    [alone] = lines_of(REFUNDED)
    assert alone.order_no == PAID["orderId"]
    [named] = lines_of(REFUNDED | {"origOrderId": "MS20261122200001"})
    assert named.order_no == "MS20261122200001"


def test_a_void_is_a_refund_and_a_reversal_gives_back_under_the_orders_number() -> None:
    void, reversal = lines_of(REFUNDED | {"txnType": "31"}, PAID | {"txnType": "99"})
    assert (void.kind, void.refund_no) == (StatementKind.REFUND, REFUNDED["orderId"])
    assert (reversal.kind, reversal.order_no, reversal.refund_no) == (StatementKind.REFUND, PAID["orderId"], None)


def test_other_business_and_other_merchants_make_no_line() -> None:
    assert lines_of(PAID | {"txnType": "02"}, PAID | {"merId": "777290058110048"}, PAID) == lines_of(PAID)


def test_a_time_without_a_year_is_the_one_near_the_settlement_date() -> None:
    new_year = date(2027, 1, 1)
    before, after = lines_of(PAID | {"traceTime": "1231233000"}, PAID | {"traceTime": "0101120000"}, day=new_year)
    assert before.at == datetime(2026, 12, 31, 15, 30, tzinfo=UTC)
    assert after.at == datetime(2027, 1, 1, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"txnAmt": ""},
        {"txnAmt": "-00000000001"},
        {"fee": "X000000000008"},
        {"traceTime": "1399101530"},
        {"orderId": ""},
        {"orderId": "豆浆油条"},
        {"queryId": ""},
    ],
)
def test_a_line_without_its_facts_is_no_statement(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="a line without"):
        lines_of(PAID, PAID | wrong)


@pytest.mark.parametrize(
    "content",
    [
        packed({f"INN26112188ZM_{MER_ID}0": row(PAID)}),
        packed({f"INN26112088ZM_{MER_ID}": row(PAID)}),
        packed({f"INN26112188ZME_{MER_ID}": b""}),
        packed({}),
        packed({f"INN2611218{number}ZM_{MER_ID}": b"" for number in range(20)}),
        base64.b64encode(zlib.compress(b"PK\x03\x04 is no zip")).decode(),
        base64.b64encode(b"not deflated").decode(),
        GOLDEN[:-8],
        "%%%%",
        "",
    ],
)
def test_what_is_no_file_of_that_merchant_and_day_is_no_statement(content: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_statement(content, MER_ID, DAY, 28)


def test_a_bomb_does_not_go_off() -> None:
    deflating = zlib.compressobj(9)
    blank = bytes(1 << 20)
    parts = [deflating.compress(blank) for _ in range(FILE_BYTES_MAX // len(blank) + 1)]
    bomb = base64.b64encode(b"".join(parts) + deflating.flush()).decode()
    with pytest.raises(ValueError, match="too large"):
        inflated(bomb)


def test_a_zip_that_is_packed_in_another_way_or_grows_too_large_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("INN", b"x")
    with pytest.raises(ValueError, match="not packed"):
        entries(buffer.getvalue())
    large = io.BytesIO()
    with zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("INN", "w") as entry:
        for _ in range(FILE_BYTES_MAX // (1 << 20) + 1):
            entry.write(bytes(1 << 20))
    with pytest.raises(ValueError, match="too large"):
        entries(large.getvalue())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.binary(max_size=40).map(zlib.compress), st.integers(0, 2_000), st.integers(0, 255))
def test_bytes_of_any_kind_are_a_statement_or_a_value_error(raw: bytes, place: int, byte: int) -> None:
    zipped = bytearray(inflated(GOLDEN))
    zipped[place % len(zipped)] = byte
    for content in (raw, base64.b64encode(raw), base64.b64encode(zlib.compress(bytes(zipped)))):
        try:
            statement = read_statement(content.decode("latin-1"), MER_ID, DAY, 28)
        except ValueError:
            continue
        assert all(line.amount_fen >= 0 for line in statement.lines)
