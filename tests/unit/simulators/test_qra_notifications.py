"""What the front tells by itself: signed XML to notify_url until the answer is `success`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from routing.simulators.notifications import Forging, Tamper
from routing.simulators.provision import Provision
from routing.simulators.wallet import Action
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.qra_till import QraTill

URL = "http://127.0.0.1:9/callbacks/qra/unionpay_front"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncGenerator[Bench]:
    with bench_of("unionpay_front", provisioned, tmp_path) as found:
        yield found


@pytest.fixture
def till(bench: Bench) -> QraTill:
    assert isinstance(bench.till, QraTill)
    return bench.till


def show_and_pay(bench: Bench, till: QraTill, wallet: str = "alipay") -> str:
    number = till.order_no()
    code_url = till.show(number, 100, URL, attach="七号桌").fields["code_url"]
    bench.wallet.scan(bench.channel.display.handle_of(code_url), Action.PAY, app=wallet)
    return number


async def test_a_paid_code_is_told_as_the_query_tells_it(bench: Bench, till: QraTill) -> None:
    number = show_and_pay(bench, till)
    [(url, post)] = await bench.tell()
    fields, seal = till.told(post.body)
    assert (url, seal, post.headers) == (URL, "good", {"Content-Type": "text/xml;charset=UTF-8"})
    assert (fields["status"], fields["result_code"], fields["pay_result"]) == ("0", "0", "0")
    asked = till.query(number).fields
    told = ("mch_id", "out_trade_no", "transaction_id", "out_transaction_id", "total_fee", "trade_type", "attach")
    assert [fields[name] for name in told] == [asked[name] for name in told]


async def test_a_bar_code_is_told_where_an_address_came_with_it(bench: Bench, till: QraTill) -> None:
    quiet, told = till.order_no(), till.order_no()
    till.pay(quiet, 100, till.code())
    sale = till.sale(told, 100, till.code("9003"))
    till.call("unified.trade.micropay", **sale, notify_url=URL)
    assert await bench.tell() == []
    bench.pass_time(3)
    [(_, post)] = await bench.tell()
    assert till.told(post.body)[0]["out_trade_no"] == told


async def test_it_is_told_again_until_the_answer_is_success(bench: Bench, till: QraTill) -> None:
    show_and_pay(bench, till)
    bench.answers = [(200, b"ok"), (500, b"success"), (200, b" success\n")]
    for wait_s, told in ((0, 1), (14, 1), (1, 2), (15, 3), (3_600, 3)):
        bench.pass_time(wait_s)
        assert len(await bench.tell()) == told
    bodies = {post.body for _, post in bench.posted}
    assert len(bodies) == 1


async def test_refunds_and_reversals_are_silent(bench: Bench, till: QraTill) -> None:
    number = show_and_pay(bench, till)
    await bench.tell()
    till.refund(number, till.order_no(), 100, 100)
    bench.pass_time(60)
    assert len(await bench.tell()) == 1


@pytest.mark.parametrize(
    ("tamper", "field", "seal"),
    [
        (Tamper.SIGNATURE, None, "bad"),
        (Tamper.AMOUNT, "total_fee", "good"),
        (Tamper.MERCHANT, "mch_id", "good"),
        (Tamper.ORDER, "out_trade_no", "good"),
    ],
)
async def test_a_forged_one_is_wrong_in_one_thing(
    bench: Bench, till: QraTill, tamper: Tamper, field: str | None, seal: str
) -> None:
    show_and_pay(bench, till)
    [(_, honest)] = await bench.tell()
    [notification] = bench.postman.outbox.listed(0, 10, None)
    forged, sealed = till.told(bench.channel.herald.post(notification, 0, Forging(tamper=tamper)).body)
    true, _ = till.told(honest.body)
    assert sealed == seal
    assert {name for name in true if name != "sign" and true[name] != forged[name]} == ({field} if field else set())


async def test_after_a_rotation_the_next_key_signs(provisioned: Provision, bench: Bench, till: QraTill) -> None:
    show_and_pay(bench, till)
    await bench.tell()
    [notification] = bench.postman.outbox.listed(0, 10, None)
    post = bench.channel.herald.post(notification, 0, Forging(next_keys=True))
    [seed] = [seed for seed in provisioned.rotated if seed.channel == "qra"]
    assert till.told(post.body)[1] == "bad"
    assert QraTill(seed.settings, till.wire).told(post.body)[1] == "good"
