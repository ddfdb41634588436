"""The Alipay simulator's statements fetched with every SDK of Alipay: the link, and the ZIP behind it."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, timedelta
from typing import Any

import pytest

from tests.sdk.harness import Counter, Sdk

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def sold(alipay_sdk: Sdk, alipay: Counter) -> dict[str, Any]:
    """A sale of which a part was given back, and the day of both."""
    order_no, refund_no = alipay.order_no(), alipay.order_no()
    shown = alipay_sdk.ask("precreate", out_trade_no=order_no, subject="热拿铁, 大杯", total_amount="25.99")
    alipay.simulators.scan("alipay", shown["qr_code"])
    alipay_sdk.ask("refund", out_trade_no=order_no, out_request_no=refund_no, refund_amount="6.00")
    found = alipay_sdk.ask("query", out_trade_no=order_no)
    return {"order_no": order_no, "refund_no": refund_no, "id": found["trade_no"], "day": found["send_pay_date"][:10]}


def fetched(alipay: Counter, link: str) -> dict[str, str]:
    """The texts in the ZIP behind a link, by their names."""
    answer = alipay.simulators.client.get(link)
    assert answer.status_code == 200
    # The names' bytes are GBK, and no flag says that they are UTF-8.
    with zipfile.ZipFile(io.BytesIO(answer.content), metadata_encoding="gbk") as archive:
        return {name: archive.read(name).decode("gbk") for name in archive.namelist()}


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows between the comments by their columns' names; cells are filled up with tabs."""
    head, *rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    return [{name: cell.strip() for name, cell in zip(head, row, strict=True)} for row in rows]


def test_the_days_trades_stand_in_the_bill(alipay_sdk: Sdk, alipay: Counter, sold: dict[str, Any]) -> None:
    offered = alipay_sdk.ask("bill", bill_type="trade", bill_date=sold["day"])
    assert offered["code"] == "10000"
    texts = fetched(alipay, offered["bill_download_url"])
    [details] = [text for name, text in texts.items() if name.endswith("_业务明细.csv")]
    [summary] = [text for name, text in texts.items() if name.endswith("_业务明细(汇总).csv")]
    ours = [row for row in rows_of(details) if row["商户订单号"] == sold["order_no"]]
    paid, given_back = sorted(ours, key=lambda row: float(row["订单金额（元）"]), reverse=True)
    assert (paid["业务类型"], paid["订单金额（元）"], paid["支付宝交易号"]) == ("交易", "25.99", sold["id"])
    assert (given_back["业务类型"], given_back["订单金额（元）"]) == ("退款", "-6.00")
    assert given_back["退款批次号/请求号"] == sold["refund_no"]
    assert "合计" in summary


def test_the_days_movements_stand_in_the_account_bill(alipay_sdk: Sdk, alipay: Counter, sold: dict[str, Any]) -> None:
    offered = alipay_sdk.ask("bill", bill_type="signcustomer", bill_date=sold["day"])
    texts = fetched(alipay, offered["bill_download_url"])
    lines = [line for text in texts.values() for line in text.splitlines() if sold["order_no"] in line]
    assert any("25.99" in line for line in lines)
    assert any("-6.00" in line for line in lines)


def test_a_day_without_anything_and_a_kind_that_is_none_are_refused(alipay_sdk: Sdk, sold: dict[str, Any]) -> None:
    empty = str(date.fromisoformat(sold["day"]) - timedelta(days=40))
    assert alipay_sdk.ask("bill", bill_type="trade", bill_date=empty)["sub_code"] == "BILL_NOT_EXIST"
    assert alipay_sdk.ask("bill", bill_type="sales", bill_date=sold["day"])["sub_code"] == "TYPE_NOT_SUPPORTED"


def test_a_link_with_another_token_leads_nowhere(alipay_sdk: Sdk, alipay: Counter, sold: dict[str, Any]) -> None:
    link = alipay_sdk.ask("bill", bill_type="trade", bill_date=sold["day"])["bill_download_url"]
    assert alipay.simulators.client.get(f"{link}0").status_code == 404
