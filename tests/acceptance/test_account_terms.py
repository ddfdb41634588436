"""What operations set for an account holds: terms, maintenance, draining, by the admin API and by the commands."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from gateway.admin.accounts.schemas import AccountDetail, AccountObject
from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_ulid
from tests.support.accounts import ACCOUNTS, settings_of
from tests.support.channels import Simulators, start_simulators
from tests.support.gateway import GatewayStack, Shop
from tests.support.ready import write_ready_file
from tests.support.till import Till, error_of, new_order, payment_of
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
ROOT = Path(__file__).parents[2]
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulators]:
    """With the front: a second route for each wallet.  A test stops one of them."""
    keys = tmp_path_factory.getbasetemp() / "channel-keys"
    with start_simulators(tmp_path_factory.mktemp("simulators"), keys, front=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(stack: GatewayStack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.admin() as client:
        yield client


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


@pytest_asyncio.fixture(loop_scope="module")
async def account(stack: GatewayStack, admin: httpx.AsyncClient) -> str:
    """A WeChat account of a shop's own; the shop is its owner's."""
    return await own_account(stack, admin, stack.new_shop("with an account"))


async def own_account(stack: GatewayStack, admin: httpx.AsyncClient, shop: Shop, **more: Any) -> str:
    channel, seed = more.pop("of", ("wechat", "wechat_direct"))
    wanted = {"channel": channel, "merchant_id": shop.id, "settings": settings_of(stack, seed)} | more
    answer = await admin.post(ACCOUNTS, json=wanted)
    assert answer.status_code == 201, answer.text
    AccountDetail.model_validate_json(answer.content)
    assert set(answer.json()) == set(AccountDetail.model_fields)
    return str(answer.json()["id"])


def account_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The account in an answer, exactly as documented."""
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    AccountObject.model_validate_json(answer.content)
    assert set(found) == set(AccountObject.model_fields)
    return found


def in_hours(hours: float) -> str:
    return rfc3339(NOW + timedelta(hours=hours))


TERMS: dict[str, Any] = {
    "fee": {
        "rate_millionths": 6_000,
        "min_fen": 1,
        "cap_fen": 500,
        "bands": [{"up_to_fen": 1_000, "rate_millionths": 3_800, "cap_fen": 3}],
        "promotions": [
            {"from": in_hours(-1), "until": in_hours(9), "rate_millionths": 2_000, "wallets": ["wechat"]},
            {"from": in_hours(-1), "until": in_hours(9), "rate_millionths": 1_000, "wallets": ["alipay"]},
        ],
    },
    "limits": {"payment_min_fen": 10, "payment_max_fen": 1_000_000, "day_fen": 10**9, "static_code_max_fen": 50_000},
    "hours": {
        "timezone": "Asia/Shanghai",
        "open": [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "until": "24:00"}],
    },
    "maintenance": [{"from": in_hours(5), "until": in_hours(6), "note": "new certificate"}],
    "merchants": None,
    "methods": ["barcode", "qrcode"],
}


