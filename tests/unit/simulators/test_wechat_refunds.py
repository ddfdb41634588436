"""WeChat's abnormal refunds: the money is sent again, to a card whose number comes encrypted or to the merchant."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1

from routing.simulators.provision import Provision
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.till import Answer, public
from tests.unit.simulators.wechat_till import WechatTill

URL = "http://127.0.0.1:9/callbacks/wechat/a1"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncIterator[Bench]:
    with bench_of("wechat_direct", provisioned, tmp_path) as found:
        yield found


def sealed(till: WechatTill, text: str) -> str:
    pem = next(pem for name, pem in till.settings["platform_public_keys"].items() if name.startswith("PUB"))
    return base64.b64encode(public(pem).encrypt(text.encode(), OAEP(MGF1(SHA1()), SHA1(), None))).decode()


def retry(till: WechatTill, refund_id: str, refund_no: str, **changes: Any) -> Answer:
    body = {
        "out_refund_no": refund_no,
        "type": "USER_BANK_CARD",
        "bank_type": "ICBC_DEBIT",
        "bank_account": sealed(till, "6222020000001234"),
        "real_name": sealed(till, "王小明"),
    } | changes
    return till.call("POST", f"/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund", body)


def abnormal(bench: Bench) -> tuple[WechatTill, str, str]:
    """A refund that did not reach its payer: its number, and WeChat's."""
    till = bench.till
    assert isinstance(till, WechatTill)
    number = till.order_no()
    till.pay(number, 100, till.code())
    bench.holder.set({"kind": "refund_ends", "as": "abnormal"})
    refund_id = till.refund(number, f"{number}F01", 30, 100, notify_url=URL).fields["refund_id"]
    bench.pass_time(1)
    assert till.query_refund(number, f"{number}F01").state == "abnormal"
    return till, f"{number}F01", refund_id


async def test_an_abnormal_refund_succeeds_to_a_card_and_is_told_again(bench: Bench) -> None:
    till, refund_no, refund_id = abnormal(bench)
    await bench.tell()
    again = retry(till, refund_id, refund_no)
    assert (again.fields["status"], again.fields["user_received_account"]) == ("PROCESSING", "ICBC_DEBIT尾号1234")
    bench.pass_time(1)
    assert till.query_refund("", refund_no).state == "succeeded"
    posts = await bench.tell()
    assert [json.loads(post.body)["event_type"] for _, post in posts] == ["REFUND.ABNORMAL", "REFUND.SUCCESS"]
    assert next(bench.books.trades(0, 10)).refunded_fen == 30


async def test_an_abnormal_refund_can_go_back_to_the_merchant_whose_account_is_known(bench: Bench) -> None:
    till, refund_no, refund_id = abnormal(bench)
    body = {"out_refund_no": refund_no, "type": "MERCHANT_BANK_CARD"}
    again = till.call("POST", f"/v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund", body)
    assert (again.fields["status"], again.fields["user_received_account"]) == ("PROCESSING", "商户结算银行账户")
    bench.pass_time(1)
    assert till.query_refund("", refund_no).state == "succeeded"


async def test_an_abnormal_refund_counts_and_stays_so_under_the_same_number(bench: Bench) -> None:
    till, refund_no, _ = abnormal(bench)
    order_no = refund_no.removesuffix("F01")
    bench.pass_time(60)
    assert till.refund(order_no, refund_no, 30, 100).state == "abnormal"
    assert till.refund(order_no, f"{order_no}F02", 71, 100).code == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"out_refund_no": "OTHER001"}, "RESOURCE_NOT_EXISTS"),
        ({"type": "CASH"}, "PARAM_ERROR"),
        ({"bank_account": "6222020000001234"}, "PARAM_ERROR"),
        ({"real_name": base64.b64encode(b"x" * 256).decode()}, "PARAM_ERROR"),
    ],
)
async def test_what_does_not_fit_moves_nothing(bench: Bench, changes: dict[str, str], code: str) -> None:
    till, refund_no, refund_id = abnormal(bench)
    assert retry(till, refund_id, refund_no, **changes).code == code
    assert till.query_refund("", refund_no).state == "abnormal"


async def test_a_refund_that_is_not_abnormal_is_not_sent_again(bench: Bench) -> None:
    till, refund_no, refund_id = abnormal(bench)
    retry(till, refund_id, refund_no)
    bench.pass_time(1)
    assert retry(till, refund_id, refund_no).code == "INVALID_REQUEST"


async def test_a_closed_refund_leaves_the_order_as_it_was(bench: Bench) -> None:
    till, number = bench.till, bench.till.order_no()
    till.pay(number, 100, till.code())
    bench.holder.set({"kind": "refund_ends", "as": "closed"})
    till.refund(number, f"{number}F01", 100, 100)
    bench.pass_time(61)
    bench.holder.set()
    assert till.query_refund(number, f"{number}F01").state == "closed"
    assert till.query(number).fields["trade_state"] == "SUCCESS"
    assert till.refund(number, f"{number}F02", 100, 100).state == "accepted"
    assert till.query(number).fields["trade_state"] == "REFUND"
