"""How a page learns who opened it: the authorisation page's redirect, and the code that is good once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from routing.simulators.acts import Sealing
from routing.simulators.channel import HttpAnswer
from routing.simulators.provision import Provision
from routing.simulators.wallet import payer_named
from routing.simulators.wechat_oauth import ExchangeCall
from tests.unit.simulators.in_process import Bench, bench_of, browse

BACK = "http://127.0.0.1:8080/q/p01/wechat"


@pytest.fixture
async def bench(provisioned: Provision, tmp_path: Path) -> AsyncIterator[Bench]:
    with bench_of("wechat_direct", provisioned, tmp_path) as found:
        yield found


def header(answer: HttpAnswer, name: bytes) -> str:
    return next(value.decode() for key, value in answer.headers if key.lower() == name)


def authorize(bench: Bench, cookie: str = "", **changes: str) -> HttpAnswer:
    query = {
        "appid": bench.till.settings["appid"],
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s t&a=te",
    } | changes
    return bench.visit(browse("GET", f"/connect/oauth2/authorize?{urlencode(query)}", cookie=cookie))


def code_of(answer: HttpAnswer) -> str:
    assert answer.status == 302
    return parse_qs(urlsplit(header(answer, b"location")).query)["code"][0]


def exchange(bench: Bench, code: str, changes: dict[str, str] | None = None) -> dict[str, Any]:
    settings = bench.till.settings
    query = {
        "appid": settings["appid"],
        "secret": settings["app_secret"],
        "code": code,
        "grant_type": "authorization_code",
    } | (changes or {})
    raw = bench.till.wire("GET", f"/sns/oauth2/access_token?{urlencode(query)}", {}, b"", 5)
    assert raw.status == 200
    document: dict[str, Any] = json.loads(raw.body)
    return document


async def test_the_browser_comes_back_with_a_code_and_the_state_as_it_was(bench: Bench) -> None:
    address = urlsplit(header(authorize(bench), b"location"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == BACK
    assert parse_qs(address.query)["state"] == ["s t&a=te"]
    with_query = header(authorize(bench, redirect_uri=f"{BACK}?x=1"), b"location")
    assert with_query.startswith(f"{BACK}?x=1&code=")


async def test_a_code_tells_the_payer_once(bench: Bench) -> None:
    code = code_of(authorize(bench, payer="alice"))
    assert exchange(bench, code)["openid"] == "oSim" + payer_named("alice")
    assert exchange(bench, code)["errcode"] == 40163
    assert exchange(bench, "0" * 32)["errcode"] == 40029


async def test_a_code_is_good_for_five_minutes(bench: Bench) -> None:
    code = code_of(authorize(bench))
    bench.pass_time(300)
    assert exchange(bench, code)["errcode"] == 40029


async def test_a_browser_stays_the_same_payer_and_another_is_another(bench: Bench) -> None:
    first = authorize(bench)
    cookie = header(first, b"set-cookie").partition(";")[0]
    payer = exchange(bench, code_of(first))["openid"]
    assert exchange(bench, code_of(authorize(bench, cookie)))["openid"] == payer
    assert exchange(bench, code_of(authorize(bench)))["openid"] != payer
    assert exchange(bench, code_of(authorize(bench, "simulated_payer=nobody; x")))["openid"] != payer


@pytest.mark.parametrize(
    "change",
    [
        {"appid": "wx0"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://127.0.0.1/\r\nX: y"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"scope": "everything"},
    ],
)
async def test_an_address_that_is_not_in_order_gets_a_page_and_no_code(bench: Bench, change: dict[str, str]) -> None:
    answer = authorize(bench, **change)
    assert (answer.status, header(answer, b"content-type")) == (400, "text/html; charset=utf-8")
    assert not [name for name, _ in answer.headers if name == b"Location"]
    assert bench.books.rows("SELECT 1 FROM grants") == []


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"appid": "wx0"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": "x"}, 40125),
        ({"secret": ""}, 41004),
        ({"code": ""}, 41008),
        ({"grant_type": "password"}, 40002),
    ],
)
async def test_an_exchange_that_is_not_in_order_leaves_the_code_good(
    bench: Bench, change: dict[str, str], errcode: int
) -> None:
    code = code_of(authorize(bench))
    assert exchange(bench, code, change)["errcode"] == errcode
    assert "openid" in exchange(bench, code)


async def test_faults_meet_the_exchange(bench: Bench) -> None:
    code = code_of(authorize(bench))
    bench.holder.set({"kind": "error_code", "code": "-1", "calls": ["identify"], "times": 1})
    call = bench.channel.read(browse("GET", "/sns/oauth2/access_token"))
    assert isinstance(call, ExchangeCall)
    act = bench.holder.faults.act_for(call.kind, call.order_no)
    assert act.error_code == "-1"
    assert json.loads(call.fail(act.error_code).seal(Sealing.SIGNED).body)["errcode"] == -1
    assert exchange(bench, code).keys() >= {"openid", "access_token", "expires_in", "refresh_token", "scope"}
