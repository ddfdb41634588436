"""The control API: pages of the books, faults set, shown and cleared."""

from __future__ import annotations

import httpx

from routing.simulators.provision import Provision
from routing.simulators.wallet import payer_named
from tests.unit.simulators.conftest import Simulator, Stage, stage_of


def test_health_names_the_channel(channel_stage: Stage) -> None:
    health = channel_stage.simulator.control("health")
    assert (health["status"], health["channel"]) == ("ok", channel_stage.till.wallet)


def test_trades_and_refunds_are_listed_page_by_page(channel_stage: Stage) -> None:
    numbers = [channel_stage.till.order_no() for _ in range(5)]
    for number in numbers:
        channel_stage.till.pay(number, 100, channel_stage.till.code())
    seen: list[object] = []
    after = 0
    while True:
        page = channel_stage.simulator.control("trades", after=after, limit=2)
        trades = page["trades"]
        assert isinstance(trades, list)
        assert len(trades) <= 2
        seen += [trade["order_no"] for trade in trades]
        if not page["has_more"]:
            assert page["next"] is None
            break
        assert isinstance(page["next"], int)
        after = page["next"]
    assert [number for number in seen if number in numbers] == numbers
    everything = channel_stage.simulator.control("trades")["trades"]
    assert isinstance(everything, list)
    assert [trade["order_no"] for trade in everything] == seen


def test_a_trade_shows_no_payment_code_but_its_tail(channel_stage: Stage) -> None:
    number, code = channel_stage.till.order_no(), channel_stage.till.code("1234")
    channel_stage.till.pay(number, 100, code)
    trade = channel_stage.trade(number)
    assert trade["auth_code_tail"] == "1234"
    assert code not in str(trade)
    books = channel_stage.simulator.books
    kept = b"".join(path.read_bytes() for path in books.parent.glob(f"{books.name}*"))
    assert number.encode() in kept
    assert code.encode() not in kept


def test_faults_are_replaced_shown_and_cleared(channel_stage: Stage) -> None:
    simulator = channel_stage.simulator
    simulator.set_faults({"kind": "outage"}, latency_ms={"mean": 80}, seed=7)
    simulator.set_faults({"kind": "rate_limit", "calls": ["query"]})
    shown = simulator.control("faults")
    assert shown == {"rules": [{"kind": "rate_limit", "calls": ["query"], "seen": 0, "struck": 0}]}
    assert simulator.client.delete(f"{simulator.base_url}/_simulator/faults").status_code == 200
    assert simulator.control("faults") == {"rules": []}


def test_a_browser_that_was_made_somebody_is_that_payer_in_the_wallets_pages(
    simulators: dict[str, Simulator], provisioned: Provision
) -> None:
    stage = stage_of("wechat_direct", simulators, provisioned)
    settings, base = stage.till.settings, stage.simulator.base_url
    with httpx.Client(base_url=base, trust_env=False) as browser:
        payer = browser.get("/_simulator/payer", params={"payer": "alice"}).json()["payer"]
        assert browser.get("/_simulator/payer").json()["payer"] == payer == payer_named("alice")
        query = {"appid": settings["appid"], "redirect_uri": base, "response_type": "code", "scope": "snsapi_base"}
        sent_back = browser.get("/connect/oauth2/authorize", params=query)
    code = httpx.URL(sent_back.headers["location"]).params["code"]
    exchange = {"appid": settings["appid"], "secret": settings["app_secret"], "grant_type": "authorization_code"}
    told = stage.simulator.client.get(settings["token_url"], params=exchange | {"code": code}).json()
    assert told["openid"] == f"oSim{payer}"
    stage.simulator.set_faults({"kind": "rate_limit", "calls": ["identify"]})
    assert stage.simulator.client.get(settings["token_url"], params=exchange).json()["errcode"] == 45009


def test_bad_controls_are_refused_and_change_nothing(channel_stage: Stage) -> None:
    simulator, base = channel_stage.simulator, f"{channel_stage.simulator.base_url}/_simulator"
    assert simulator.client.put(f"{base}/faults", content=b"{").status_code == 400
    refused = simulator.client.put(f"{base}/faults", json={"rules": [{"kind": "nonsense"}]})
    assert (refused.status_code, "kind must be one of" in refused.json()["error"]) == (400, True)
    assert simulator.control("faults") == {"rules": []}
    assert simulator.client.get(f"{base}/trades", params={"limit": "x"}).status_code == 400
    assert simulator.client.post(f"{base}/reset").status_code == 404
    assert simulator.client.post(f"{base}/trades", content=b"x" * (1 << 21)).status_code == 413
