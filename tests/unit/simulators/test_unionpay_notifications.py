"""What the UnionPay simulator tells by itself: URL-encoded forms to backUrl, signed by the merchant's own method."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from routing.simulators.notifications import Delivered, Forging, Tamper
from routing.simulators.provision import Provision
from routing.simulators.unionpay_payers import app_user_id
from routing.simulators.wallet import Action, payer_named
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.unionpay_till import UnionpayTill

URL = "https://pay.example.com/callbacks/unionpay/unionpay_direct"


@pytest.fixture(params=["unionpay_direct", "unionpay_keyed"])
async def bench(request: pytest.FixtureRequest, provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(request.param, provisioned, tmp_path) as made:
        yield made


@pytest.fixture
def till(bench: Bench) -> UnionpayTill:
    assert isinstance(bench.till, UnionpayTill)
    return bench.till


def paid_code(bench: Bench, **more: str) -> str:
    """A code that a customer paid, with an address for notifications."""
    assert isinstance(bench.till, UnionpayTill)
    number = bench.till.order_no()
    code = bench.till.show(number, 1280, backUrl=URL, **more).fields["qrCode"]
    bench.wallet.scan(code, Action.PAY, payer_named("alice"))
    return number


async def test_a_payment_is_told_with_the_request_and_what_a_query_says(bench: Bench, till: UnionpayTill) -> None:
    number = paid_code(bench, reqReserved="门店=海淀1号+收银台/3")
    [(url, post)] = await bench.tell()
    assert url == URL
    assert post.headers == {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
    fields, seal = till.told(post.body)
    asked = till.query(number).fields
    assert seal == "good"
    for name in ("orderId", "txnTime", "txnAmt", "queryId", "traceNo", "traceTime", "settleDate", "settleAmt", "accNo"):
        assert fields[name] == asked[name]
    assert (fields["txnType"], fields["txnSubType"], fields["respCode"]) == ("01", "07", "00")
    assert (fields["merId"], fields["reqReserved"]) == (till.settings["mer_id"], "门店=海淀1号+收银台/3")
    assert (fields["signMethod"], "signPubKeyCert" in fields) == (
        till.settings["sign_method"], till.settings["sign_method"] == "01",
    )  # fmt: skip
    bench.pass_time(100_000)
    assert len(await bench.tell()) == 1


async def test_each_kind_of_consume_names_itself(bench: Bench, till: UnionpayTill) -> None:
    till.consume(till.order_no(), 100, till.code(), backUrl=URL)
    user = app_user_id(till.settings["mer_id"], payer_named("alice"))
    page = till.open_page(till.order_no(), 100, user, backUrl=URL)
    bench.wallet.scan(page.fields["tn"], Action.PAY)
    paid_code(bench)
    bench.pass_time(1)
    bench.postman.outbox.settle(bench.now_ms)
    told = [till.told(post.body) for _, post in await bench.tell()]
    assert {fields["txnSubType"] for fields, _ in told} == {"06", "01", "07"}
    assert {seal for _, seal in told} == {"good"}
    [barcode] = [fields for fields, _ in told if fields["txnSubType"] == "06"]
    assert len(barcode["qrNo"]) == 19


@pytest.mark.parametrize("address", ["http://www.specialUrl.com", "http://www.specialurl.com/", ""])
async def test_those_who_want_no_notification_get_none(bench: Bench, till: UnionpayTill, address: str) -> None:
    more = {"backUrl": address} if address else {}
    number = till.order_no()
    till.consume(number, 100, till.code(), **more)
    bench.pass_time(1)
    query_id = till.query(number).fields["queryId"]
    till.call("0400", "backTransReq.do", orderId="R" + number, txnTime=till.time_of("R" + number), txnAmt="10",
              origQryId=query_id, **more)  # fmt: skip
    bench.wallet.scan(till.show(till.order_no(), 100, **more).fields["qrCode"], Action.PAY)
    bench.pass_time(1)
    bench.postman.outbox.settle(bench.now_ms)
    assert await bench.tell() == []


async def test_refused_payments_are_told_to_nobody(bench: Bench, till: UnionpayTill) -> None:
    till.consume(till.order_no(), 100, till.code("9001"), backUrl=URL)
    till.show(till.order_no(), 100, backUrl=URL, payTimeout="20261122100100")
    bench.pass_time(120)
    bench.postman.outbox.settle(bench.now_ms)
    assert await bench.tell() == []


@pytest.mark.parametrize(("kind", "fen"), [("0400", 80), ("3100", 1280)])
async def test_refunds_and_voids_are_told_when_they_settle(
    bench: Bench, till: UnionpayTill, kind: str, fen: int
) -> None:
    number, refund = paid_code(bench), till.order_no()
    await bench.tell()
    query_id = till.query(number).fields["queryId"]
    asked = {"orderId": refund, "txnTime": till.time_of(refund), "origQryId": query_id, "txnAmt": str(fen)}
    assert till.call(kind, "backTransReq.do", backUrl=URL + "2", reqReserved="r", **asked).code == "00"
    assert len(await bench.tell()) == 1
    bench.pass_time(0.1)
    _, (url, post) = await bench.tell()
    fields, seal = till.told(post.body)
    assert (url, seal, fields["respCode"], fields["reqReserved"]) == (URL + "2", "good", "00", "r")
    assert asked.items() <= fields.items()
    assert fields["txnType"] + fields["txnSubType"] == kind
    assert fields["queryId"] == till.query(refund).fields["queryId"]


async def test_refunds_that_fail_are_told_to_nobody(bench: Bench, till: UnionpayTill) -> None:
    number, refund = paid_code(bench), till.order_no()
    bench.holder.set({"kind": "refund_ends", "as": "closed"})
    asked = {"orderId": refund, "txnTime": till.time_of(refund), "origQryId": till.query(number).fields["queryId"]}
    till.call("0400", "backTransReq.do", backUrl=URL, txnAmt="80", **asked)
    bench.pass_time(1)
    assert len(await bench.tell()) == 1


async def test_it_is_told_again_until_http_200(bench: Bench) -> None:
    paid_code(bench)
    bench.answers = [(204, b""), (302, b"ok"), (500, b"ok"), (404, b"")]
    bench.answer = (200, b"whatever")
    assert len(await bench.tell()) == 1
    for count, wait_s in enumerate((60, 120, 240, 300), 1):
        bench.pass_time(wait_s - 0.1)
        assert len(await bench.tell()) == count
        bench.pass_time(0.1)
        assert len(await bench.tell()) == count + 1
    [told_of] = bench.postman.outbox.listed(0, 10, None)
    assert (told_of.status, told_of.tries) == (Delivered.ACKNOWLEDGED, 5)
    assert len({post.body for _, post in bench.posted}) == 1


async def test_after_five_repeats_it_gives_up(bench: Bench) -> None:
    paid_code(bench)
    bench.answer = (500, b"")
    for _ in range(10):
        await bench.tell()
        bench.pass_time(301)
    [told_of] = bench.postman.outbox.listed(0, 10, None)
    assert (told_of.status, told_of.tries) == (Delivered.GIVEN_UP, 6)


async def test_an_order_in_gbk_is_told_in_gbk(bench: Bench, till: UnionpayTill) -> None:
    number = till.order_no()
    fields = till.fields(
        "0107",
        {"orderId": number, "txnTime": till.time_of(number), "txnAmt": "100", "currencyCode": "156", "encoding": "GBK",
         "backUrl": URL, "reqReserved": "豆浆"},
    )  # fmt: skip
    bench.wallet.scan(till.send(fields, "backTransReq.do").fields["qrCode"], Action.PAY)
    [(_, post)] = await bench.tell()
    assert b"reqReserved=%B6%B9%BD%AC" in post.body
    told, seal = till.told(post.body)
    assert (seal, told["reqReserved"], told["encoding"]) == ("good", "豆浆", "GBK")


@pytest.mark.parametrize(
    ("forging", "seal", "changed"),
    [
        (Forging(), "good", set()),
        (Forging(tamper=Tamper.SIGNATURE), "bad", set()),
        (Forging(signtest=True), "bad", set()),
        (Forging(tamper=Tamper.AMOUNT), "good", {"txnAmt", "settleAmt"}),
        (Forging(tamper=Tamper.MERCHANT), "good", {"merId"}),
        (Forging(tamper=Tamper.ORDER), "good", {"orderId"}),
    ],
)
async def test_what_is_forged_is_wrong_in_that_way_only(
    bench: Bench, till: UnionpayTill, forging: Forging, seal: str, changed: set[str]
) -> None:
    paid_code(bench)
    [(_, honest)] = await bench.tell()
    [told_of] = bench.postman.outbox.listed(0, 10, None)
    await bench.postman.resend(told_of, forging=forging)
    (true, _), (false, found) = till.told(honest.body), till.told(bench.posted[1][1].body)
    assert (found, true.keys()) == (seal, false.keys())
    assert {name for name in true if name != "signature" and true[name] != false[name]} == changed


async def test_after_a_rotation_the_next_secret_signs(
    request: pytest.FixtureRequest, provisioned: Provision, bench: Bench, till: UnionpayTill
) -> None:
    account = request.node.callspec.params["bench"]
    seed = next(seed for seed in provisioned.rotated if seed.id == account)
    paid_code(bench)
    await bench.tell()
    [told_of] = bench.postman.outbox.listed(0, 10, None)
    await bench.postman.resend(told_of, forging=Forging(next_keys=True))
    seals = [UnionpayTill(seed.settings, till.wire).told(post.body)[1] for _, post in bench.posted]
    # By certificate it is UnionPay's own key that signs, whatever the merchant's.
    assert seals == (["bad", "good"] if account == "unionpay_keyed" else ["good", "good"])