async def test_an_account_shows_its_terms_and_what_they_make_of_this_moment(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    account_id = await own_account(stack, admin, stack.new_shop(), terms=TERMS, fee_rate_millionths=5_000)
    shown = (await admin.get(f"{ACCOUNTS}/{account_id}")).json()
    assert (shown["terms"], shown["fee_rate_millionths"]) == (TERMS, 5_000)
    assert shown["methods"] == {"wechat": ["barcode", "qrcode"]}
    line = {"wallet": "wechat", "rate_millionths": 2_000, "min_fen": 1}
    assert shown["in_force"] == {
        "open": True,
        "maintenance": None,
        "fees": [line | {"up_to_fen": 1_000, "cap_fen": 3}, line | {"up_to_fen": None, "cap_fen": 500}],
    }
    plain = account_of(await admin.patch(f"{ACCOUNTS}/{account_id}", json={"terms": {}}))
    assert (plain["terms"], plain["methods"]) == ({}, {"wechat": ["barcode", "page", "qrcode"]})
    assert plain["in_force"]["fees"] == [
        {"wallet": "wechat", "up_to_fen": None, "rate_millionths": 5_000, "min_fen": 0, "cap_fen": None}
    ]
    closed = {"hours": {"timezone": "Asia/Shanghai", "open": []}}
    shown = account_of(await admin.patch(f"{ACCOUNTS}/{account_id}", json={"terms": closed}))
    assert (shown["in_force"]["open"], shown["in_force"]["maintenance"]) == (False, None)
    listed = (await admin.get(ACCOUNTS, params={"merchant_id": shown["merchant_id"]})).json()
    assert listed["data"] == [shown]


@pytest.mark.parametrize(
    ("terms", "code", "param"),
    [
        ([], "invalid_field", "terms"),
        ("{}", "invalid_field", "terms"),
        (1, "invalid_field", "terms"),
        (None, "invalid_field", "terms"),
        ({"fees": {}}, "unknown_field", "terms.fees"),
        ({"x\ud800": 1}, "unknown_field", "terms.x?"),
        ({"x" * 5_000: 1}, "unknown_field", None),
        ({"fee": 3_800}, "invalid_field", "terms.fee"),
        ({"fee": {"rate_millionths": -1}}, "invalid_field", "terms.fee.rate_millionths"),
        ({"fee": {"rate_millionths": 1_000_001}}, "invalid_field", "terms.fee.rate_millionths"),
        ({"fee": {"rate_millionths": 0.5}}, "invalid_field", "terms.fee.rate_millionths"),
        ({"fee": {"rate_millionths": True}}, "invalid_field", "terms.fee.rate_millionths"),
        ({"fee": {"rate_millionths": "3800"}}, "invalid_field", "terms.fee.rate_millionths"),
        ({"fee": {"min_fen": 2**63}}, "invalid_field", "terms.fee.min_fen"),
        ({"fee": {"min_fen": 9, "cap_fen": 8}}, "invalid_field", "terms.fee.cap_fen"),
        ({"fee": {"bands": [{"up_to_fen": 1}]}}, "missing_field", "terms.fee.bands[0].rate_millionths"),
        ({"fee": {"bands": [{"up_to_fen": 0, "rate_millionths": 1}]}}, "invalid_field", "terms.fee.bands[0].up_to_fen"),
        (
            {"fee": {"bands": [{"up_to_fen": 9, "rate_millionths": 1}] * 2}},
            "invalid_field",
            "terms.fee.bands[1].up_to_fen",
        ),
        (
            {"fee": {"promotions": [{"from": in_hours(2), "until": in_hours(1), "rate_millionths": 1}]}},
            "invalid_field",
            "terms.fee.promotions[0].until",
        ),
        (
            {"fee": {"promotions": [{"from": "yesterday", "until": in_hours(1), "rate_millionths": 1}]}},
            "invalid_field",
            "terms.fee.promotions[0].from",
        ),
        (
            {
                "fee": {
                    "promotions": [
                        {"from": in_hours(0), "until": in_hours(1), "rate_millionths": 1, "wallets": ["cash"]}
                    ]
                }
            },
            "invalid_field",
            "terms.fee.promotions[0].wallets[0]",
        ),
        ({"limits": {"payment_min_fen": 0}}, "invalid_field", "terms.limits.payment_min_fen"),
        (
            {"limits": {"payment_min_fen": 5, "payment_max_fen": 4}},
            "invalid_field",
            "terms.limits.payment_max_fen",
        ),
        ({"limits": {"day_fen": 1e309}}, "invalid_field", "terms.limits.day_fen"),
        ({"limits": {"year_fen": 1}}, "unknown_field", "terms.limits.year_fen"),
        ({"hours": {"timezone": "Mars/Base", "open": []}}, "invalid_field", "terms.hours.timezone"),
        ({"hours": {"timezone": "../../etc/passwd", "open": []}}, "invalid_field", "terms.hours.timezone"),
        ({"hours": {"open": []}}, "missing_field", "terms.hours.timezone"),
        (
            {"hours": {"timezone": "Asia/Shanghai", "open": [{"from": "25:00", "until": "26:00"}]}},
            "invalid_field",
            "terms.hours.open[0].from",
        ),
        (
            {"hours": {"timezone": "Asia/Shanghai", "open": [{"days": [0], "from": "08:00", "until": "09:00"}]}},
            "invalid_field",
            "terms.hours.open[0].days[0]",
        ),
        ({"maintenance": {}}, "invalid_field", "terms.maintenance"),
        ({"maintenance": [{"from": in_hours(1)}]}, "missing_field", "terms.maintenance[0].until"),
        (
            {"maintenance": [{"from": in_hours(1), "until": in_hours(2), "note": "a\x00b"}]},
            "invalid_field",
            "terms.maintenance[0].note",
        ),
        (
            {"maintenance": [{"from": "0001-01-01T00:00:00+14:00", "until": in_hours(2)}]},
            "invalid_field",
            "terms.maintenance[0].from",
        ),
        (
            {"maintenance": [{"from": in_hours(1), "until": "9999-12-31T23:59:59-14:00"}]},
            "invalid_field",
            "terms.maintenance[0].until",
        ),
        ({"maintenance": [{"from": in_hours(1), "until": in_hours(2)}] * 101}, "invalid_field", "terms.maintenance"),
        ({"merchants": ["mer_nobody"]}, "invalid_field", "terms.merchants[0]"),
        ({"merchants": ["'; DROP TABLE merchants; --"]}, "invalid_field", "terms.merchants[0]"),
        ({"merchants": "mer_nobody"}, "invalid_field", "terms.merchants"),
        ({"methods": ["telepathy"]}, "invalid_field", "terms.methods[0]"),
        ({"methods": [["barcode"]]}, "invalid_field", "terms.methods[0]"),
    ],
)
async def test_terms_that_cannot_be_meant_are_refused_by_the_path_that_is_wrong(  # noqa: PLR0917  # pytest names them
    stack: GatewayStack,
    admin: httpx.AsyncClient,
    database: asyncpg.Connection,
    terms: Any,
    code: str,
    param: str | None,
) -> None:
    before = await database.fetch("SELECT * FROM channel_accounts ORDER BY id")
    entries = await database.fetchval("SELECT count(*) FROM audit_trail")
    wanted = {"channel": "wechat", "settings": settings_of(stack, "wechat_direct"), "terms": terms}
    for method, path, body in (
        ("POST", ACCOUNTS, wanted),
        ("PATCH", f"{ACCOUNTS}/wechat_direct", {"terms": terms}),
    ):
        if terms is None and method == "POST":
            continue  # none are given: the plain rate
        content = json.dumps(body).encode()
        answer = await admin.request(method, path, content=content, headers={"Content-Type": "application/json"})
        error_of(answer, 400, code, param)
    assert await database.fetch("SELECT * FROM channel_accounts ORDER BY id") == before
    assert await database.fetchval("SELECT count(*) FROM audit_trail") == entries


async def test_an_account_of_the_front_takes_every_wallet_or_those_that_are_named(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    wanted = {"channel": "qra", "settings": settings_of(stack, "unionpay_front"), "status": "disabled"}
    whole = (await admin.post(ACCOUNTS, json=wanted)).json()
    assert set(whole["wallets"]) == {"wechat", "alipay", "unionpay", "digital_rmb", "jd", "best_pay", "qq"}
    assert (whole["methods"]["wechat"], whole["methods"]["jd"]) == (["barcode", "qrcode"], ["barcode"])
    narrow = (await admin.post(ACCOUNTS, json=wanted | {"wallets": ["jd", "wechat"]})).json()
    assert (narrow["wallets"], set(narrow["methods"])) == (["wechat", "jd"], {"wechat", "jd"})
    direct = {"channel": "unionpay", "settings": settings_of(stack, "unionpay_direct"), "wallets": ["jd"]}
    answer = await admin.post(ACCOUNTS, json=direct)
    error_of(answer, 400, "invalid_field", "wallets.0")


async def test_the_fee_of_the_terms_is_booked_and_goes_back_with_refunds_to_the_fen(
    stack: GatewayStack, admin: httpx.AsyncClient, database: asyncpg.Connection
) -> None:
    shop = stack.new_shop("with a cap")
    terms = {"fee": {"rate_millionths": 10_000, "cap_fen": 7}}
    account_id = await own_account(stack, admin, shop, terms=terms, of=("unionpay", "unionpay_keyed"))
    async with stack.till(shop) as till:
        payment = await paid_on(till, account_id, "unionpay", amount=3_000)
        returned = []
        for amount in (1_000, 1_500, 500):
            refund = {"payment_id": payment["id"], "amount": amount, "merchant_refund_no": f"R-{new_ulid()}"}
            answer = await till.client.post("/v1/refunds", json=refund)
            assert answer.status_code == 201, answer.text
            returned.append(answer.json()["fee_returned"])
            await refunded(till, answer.json()["id"])
    assert returned == [2, 3, 2], "floor(7 × 1/3), floor(7 × 5/6) − 2, the rest"
    booked = await database.fetch(
        "SELECT kind, amount FROM transfers WHERE payment_id = $1 AND kind LIKE '%fee%' ORDER BY seq", payment["id"]
    )
    assert [tuple(row) for row in booked] == [("fee", 7), ("refund_fee", 2), ("refund_fee", 3), ("refund_fee", 2)]


async def refunded(till: Till, refund_id: str) -> None:
    async def is_over() -> bool:
        return (await till.client.get(f"/v1/refunds/{refund_id}")).json()["status"] == "succeeded"

    await eventually(is_over)


async def paid_on(till: Till, account_id: str, wallet: str = "wechat", **changes: Any) -> dict[str, Any]:
    """A payment that the account takes: within a second of a change."""
    deadline = time.monotonic() + 2
    while True:
        payment = await till.taken(wallet, **changes)
        if payment["channel"] == account_id and payment["status"] == "succeeded":
            return payment
        assert time.monotonic() < deadline, payment
        await asyncio.sleep(0.02)


async def not_taken(till: Till, account_id: str, timeout_s: float = 2.0) -> dict[str, Any]:
    """A payment that goes past the account: within a second of a change."""
    deadline = time.monotonic() + timeout_s
    while True:
        payment = await till.taken("wechat", wait_s=1)
        if payment["channel"] != account_id:
            return payment
        assert time.monotonic() < deadline, payment
        await asyncio.sleep(0.02)


async def test_maintenance_from_now_takes_an_account_out_and_ending_it_brings_it_back(
    stack: GatewayStack, admin: httpx.AsyncClient
) -> None:
    shop = stack.new_shop("in maintenance")
    account_id = await own_account(stack, admin, shop, terms={"fee": {"cap_fen": 9}, "maintenance": [OVER, LATER]})
    path = f"{ACCOUNTS}/{account_id}/maintenance"
    async with stack.till(shop) as till:
        await paid_on(till, account_id)
        began = datetime.now(UTC)
        shown = account_of(await admin.post(path, json={"for_minutes": 30, "note": "new certificate"}), 201)
        window = shown["in_force"]["maintenance"]
        assert (shown["in_force"]["open"], window["note"]) == (False, "new certificate")
        assert shown["terms"] == {"fee": {"cap_fen": 9}, "maintenance": [LATER, window]}, "what is over is dropped"
        since, until = datetime.fromisoformat(window["from"]), datetime.fromisoformat(window["until"])
        assert until - since == timedelta(minutes=30)
        assert abs(since - began) < timedelta(seconds=5)
        await not_taken(till, account_id)

        back = account_of(await admin.delete(path))
        assert (back["in_force"]["open"], back["terms"]["maintenance"]) == (True, [LATER])
        await paid_on(till, account_id)
    error_of(await admin.delete(path), 409, "no_maintenance", "account_id")
    entries = (await admin.get("/admin/v1/audit_trail", params={"subject": account_id})).json()["data"]
    assert [entry["action"] for entry in entries] == [
        "channel_account.maintenance_ended",
        "channel_account.maintenance_set",
        "channel_account.created",
    ]
    changed = entries[1]["detail"]["changed"]
    assert set(changed) == {"terms"}
    assert changed["terms"]["to"]["maintenance"] == [LATER, window]


OVER = {"from": in_hours(-3), "until": in_hours(-2)}
LATER = {"from": "2127-01-01T02:00:00+08:00", "until": "2127-01-01T04:00:00+08:00", "note": "once a century"}


async def test_maintenance_can_be_announced(admin: httpx.AsyncClient, account: str) -> None:
    path = f"{ACCOUNTS}/{account}/maintenance"
    shown = account_of(await admin.post(path, json={"from": in_hours(2), "until": in_hours(3)}), 201)
    assert (shown["in_force"]["open"], shown["in_force"]["maintenance"]) == (True, None)
    shown = account_of(await admin.post(path, json={"from": in_hours(4), "for_minutes": 90}), 201)
    assert shown["terms"]["maintenance"] == [
        {"from": in_hours(2), "until": in_hours(3), "note": ""},
        {"from": in_hours(4), "until": in_hours(5.5), "note": ""},
    ]


async def test_windows_that_are_set_at_once_are_all_kept(admin: httpx.AsyncClient, account: str) -> None:
    path = f"{ACCOUNTS}/{account}/maintenance"
    answers = await asyncio.gather(
        *[admin.post(path, json={"from": in_hours(10 + number), "for_minutes": 30}) for number in range(8)]
    )
    assert [answer.status_code for answer in answers] == [201] * 8
    shown = (await admin.get(f"{ACCOUNTS}/{account}")).json()
    assert sorted(window["from"] for window in shown["terms"]["maintenance"]) == [in_hours(10 + n) for n in range(8)]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_field", "until"),
        ({"from": in_hours(1)}, "missing_field", "until"),
        ({"for_minutes": 5, "until": in_hours(1)}, "invalid_field", "until"),
        ({"for_minutes": 0}, "invalid_field", "for_minutes"),
        ({"for_minutes": -1}, "invalid_field", "for_minutes"),
        ({"for_minutes": 44_641}, "invalid_field", "for_minutes"),
        ({"for_minutes": "30"}, "invalid_field", "for_minutes"),
        ({"for_minutes": 1.5}, "invalid_field", "for_minutes"),
        ({"for_minutes": True}, "invalid_field", "for_minutes"),
        ({"for_minutes": 1e309}, "invalid_field", "for_minutes"),
        ({"until": in_hours(-1)}, "invalid_field", "until"),
        ({"from": in_hours(2), "until": in_hours(1)}, "invalid_field", "until"),
        ({"from": in_hours(-2), "for_minutes": 30}, "invalid_field", "from"),
        ({"until": "2031-01-01T00:00:00Z"}, "invalid_field", "until"),
        ({"until": "9999-12-31T23:59:59Z"}, "invalid_field", "until"),
        ({"until": "tomorrow"}, "invalid_field", "until"),
        ({"until": "2026-11-22T00:00:00"}, "invalid_field", "until"),
        ({"from": "0001-01-01T00:00:00Z", "for_minutes": 5}, "invalid_field", "from"),
        ({"for_minutes": 5, "note": "x" * 201}, "invalid_field", "note"),
        ({"for_minutes": 5, "note": "a\x00"}, "invalid_field", "note"),
        ({"for_minutes": 5, "note": "\ud800"}, None, None),
        ({"for_minutes": 5, "note": None}, "invalid_field", "note"),
        ({"for_minutes": 5, "reason": "x"}, "unknown_field", "reason"),
        ([], "invalid_json", "body"),
    ],
)
async def test_maintenance_that_cannot_be_meant_is_refused_by_name(
    admin: httpx.AsyncClient, account: str, body: Any, code: str | None, param: str | None
) -> None:
    content = json.dumps(body).encode()
    path = f"{ACCOUNTS}/{account}/maintenance"
    error_of(await admin.post(path, content=content, headers={"Content-Type": "application/json"}), 400, code, param)
    assert (await admin.get(f"{ACCOUNTS}/{account}")).json()["terms"] == {}


