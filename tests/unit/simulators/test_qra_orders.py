"""The front's codes on display: one code that WeChat, Alipay and UnionPay customers can scan, by control or browser."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from routing.simulators.provision import Provision
from routing.simulators.wallet import Action, WalletRefused, payer_named
from tests.unit.simulators.conftest import Simulator, stage_of
from tests.unit.simulators.in_process import Bench, bench_of, browse
from tests.unit.simulators.qra_till import QraTill

FRONT = "unionpay_front"
TYPES = {"wechat": "pay.weixin.native", "alipay": "pay.alipay.native", "unionpay": "pay.unionpay.native"}


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncGenerator[Bench]:
    with bench_of(FRONT, provisioned, tmp_path) as found:
        yield found


@pytest.fixture
def till(bench: Bench) -> QraTill:
    assert isinstance(bench.till, QraTill)
    return bench.till


def scan(bench: Bench, code_url: str, wallet: str, action: Action = Action.PAY) -> None:
    bench.wallet.scan(bench.channel.display.handle_of(code_url), action, app=wallet)


@pytest.mark.parametrize("wallet", TYPES)
async def test_a_code_is_paid_by_whichever_wallet_scans_it(bench: Bench, till: QraTill, wallet: str) -> None:
    number = till.order_no()
    shown = till.show(number, 1_280)
    assert shown.seal == "good"
    assert re.fullmatch(r"http://127\.0\.0\.1:8104/scan\?code=[0-9A-Za-z]{32}", shown.fields["code_url"])
    waiting = till.query(number).fields
    assert (waiting["trade_state"], waiting["trade_type"]) == ("NOTPAY", "unified.trade.native")
    scan(bench, shown.fields["code_url"], wallet)
    paid = till.query(number)
    assert (paid.state, paid.amount, paid.fields["trade_type"]) == ("captured", 1_280, TYPES[wallet])


async def test_who_only_looked_does_not_pay_for_the_one_who_does_later(bench: Bench, till: QraTill) -> None:
    number = till.order_no()
    code_url = till.show(number, 100).fields["code_url"]
    scan(bench, code_url, "wechat", Action.SCAN)
    scan(bench, code_url, "alipay")
    assert till.query(number).fields["trade_type"] == "pay.alipay.native"


async def test_the_same_request_finds_the_same_code_and_another_is_refused(bench: Bench, till: QraTill) -> None:
    number = till.order_no()
    first = till.show(number, 100)
    assert till.show(number, 100).fields["code_url"] == first.fields["code_url"]
    assert till.show(number, 101).code == "OUT_TRADE_NO_USED"
    assert till.pay(number, 100, till.code()).code == "OUT_TRADE_NO_USED"
    scan(bench, first.fields["code_url"], "alipay")
    assert till.show(number, 100).code == "ORDERPAID"
    assert till.show(till.order_no(), 100, notify_url="").code == "LACK_PARAMS"


async def test_a_closed_code_is_paid_by_nobody_and_a_paid_one_is_not_closed(bench: Bench, till: QraTill) -> None:
    closed, paid, barcode = till.order_no(), till.order_no(), till.order_no()
    codes = {number: till.show(number, 100).fields["code_url"] for number in (closed, paid)}
    assert [till.close(closed).state, till.close(closed).state] == ["accepted", "accepted"]
    with pytest.raises(WalletRefused, match="closed"):
        scan(bench, codes[closed], "wechat")
    assert till.query(closed).state == "closed"
    assert till.show(closed, 100).code == "ORDERCLOSED"
    scan(bench, codes[paid], "wechat")
    assert till.close(paid).code == "ORDERPAID"
    till.pay(barcode, 100, till.code())
    assert till.close(barcode).code == "INVALID_REQUEST"
    assert till.close(till.order_no()).code == "ORDERNOTEXIST"


async def test_a_code_ends_at_time_expire_or_after_two_hours(bench: Bench, till: QraTill) -> None:
    short, usual = till.order_no(), till.order_no()
    expires = {"time_expire": till.beijing("%Y%m%d%H") + "0130"}
    codes = [till.show(short, 100, **expires).fields["code_url"], till.show(usual, 100).fields["code_url"]]
    bench.pass_time(91)
    with pytest.raises(WalletRefused, match="closed"):
        scan(bench, codes[0], "wechat")
    assert (till.query(short).state, till.query(usual).state) == ("closed", "pending")
    bench.pass_time(7_200)
    assert till.query(usual).state == "closed"
    assert till.show(till.order_no(), 100, **expires).code == "PARAM_ERROR"


async def test_a_browser_pays_with_the_wallet_that_it_names(bench: Bench, till: QraTill) -> None:
    number = till.order_no()
    target = till.show(number, 2_599).fields["code_url"].partition(":8104")[2]
    page = bench.visit(browse("GET", f"{target}&wallet=alipay"))
    sheet = page.body.decode()
    assert page.status == 200
    assert 'data-testid="wallet-amount">25.99<' in sheet
    assert '<option value="alipay" selected>' in sheet
    left = bench.visit(browse("POST", target, b"wallet=alipay&action=cancel"))
    assert b'data-testid="wallet-cancelled"' in left.body
    assert till.query(number).state == "pending"
    paid = bench.visit(browse("POST", target, b"wallet=alipay&action=pay"))
    assert (paid.status, b'data-testid="wallet-paid"' in paid.body) == (200, True)
    assert till.query(number).fields["trade_type"] == "pay.alipay.native"
    again = bench.visit(browse("GET", target))
    assert (again.status, "订单已支付" in again.body.decode()) == (409, True)


@pytest.mark.parametrize(
    ("browser", "wallet"),
    [("MicroMessenger/8.0.50", "wechat"), ("AlipayClient/10.5", "alipay"), ("(UnionPay/1.0 CloudPay)", "unionpay")],
)
async def test_a_wallets_own_browser_is_recognised(bench: Bench, till: QraTill, browser: str, wallet: str) -> None:
    target = till.show(till.order_no(), 100).fields["code_url"].partition(":8104")[2]
    page = bench.visit(browse("GET", target, **{"user-agent": browser}))
    assert f'<option value="{wallet}" selected>' in page.body.decode()


@pytest.mark.parametrize(
    ("query", "form"),
    [("?code=nobody", b"wallet=alipay&action=pay"), ("", b"wallet=qq&action=pay"), ("", b"action=pay"), ("", b"")],
)
async def test_a_page_that_cannot_pay_says_so(bench: Bench, till: QraTill, query: str, form: bytes) -> None:
    number = till.order_no()
    target = till.show(number, 100).fields["code_url"].partition(":8104")[2]
    refused = bench.visit(browse("POST", f"/scan{query}" if query else target, form))
    assert (refused.status, b'data-testid="wallet-refused"' in refused.body) == (409, True)
    assert till.query(number).state == "pending"


def test_the_control_api_scans_with_a_wallet_that_is_named(
    simulators: dict[str, Simulator], provisioned: Provision
) -> None:
    stage = stage_of(FRONT, simulators, provisioned)
    till, simulator = stage.till, stage.simulator
    assert isinstance(till, QraTill)
    for wallet in (None, "wechat", "alipay"):
        number = till.order_no()
        order = {"qr_code": till.show(number, 100).fields["code_url"], "payer": "alice"}
        assert stage.trade(number)["wallet"] is None
        named = order if wallet is None else order | {"wallet": wallet}
        answer = simulator.client.post(f"{simulator.base_url}/_simulator/scan", json=named)
        assert answer.json() == {"order_no": number, "status": "captured", "amount": 100}
        assert stage.trade(number)["wallet"] == (wallet or "unionpay")
        assert till.query(number).fields["openid"] == f"qra{payer_named('alice')}"
    refused = simulator.client.post(f"{simulator.base_url}/_simulator/scan", json=order | {"wallet": "qq"})
    assert (refused.status_code, "unionpay, wechat, alipay" in refused.json()["error"]) == (400, True)


def test_a_browser_over_http_stays_the_same_customer(simulators: dict[str, Simulator], provisioned: Provision) -> None:
    stage = stage_of(FRONT, simulators, provisioned)
    till, number = stage.till, stage.till.order_no()
    assert isinstance(till, QraTill)
    target = till.show(number, 100).fields["code_url"].partition(":8104")[2]
    with httpx.Client(base_url=stage.simulator.base_url, trust_env=False) as browser:
        browser.get("/_simulator/payer", params={"payer": "bob"})
        assert browser.get(target).status_code == 200
        assert browser.post(target, data={"wallet": "wechat", "action": "pay"}).status_code == 200
    assert till.query(number).fields["openid"] == f"qra{payer_named('bob')}"


def test_a_direct_channels_codes_are_scanned_by_its_own_wallet_only(
    simulators: dict[str, Simulator], provisioned: Provision
) -> None:
    stage = stage_of("wechat_direct", simulators, provisioned)
    url = f"{stage.simulator.base_url}/_simulator/scan"
    refused = stage.simulator.client.post(url, json={"qr_code": "weixin://x", "wallet": "alipay"})
    assert (refused.status_code, refused.json()["error"]) == (400, "wallet must be one of wechat")
    assert stage.simulator.client.post(url, json={"qr_code": "weixin://x", "wallet": "wechat"}).status_code == 404
