"""What the Alipay simulator tells by itself: signed forms until `success`, of payments and of partial refunds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from routing.simulators.notifications import Delivered, Forging, Tamper
from routing.simulators.provision import Provision
from routing.simulators.wallet import Action, payer_named
from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.in_process import Bench, bench_of

URL = "https://pay.example.com/callbacks/alipay/alipay_direct?shop=1"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of("alipay_direct", provisioned, tmp_path) as made:
        yield made


def till_of(bench: Bench) -> AlipayTill:
    assert isinstance(bench.till, AlipayTill)
    return bench.till


def paid_code(bench: Bench, **more: str) -> str:
    """A code that a customer paid, with an address for notifications."""
    till, number = till_of(bench), bench.till.order_no()
    code = till.precreate(number, 1280, URL, **more).fields["qr_code"]
    bench.wallet.scan(code, Action.PAY, payer_named("alice"))
    return number


async def test_a_payment_is_told_once_with_all_that_a_query_says(bench: Bench) -> None:
    number = paid_code(bench, passback_params="shop%3D1", body="加冰 50%+2 & a=b")
    [(url, post)] = await bench.tell()
    assert url == URL
    assert post.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    fields, seal = till_of(bench).told(post.body)
    asked = till_of(bench).query(number).fields
    assert seal == "good"
    for name in ("trade_no", "out_trade_no", "trade_status", "total_amount", "receipt_amount", "buyer_logon_id"):
        assert fields[name] == asked[name]
    assert (fields["buyer_id"], fields["buyer_open_id"]) == (asked["buyer_user_id"], asked["buyer_open_id"])
    assert (fields["notify_type"], fields["sign_type"], fields["version"]) == ("trade_status_sync", "RSA2", "1.0")
    assert fields["app_id"] == fields["auth_app_id"] == till_of(bench).settings["app_id"]
    assert fields["seller_id"] == till_of(bench).settings["seller_id"]
    assert (fields["subject"], fields["body"]) == ("豆浆油条", "加冰 50%+2 & a=b")
    assert fields["passback_params"] == "shop%3D1"
    assert fields["gmt_payment"] == fields["notify_time"] == "2026-11-22 10:00:00"
    bench.pass_time(100_000)
    assert len(await bench.tell()) == 1


async def test_orders_without_an_address_are_told_to_nobody(bench: Bench) -> None:
    till = till_of(bench)
    till.pay(till.order_no(), 100, till.code())
    bench.wallet.scan(till.precreate(till.order_no(), 100).fields["qr_code"], Action.PAY)
    assert await bench.tell() == []


async def test_bar_code_payments_with_an_address_are_told_too_also_after_a_pin(bench: Bench) -> None:
    till = till_of(bench)
    at_once, later, declined = (till.order_no() for _ in range(3))
    for number, tail in ((at_once, ""), (later, "9003"), (declined, "9014")):
        till.call("alipay.trade.pay", till.sale(number, 100, till.code(tail)), notify_url=URL)
    assert [till.told(post.body)[0]["out_trade_no"] for _, post in await bench.tell()] == [at_once]
    bench.pass_time(4)
    bench.postman.outbox.settle(bench.now_ms)
    assert [till.told(post.body)[0]["out_trade_no"] for _, post in await bench.tell()] == [at_once, later]


async def test_page_orders_are_told(bench: Bench) -> None:
    till = till_of(bench)
    created = till.create(till.order_no(), 100, "2088102169481075", URL)
    bench.wallet.scan(created.fields["trade_no"], Action.PAY)
    [(_, post)] = await bench.tell()
    fields, seal = till.told(post.body)
    assert (seal, fields["buyer_id"], fields["trade_no"]) == ("good", "2088102169481075", created.fields["trade_no"])


async def test_only_the_seven_characters_acknowledge_and_the_id_stays_from_try_to_try(bench: Bench) -> None:
    paid_code(bench)
    bench.answers = [(200, b"SUCCESS"), (200, b"success\n"), (302, b"success"), (500, b""), (200, b'"success"')]
    for wait_s in (0, 0, 0, 0, 240, 600):
        bench.pass_time(wait_s)
        await bench.tell()
    told = [till_of(bench).told(post.body) for _, post in bench.posted]
    assert [seal for _, seal in told] == ["good"] * 6
    assert len({fields["notify_id"] for fields, _ in told}) == 1
    assert [fields["notify_time"][11:] for fields, _ in told] == ["10:00:00"] * 4 + ["10:04:00", "10:14:00"]
    [told_of] = bench.postman.outbox.listed(0, 10, None)
    assert (told_of.status, told_of.tries) == (Delivered.ACKNOWLEDGED, 6)


async def test_after_the_last_try_it_gives_up(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("alipay_direct", provisioned, tmp_path, notify_retry_s=[1, 2]) as bench:
        paid_code(bench)
        bench.answer = (200, b"fail")
        for _ in range(5):
            await bench.tell()
            bench.pass_time(3)
        [told_of] = bench.postman.outbox.listed(0, 10, None)
        assert (told_of.status, told_of.tries) == (Delivered.GIVEN_UP, 3)


async def test_partial_refunds_are_told_with_their_sum_and_what_closes_a_trade_is_silent(bench: Bench) -> None:
    till, number = till_of(bench), paid_code(bench)
    for request_no, fen in (("R1", 80), ("R2", 200), ("R3", 1000)):
        till.refund(number, request_no, fen, 1280)
        bench.pass_time(4)
    cancelled = paid_code(bench)
    till.reverse(cancelled)
    posted = await bench.tell()
    told = [till.told(post.body) for _, post in posted]
    assert [seal for _, seal in told] == ["good"] * 4
    shown = {(fields["out_trade_no"], fields.get("out_biz_no"), fields.get("refund_fee")) for fields, _ in told}
    assert shown == {(number, None, None), (number, "R1", "0.80"), (number, "R2", "2.80"), (cancelled, None, None)}
    assert {fields["trade_status"] for fields, _ in told} == {"TRADE_SUCCESS"}
    [gmt_refund] = {fields["gmt_refund"] for fields, _ in told if fields.get("out_biz_no") == "R2"}
    assert gmt_refund == "2026-11-22 10:00:04.000"


async def test_full_refunds_are_told_where_that_is_asked_for(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("alipay_direct", provisioned, tmp_path, notify_full_refunds=True) as bench:
        till, number = till_of(bench), paid_code(bench)
        till.refund(number, "R1", 1280, 1280)
        _, (_, post) = await bench.tell()
        fields, seal = till.told(post.body)
        assert (seal, fields["trade_status"], fields["refund_fee"]) == ("good", "TRADE_CLOSED", "12.80")
        assert fields["gmt_close"] == "2026-11-22 10:00:00"


async def test_an_order_in_gbk_is_told_in_gbk(bench: Bench) -> None:
    till, number = till_of(bench), bench.till.order_no()
    code = till.call("alipay.trade.precreate", till.order(number, 100), charset="gbk", notify_url=URL).fields["qr_code"]
    bench.wallet.scan(code, Action.PAY)
    [(_, post)] = await bench.tell()
    assert b"subject=%B6%B9%BD%AC%D3%CD%CC%F5" in post.body
    fields, seal = till.told(post.body)
    assert (seal, fields["charset"], fields["subject"]) == ("good", "gbk", "豆浆油条")


@pytest.mark.parametrize(
    ("forging", "seal", "changed"),
    [
        (Forging(), "good", set()),
        (Forging(age_s=600), "good", {"notify_time"}),
        (Forging(tamper=Tamper.SIGNATURE), "bad", set()),
        (Forging(signtest=True), "bad", set()),
        (
            Forging(tamper=Tamper.AMOUNT),
            "good",
            {"total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount"},
        ),
        (Forging(tamper=Tamper.MERCHANT), "good", {"app_id", "auth_app_id", "seller_id"}),
        (Forging(tamper=Tamper.ORDER), "good", {"out_trade_no"}),
    ],
)
async def test_what_is_forged_is_wrong_in_that_way_only(
    bench: Bench, forging: Forging, seal: str, changed: set[str]
) -> None:
    till = till_of(bench)
    paid_code(bench)
    [(_, honest)] = await bench.tell()
    [told_of] = bench.postman.outbox.listed(0, 10, None)
    await bench.postman.resend(told_of, times=1, at_once=True, forging=forging)
    (true, _), (false, found) = till.told(honest.body), till.told(bench.posted[1][1].body)
    assert found == seal
    assert true.keys() == false.keys()
    assert {name for name in true if name != "sign" and true[name] != false[name]} == changed
    if forging.tamper is Tamper.AMOUNT:
        assert (true["total_amount"], false["total_amount"]) == ("12.80", "12.81")


async def test_after_a_rotation_the_next_key_signs(provisioned: Provision, bench: Bench) -> None:
    seed = next(seed for seed in provisioned.rotated if seed.id == "alipay_direct")
    paid_code(bench)
    await bench.tell()
    [told_of] = bench.postman.outbox.listed(0, 10, None)
    await bench.postman.resend(told_of, forging=Forging(next_keys=True))
    rotated = AlipayTill(seed.settings, bench.till.wire)
    assert [till_of(bench).told(post.body)[1] for _, post in bench.posted] == ["good", "bad"]
    assert [rotated.told(post.body)[1] for _, post in bench.posted] == ["bad", "good"]


async def test_what_falls_due_while_the_postman_looks_is_his_next_stop(bench: Bench) -> None:
    till = till_of(bench)
    till.call("alipay.trade.pay", till.sale(till.order_no(), 100, till.code("9003")), notify_url=URL)
    looked_ms = bench.now_ms
    bench.pass_time(4)  # the PIN was typed meanwhile
    outbox = bench.postman.outbox
    assert outbox.due(looked_ms) == []
    assert outbox.next_ms(looked_ms) == looked_ms + 3_000