async def test_maintenance_of_nobody_is_not_found(admin: httpx.AsyncClient) -> None:
    error_of(await admin.post(f"{ACCOUNTS}/nobody/maintenance", json={"for_minutes": 5}), 404, param="account_id")
    error_of(await admin.delete(f"{ACCOUNTS}/nobody/maintenance"), 404, param="account_id")
    error_of(await admin.delete(f"{ACCOUNTS}/nobody/maintenance?x=1"), 400, param="x")


def mashang(state: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *arguments, "--state", str(state)],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env=environment | {"COLUMNS": "200", "MASHANG_ACTOR": "li wei"},
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


async def test_operators_drain_enable_and_maintain_an_account_in_one_line_each(
    admin: httpx.AsyncClient, account: str, state: Path
) -> None:
    for command, status in (("drain", "draining"), ("disable", "disabled"), ("enable", "enabled")):
        assert f"{account} is {status}." in mashang(state, "routing", command, account)[1]
        assert (await admin.get(f"{ACCOUNTS}/{account}")).json()["status"] == status
    _, said = mashang(state, "routing", "maintenance", account, "--for", "1h30m", "--note", "new certificate")
    assert "in maintenance until" in said
    assert "(new certificate)" in said
    shown = json.loads(mashang(state, "routing", "maintenance", account, "--end", "--json")[0])
    assert (shown["in_force"]["open"], shown["terms"]) == (True, {"maintenance": []})
    window = ("--from", in_hours(2), "--until", in_hours(3))
    shown = json.loads(mashang(state, "routing", "maintenance", account, *window, "--json")[0])
    assert shown["terms"]["maintenance"] == [{"from": in_hours(2), "until": in_hours(3), "note": ""}]
    entries = (await admin.get("/admin/v1/audit_trail", params={"subject": account})).json()["data"]
    assert [entry["person"] for entry in entries] == [*["li-wei"] * 6, None]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("maintenance", "wechat_direct"), "say how long"),
        (("maintenance", "wechat_direct", "--for", "soon"), "a duration is"),
        (("maintenance", "wechat_direct", "--for", ""), "a duration is"),
        (("maintenance", "wechat_direct", "--until", "tomorrow"), "a time is"),
        (("maintenance", "wechat_direct", "--end", "--for", "5m"), "takes no time"),
    ],
)
async def test_a_command_that_cannot_be_meant_is_refused_with_a_sentence(
    state: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in mashang(state, "routing", *arguments, status=2)[1]


async def test_what_the_gateway_refuses_is_told_in_its_words(state: Path) -> None:
    assert "no such channel account" in mashang(state, "routing", "drain", "nobody", status=2)[1].lower()
    assert "No maintenance" in mashang(state, "routing", "maintenance", "alipay_direct", "--end", status=2)[1]


OUT_S = 20.0
"""Nobody can end an outage that refuses connections sooner: the test that begins it is the module's last."""


async def test_a_draining_account_is_no_candidate_even_where_the_other_route_is_down(
    stack: GatewayStack, admin: httpx.AsyncClient, till: Till, database: asyncpg.Connection
) -> None:
    """The direct route refuses connections: the front takes over, until it drains; then nobody does."""
    stack.simulators.set_faults("wechat", {"kind": "outage", "as": "refuse", "for_s": OUT_S})
    try:
        moved = await not_taken(till, "wechat_direct", 10.0)
        assert (moved["channel"], moved["status"]) == ("unionpay_front", "succeeded")
        account_of(await admin.patch(f"{ACCOUNTS}/unionpay_front", json={"status": "draining"}))
        await asyncio.sleep(1)  # by now every process has followed
        before = len(stack.simulators.trades("qra"))
        for _ in range(3):
            answer = await till.pay(new_order("wechat"))
            payment = payment_of(answer, 201)
            assert payment["status"] == "failed", payment
            assert payment["failure"]["code"] == "channel_unavailable"
        assert len(stack.simulators.trades("qra")) == before
        asked = await database.fetch("SELECT account_id FROM attempts WHERE payment_id = $1", payment["id"])
        assert {record["account_id"] for record in asked} <= {"wechat_direct"}
        refund = {"payment_id": moved["id"], "amount": moved["amount"], "merchant_refund_no": f"R-{new_ulid()}"}
        answer = await till.client.post("/v1/refunds", json=refund)
        assert answer.status_code == 201, "it gives back what it took"
        await refunded(till, answer.json()["id"])
    finally:
        await admin.patch(f"{ACCOUNTS}/unionpay_front", json={"status": "enabled"})
