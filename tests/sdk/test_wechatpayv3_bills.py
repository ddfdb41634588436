"""The WeChat Pay simulator's statements fetched with wechatpayv3 2.0.4."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.sdk.harness import Counter, Sdk, opened_sdk, python_driver, until
from tests.sdk.merchants import WECHAT_MODES, wechat_merchant
from tests.support.channels import Simulators

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def counter(simulators: Simulators) -> Counter:
    return Counter("wechat", simulators)


@pytest.fixture(scope="module", params=WECHAT_MODES)
def sdk(request: pytest.FixtureRequest, counter: Counter) -> Iterator[Sdk]:
    settings = wechat_merchant(counter.settings, request.param)
    with opened_sdk(python_driver("wechat", "wechat_sdk.py"), settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def sold(sdk: Sdk, counter: Counter) -> dict[str, Any]:
    """A sale of which a part was given back, and the day of both."""
    order_no, refund_no = counter.order_no(), counter.order_no()
    paid = sdk.ask("pay", order_no=order_no, amount=2599, auth_code=counter.code())["body"]
    sdk.ask("refund", order_no=order_no, refund_no=refund_no, amount=600, total=2599)
    until(lambda: sdk.ask("query_refund", refund_no=refund_no)["body"], lambda found: found["status"] != "PROCESSING")
    return {
        "order_no": order_no,
        "refund_no": refund_no,
        "id": paid["transaction_id"],
        "day": paid["success_time"][:10],
    }


def text_of(sdk: Sdk, offered: dict[str, Any]) -> str:
    """The statement behind a link, unpacked, whose hash must be that of its text."""
    assert offered["status"] == 200
    assert offered["body"]["hash_type"] == "SHA1"
    fetched = sdk.ask("download_bill", url=offered["body"]["download_url"])
    assert fetched["status"] == 200
    content = gzip.decompress(base64.b64decode(fetched["content_base64"]))
    assert hashlib.sha1(content).hexdigest() == offered["body"]["hash_value"]
    return content.decode("utf-8-sig")


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows above the totals by their columns' names; each cell has its mark in front."""
    head, *lines = text.splitlines()
    return [
        dict(zip(head.split(","), (cell.removeprefix("`") for cell in line.split(",")), strict=True))
        for line in lines[:-2]
    ]


@pytest.mark.parametrize(("kind", "payments", "refunds"), [("ALL", 1, 1), ("SUCCESS", 1, 0), ("REFUND", 0, 1)])
def test_the_days_trades_stand_in_the_bill(
    sdk: Sdk, sold: dict[str, Any], kind: str, payments: int, refunds: int
) -> None:
    text = text_of(sdk, sdk.ask("trade_bill", day=sold["day"], kind=kind))
    ours = [row for row in rows_of(text) if row["商户订单号"] == sold["order_no"]]
    paid = [row for row in ours if row["交易状态"] == "SUCCESS"]
    given_back = [row for row in ours if row["交易状态"] == "REFUND"]
    assert (len(paid), len(given_back), len(ours)) == (payments, refunds, payments + refunds)
    for row in paid:
        assert (row["订单金额"], row["微信订单号"], row["交易类型"]) == ("25.99", sold["id"], "MICROPAY")
    for row in given_back:
        assert (row["退款金额"], row["商户退款单号"], row["退款状态"]) == ("6.00", sold["refund_no"], "SUCCESS")


def test_the_days_movements_stand_in_the_fund_bill(sdk: Sdk, sold: dict[str, Any]) -> None:
    rows = rows_of(text_of(sdk, sdk.ask("fund_bill", day=sold["day"])))
    assert {"25.99", "6.00"} <= {row["收支金额(元)"] for row in rows}
    assert {row["收支类型"] for row in rows} == {"收入", "支出"}


def test_a_day_without_anything_has_no_statement(sdk: Sdk, sold: dict[str, Any]) -> None:
    empty = str(date.fromisoformat(sold["day"]) - timedelta(days=40))
    for offered in (sdk.ask("trade_bill", day=empty, kind="ALL"), sdk.ask("fund_bill", day=empty)):
        assert (offered["status"], offered["body"]["code"]) == (400, "NO_STATEMENT_EXIST")


def test_a_link_without_its_token_leads_nowhere(sdk: Sdk, sold: dict[str, Any]) -> None:
    link = sdk.ask("trade_bill", day=sold["day"], kind="ALL")["body"]["download_url"]
    assert sdk.ask("download_bill", url=f"{link}0")["status"] == 400
