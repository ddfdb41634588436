"""What the WeChat simulator tells: words, encryption, signature, schedule, and each way to get them wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from routing.simulators.notifications import Forging, Post, Tamper
from routing.simulators.provision import Provision
from routing.simulators.wallet import Action, payer_named
from routing.simulators.wechat_account import NOTIFY_RETRY_S
from tests.unit.simulators.in_process import Bench, bench_of
from tests.unit.simulators.till import good, public
from tests.unit.simulators.wechat_till import WechatTill

URL = "http://127.0.0.1:9/callbacks/wechat/a1"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncIterator[Bench]:
    with bench_of("wechat_direct", provisioned, tmp_path) as found:
        yield found


def read(post: Post, settings: dict[str, Any]) -> dict[str, Any]:
    """The envelope of a notification that proves itself, its resource decrypted."""
    headers = {name.lower(): value for name, value in post.headers.items()}
    key = public(settings["platform_public_keys"][headers["wechatpay-serial"]])
    head = f"{headers['wechatpay-timestamp']}\n{headers['wechatpay-nonce']}\n".encode()
    assert good(key, headers["wechatpay-signature"], head + post.body + b"\n")
    document: dict[str, Any] = json.loads(post.body)
    sealed = document["resource"]
    plain = AESGCM(settings["api_v3_key"].encode()).decrypt(
        sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), sealed["associated_data"].encode()
    )
    return document | {"told": json.loads(plain)}


async def paid(bench: Bench, fen: int = 100, **more: object) -> str:
    """A code that alice has paid, and whose merchant was told."""
    till, number = bench.till, bench.till.order_no()
    assert isinstance(till, WechatTill)
    bench.wallet.scan(till.native(number, fen, **more).fields["code_url"], Action.PAY, payer_named("alice"))
    return number


async def test_a_paid_code_is_told_once_as_the_query_tells_it(bench: Bench) -> None:
    till = bench.till
    number = await paid(bench, 2_599, attach="a")
    [(url, post)] = await bench.tell()
    told = read(post, till.settings)
    assert url == URL
    assert (told["event_type"], told["resource_type"], told["summary"]) == (
        "TRANSACTION.SUCCESS", "encrypt-resource", "支付成功",
    )  # fmt: skip
    assert told["resource"]["original_type"] == told["resource"]["associated_data"] == "transaction"
    assert told["told"] == till.query(number).fields
    assert post.headers["Content-Type"] == "application/json"
    bench.pass_time(86_400)
    assert len(await bench.tell()) == 1


async def test_it_tells_the_payment_as_it_was_also_after_a_refund(bench: Bench) -> None:
    bench.answers = [(500, b"")]
    number = await paid(bench)
    await bench.tell()
    assert isinstance(bench.till, WechatTill)
    bench.till.refund(number, f"{number}F01", 30, 100)
    bench.pass_time(15)
    posts = await bench.tell()
    first, second = (read(post, bench.till.settings) for _, post in posts)
    assert (len(posts), first["id"], first["told"]) == (2, second["id"], second["told"])
    assert second["told"]["trade_state"] == "SUCCESS"
    assert posts[0][1].body != posts[1][1].body  # a fresh nonce each time


async def test_it_comes_again_on_wechats_schedule_and_then_no_more(bench: Bench) -> None:
    bench.answer = (500, b'{"code":"FAIL","message":"no"}')
    await paid(bench)
    await bench.tell()
    for count, wait_s in enumerate(NOTIFY_RETRY_S, 1):
        bench.pass_time(wait_s - 1)
        assert len(await bench.tell()) == count
        bench.pass_time(1)
        assert len(await bench.tell()) == count + 1
    bench.pass_time(86_400)
    assert len(await bench.tell()) == 16
    [listed] = bench.postman.outbox.listed(0, 10, None)
    assert (listed.status, listed.tries, listed.last_answer) == (
        "given_up", 16, '500 {"code":"FAIL","message":"no"}',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "acknowledged"),
    [((200, b""), True), ((204, b""), True), ((200, b"x"), True), ((201, b""), False), ((302, b""), False),
     ((404, b""), False)],
)  # fmt: skip
async def test_only_200_and_204_acknowledge(bench: Bench, answer: tuple[int, bytes], *, acknowledged: bool) -> None:
    bench.answer = answer
    await paid(bench)
    await bench.tell()
    bench.pass_time(15)
    assert len(await bench.tell()) == (1 if acknowledged else 2)


async def test_bar_codes_are_never_told_and_neither_are_refunds_without_an_address(bench: Bench) -> None:
    till, number = bench.till, bench.till.order_no()
    till.pay(number, 100, till.code())
    till.refund(number, f"{number}F01", 30, 100)
    till.reverse(till.order_no())
    bench.pass_time(60)
    assert await bench.tell() == []


@pytest.mark.parametrize(
    ("ends", "event", "summary", "state"),
    [
        ("succeeded", "REFUND.SUCCESS", "退款成功", "SUCCESS"),
        ("abnormal", "REFUND.ABNORMAL", "退款异常", "ABNORMAL"),
        ("closed", "REFUND.CLOSED", "退款关闭", "CLOSED"),
    ],
)
async def test_a_refund_is_told_when_it_ends_and_how(
    bench: Bench, ends: str, event: str, summary: str, state: str
) -> None:
    till, number = bench.till, bench.till.order_no()
    assert isinstance(till, WechatTill)
    till.pay(number, 100, till.code())
    bench.holder.set({"kind": "refund_ends", "as": ends})
    assert till.refund(number, f"{number}F01", 30, 100, notify_url=URL).fields["status"] == "PROCESSING"
    assert await bench.tell() == []
    bench.pass_time(0.5)
    [(_, post)] = await bench.tell()
    told = read(post, till.settings)
    assert (told["event_type"], told["summary"], told["resource"]["original_type"]) == (event, summary, "refund")
    queried = till.query_refund(number, f"{number}F01").fields
    assert queried["status"] == told["told"]["refund_status"] == state
    for name in ("out_trade_no", "transaction_id", "out_refund_no", "refund_id", "user_received_account"):
        assert told["told"][name] == queried[name]
    assert told["told"].get("success_time") == queried.get("success_time")
    assert told["told"]["amount"] == {"total": 100, "refund": 30, "payer_total": 100, "payer_refund": 30}
    assert told["told"]["mchid"] == till.settings["mchid"]
    trade = next(bench.books.trades(0, 10))
    assert trade.refunded_fen == (0 if ends == "closed" else 30)


@pytest.mark.parametrize(
    ("tamper", "path"),
    [
        (Tamper.AMOUNT, ("amount", "total")),
        (Tamper.MERCHANT, ("mchid",)),
        (Tamper.ORDER, ("out_trade_no",)),
    ],
)
async def test_a_mistaken_notification_is_signed_well_and_wrong_in_one_thing(
    bench: Bench, tamper: Tamper, path: tuple[str, ...]
) -> None:
    await paid(bench)
    await bench.tell()
    [notification] = bench.postman.outbox.listed(0, 10, None)
    await bench.postman.resend(notification, forging=Forging(tamper=tamper))
    true, false = (read(post, bench.till.settings)["told"] for _, post in bench.posted)
    changed = {name for name in true if true[name] != false[name]}
    assert changed == {path[0]}
    if tamper is Tamper.AMOUNT:
        assert (false["amount"]["total"], false["amount"]["payer_total"]) == (101, 101)
    else:
        assert len(false[path[0]]) == len(true[path[0]])


async def test_a_forged_one_a_probe_and_a_stale_one_prove_nothing(bench: Bench) -> None:
    await paid(bench)
    await bench.tell()
    [notification] = bench.postman.outbox.listed(0, 10, None)
    for forging in (Forging(tamper=Tamper.SIGNATURE), Forging(signtest=True), Forging(age_s=600)):
        await bench.postman.resend(notification, forging=forging)
    forged, probe, stale = (post for _, post in bench.posted[1:])
    settings = bench.till.settings
    with pytest.raises(AssertionError):
        read(forged, settings)
    assert probe.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert int(stale.headers["Wechatpay-Timestamp"]) == bench.now_ms // 1_000 - 600
    assert read(stale, settings)["told"]["trade_state"] == "SUCCESS"


async def test_after_a_rotation_it_is_sealed_with_the_next_keys(bench: Bench, provisioned: Provision) -> None:
    await paid(bench)
    await bench.tell()
    [notification] = bench.postman.outbox.listed(0, 10, None)
    await bench.postman.resend(notification, forging=Forging(next_keys=True))
    rotated = next(seed.settings for seed in provisioned.rotated if seed.id == "wechat_direct")
    told = read(bench.posted[1][1], rotated)
    assert told["told"] == read(bench.posted[0][1], bench.till.settings)["told"]
    with pytest.raises(KeyError):
        read(bench.posted[1][1], bench.till.settings)


async def test_it_can_sign_with_the_platform_certificate(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path, notify_key="certificate") as bench:
        await paid(bench)
        [(_, post)] = await bench.tell()
        assert len(post.headers["Wechatpay-Serial"]) == 40
        assert read(post, bench.till.settings)["event_type"] == "TRANSACTION.SUCCESS"
