"""A customer's browser at the UnionPay simulator: who they are, and the page on which they pay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from routing.simulators.channel import HttpAnswer
from routing.simulators.provision import Provision
from tests.unit.simulators.in_process import Bench, bench_of, browse
from tests.unit.simulators.unionpay_till import UnionpayTill

AUTHORIZE = "/qrcGtwWeb-web/api/userAuth?"
BACK = "https://pay.example.com/q/abc?state=s%20t"
FRONT = "https://pay.example.com/q/abc?x=1"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> Iterator[Bench]:
    with bench_of("unionpay_direct", provisioned, tmp_path) as made:
        yield made


@pytest.fixture
def till(bench: Bench) -> UnionpayTill:
    assert isinstance(bench.till, UnionpayTill)
    return bench.till


def header(answer: HttpAnswer, name: bytes) -> str:
    return next((value.decode() for found, value in answer.headers if found == name), "")


def authorize(bench: Bench, **changes: str) -> HttpAnswer:
    query = {"version": "1.0.0", "redirectUrl": BACK} | changes
    return bench.visit(browse("GET", AUTHORIZE + urlencode(query)))


def code_for(bench: Bench, name: str) -> str:
    query = parse_qs(urlsplit(header(authorize(bench, payer=name), b"Location")).query)
    return query["userAuthCode"][0]


async def test_the_browser_comes_back_with_a_code(bench: Bench) -> None:
    answer = authorize(bench)
    place = header(answer, b"Location")
    assert answer.status == 302
    assert place.startswith(BACK + "&userAuthCode=")
    query = dict(parse_qsl(urlsplit(place).query))
    assert (query["state"], query["respCode"], len(query["userAuthCode"])) == ("s t", "00", 24)
    plain = header(authorize(bench, redirectUrl="https://pay.example.com/q/abc#top"), b"Location")
    assert re.fullmatch(r"https://pay\.example\.com/q/abc\?userAuthCode=\S+&respCode=00#top", plain)


@pytest.mark.parametrize(
    "changes", [{"version": "2.0"}, {"redirectUrl": ""}, {"redirectUrl": "javascript:alert(1)"}, {"redirectUrl": "/q"}]
)
async def test_a_request_that_is_wrong_gets_no_code(bench: Bench, changes: dict[str, str]) -> None:
    answer = authorize(bench, **changes)
    assert (answer.status, header(answer, b"Location")) == (400, "")


async def test_a_code_tells_once_who_the_user_is(bench: Bench, till: UnionpayTill) -> None:
    code = code_for(bench, "alice")
    named = till.identify(code)
    assert (named.seal, named.code, len(named.fields["appUserId"])) == ("good", "00", 64)
    again = till.identify(code)
    assert (again.seal, again.code, "appUserId" in again.fields) == ("good", "80", False)
    assert till.identify(code_for(bench, "alice")).fields["appUserId"] == named.fields["appUserId"]
    assert till.identify(code_for(bench, "bob")).fields["appUserId"] != named.fields["appUserId"]


async def test_codes_are_good_for_five_minutes_and_apps_are_named(bench: Bench, till: UnionpayTill) -> None:
    late = code_for(bench, "alice")
    bench.pass_time(301)
    assert till.identify(late).code == "80"
    assert till.identify("not a code").code == "80"
    assert till.identify(code_for(bench, "alice"), appUpIdentifier="Mozilla/5.0").code == "10"
    fields = till.fields("0010", {"orderId": till.order_no(), "txnTime": till.beijing("%Y%m%d%H%M%S")})
    assert till.send(fields, "newAppTransReq.do").code == "13"


async def test_a_user_of_one_merchant_is_nobody_to_another(
    provisioned: Provision, tmp_path: Path, bench: Bench, till: UnionpayTill
) -> None:
    user = till.identify(code_for(bench, "alice")).fields["appUserId"]
    seed = next(seed for seed in provisioned.accounts if seed.id == "unionpay_keyed")
    other = UnionpayTill(seed.settings, till.wire, till.now_s)
    assert other.open_page(other.order_no(), 100, user).code == "36"
    assert till.open_page(till.order_no(), 100, user).code == "00"


def page_of(bench: Bench, till: UnionpayTill, **more: str) -> tuple[str, str]:
    """A new page order's number and the target of its page."""
    number, user = till.order_no(), till.identify(code_for(bench, "alice")).fields["appUserId"]
    place = urlsplit(till.open_page(number, 1280, user, **more).fields["payUrl"])
    return number, f"{place.path}?{place.query}"


def press(bench: Bench, target: str, action: str) -> HttpAnswer:
    path, _, query = target.partition("?")
    return bench.visit(browse("POST", path, f"{query}&action={action}".encode()))


async def test_the_page_shows_the_order_and_pays_it(bench: Bench, till: UnionpayTill) -> None:
    number, target = page_of(bench, till)
    page = bench.visit(browse("GET", target)).body.decode()
    assert '<b data-testid="wallet-amount">12.80</b>' in page
    assert all(f'data-testid="wallet-{button}"' in page for button in ("pay", "cancel"))
    assert till.query(number).code == "05"
    back = press(bench, target, "pay")
    assert (back.status, header(back, b"Location")) == (302, FRONT)
    assert till.query(number).state == "captured"


async def test_a_customer_who_cancels_comes_back_and_may_still_pay(bench: Bench, till: UnionpayTill) -> None:
    number, target = page_of(bench, till)
    assert header(press(bench, target, "cancel"), b"Location") == FRONT
    assert till.query(number).code == "05"
    press(bench, target, "pay")
    assert till.query(number).state == "captured"


async def test_a_page_that_cannot_be_paid_says_why_and_leads_back(bench: Bench, till: UnionpayTill) -> None:
    _, paid = page_of(bench, till)
    press(bench, paid, "pay")
    _, late = page_of(bench, till, payTimeout="20261122100100")
    bench.pass_time(60)
    declined_no, declined = page_of(bench, till)
    bench.holder.set({"kind": "decline", "calls": ["scan"], "code": "risk"})
    shown = till.show(till.order_no(), 100).fields["qrCode"]
    refusals = (
        (bench.visit(browse("GET", paid)), "订单已支付", True),
        (press(bench, paid, "pay"), "订单已支付", True),
        (bench.visit(browse("GET", late)), "订单已关闭", True),
        (press(bench, declined, "pay"), "支付失败", True),
        (press(bench, declined, "dance"), "订单不存在", True),
        (bench.visit(browse("GET", "/qrcGtwWeb-web/front/pay?tn=1")), "订单不存在", False),
        (press(bench, "/qrcGtwWeb-web/front/pay?" + urlencode({"tn": shown}), "pay"), "订单不存在", False),
    )
    for answer, text, leads_back in refusals:
        assert answer.status == 409
        assert f'<p data-testid="wallet-refused">{text}</p>' in answer.body.decode()
        assert (f'href="{FRONT}"' in answer.body.decode()) is leads_back
    assert till.query(declined_no).code == "05"


async def test_a_switch_posts_the_signed_result_to_the_front_url(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("unionpay_direct", provisioned, tmp_path, front_return="post") as bench:
        till = bench.till
        assert isinstance(till, UnionpayTill)
        number, target = page_of(bench, till, reqReserved='"><b>')
        page = press(bench, target, "pay").body.decode()
        assert f'method="post" action="{FRONT}"' in page
        inputs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
        fields = {name: unescape(text) for name, text in inputs}
        assert till.seal_of(fields, "utf-8") == "good"
        assert (fields["orderId"], fields["respCode"], fields["reqReserved"]) == (number, "00", '"><b>')


async def test_pages_answer_the_methods_of_a_browser(bench: Bench) -> None:
    for method, target in (("POST", AUTHORIZE), ("PUT", "/qrcGtwWeb-web/front/pay?tn=1")):
        answer = bench.channel.read(browse(method, target))
        assert isinstance(answer, HttpAnswer)
        assert answer.status == 405
