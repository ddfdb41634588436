"""The commands of a till and of its simulated customer, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Client
from gateway.kernel.ids import new_ulid
from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file
from tests.support.till import auth_code

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MASHANG_")}


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


def start(state: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command that goes on while others run."""
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *arguments, "--state", str(state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**ENVIRONMENT, "COLUMNS": "120"},
    )


def mashang(state: Path, *arguments: str, status: int = 0) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    process = start(state, *arguments)
    shown, said = process.communicate(timeout=60)
    assert process.returncode == status, shown + said
    assert "Traceback" not in said
    return shown, said


def as_json(state: Path, *arguments: str, status: int = 0) -> dict[str, Any]:
    """The object that a command prints."""
    found: dict[str, Any] = json.loads(mashang(state, *arguments, "--json", status=status)[0])
    return found


def shown_code(stack: GatewayStack, **order: Any) -> str:
    """What a code on display holds."""
    with Client(stack.url, api_key=stack.shop.key.secret) as client:
        payment = client.pay(merchant_order_no=f"CLI-{new_ulid()}", amount=2599, **order)
    assert payment["qr_code"] is not None
    return payment["qr_code"]


def test_a_payment_is_taken_shown_and_refunded_by_its_order_number(state: Path) -> None:
    paid = as_json(state, "pay", "--amount", "2599", "--order-no", "CLI-1", "--auth-code", auth_code("unionpay"))
    assert (paid["status"], paid["merchant_order_no"], paid["wallet"]) == ("succeeded", "CLI-1", "unionpay")
    part = as_json(state, "refund", "CLI-1", "--amount", "1000", "--reason", "cold", "--refund-no", "CLI-R-1")
    assert (part["status"], part["amount"], part["merchant_refund_no"]) == ("succeeded", 1000, "CLI-R-1")
    assert as_json(state, "refund", paid["id"])["amount"] == 1599, "without an amount it is the rest"
    shown, _ = mashang(state, "payment", "show", "CLI-1")
    for text in ("succeeded", "¥25.99", "¥10.00", "¥15.99", "CLI-R-1", "cold"):
        assert text in shown
    assert "null" not in shown
    _, said = mashang(state, "refund", "CLI-1", status=2)
    assert "refunded already" in said


def test_a_declined_payment_says_why_and_fails(state: Path) -> None:
    shown, _ = mashang(state, "pay", "--auth-code", auth_code("wechat", "9001"), status=1)
    assert "insufficient_funds (NOT_ENOUGH): Not enough money" in shown.replace("\n", " ")


def test_a_code_is_shown_and_its_customer_played(state: Path) -> None:
    waiting = start(state, "pay", "--qrcode", "--wallet", "wechat")
    assert waiting.stdout is not None
    assert waiting.stderr is not None
    content = waiting.stdout.readline().removeprefix("Scan and pay: ").strip()
    assert f"mashang scan --state {state} '{content}'" in waiting.stderr.readline()
    _, said = mashang(state, "scan", content)
    assert "wechat: captured, ¥25.99" in said
    shown, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, "succeeded" in shown) == (0, True)
    _, said = mashang(state, "scan", content, status=1)
    assert "does not pay this code: paid" in said


def test_a_customer_may_look_and_not_pay(stack: GatewayStack, state: Path) -> None:
    _, said = mashang(state, "scan", shown_code(stack, wallet="alipay"), "--decline", status=1)
    assert "alipay: open" in said


def test_what_is_no_wallets_code_is_refused_with_a_word_about_what_to_do(stack: GatewayStack, state: Path) -> None:
    for content, told in ((shown_code(stack), "open it in a browser"), ("https://example.com/", "no wallet's code")):
        assert told in mashang(state, "scan", content, status=2)[1]


def test_a_code_that_nobody_pays_is_not_waited_for_longer_than_wanted_and_can_be_given_up(state: Path) -> None:
    began = time.monotonic()
    _, said = mashang(state, "pay", "--qrcode", "--wait", "0", "--order-no", "CLI-2", status=1)
    assert "Not decided yet" in said
    assert time.monotonic() - began < 20
    assert as_json(state, "payment", "cancel", "CLI-2")["status"] == "closed"


def test_a_paid_payment_is_cancelled(state: Path) -> None:
    paid = as_json(state, "pay", "--auth-code", auth_code("alipay"))
    assert as_json(state, "payment", "cancel", paid["id"])["status"] == "reversed"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("payment", "show", "NOBODY-1"), "There is no payment with the order number NOBODY-1."),
        (("payment", "show", "NOBODY-1", "--key", "sk_test_x"), "unknown or revoked"),
        (("pay", "--wallet", "wechat"), "--wallet goes with"),
        (("pay", "--qrcode", "--wallet", "visa"), "--wallet goes with"),
        (("pay", "--qrcode", "--auth-code", "134567890123456789"), "--auth-code is what the till"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(state: Path, arguments: tuple[str, ...], told: str) -> None:
    assert told in mashang(state, *arguments, status=2)[1]


def test_where_no_stack_runs_is_told_in_a_sentence(tmp_path: Path) -> None:
    for arguments in (("pay",), ("scan", "weixin://wxpay/bizpayurl?pr=x")):
        assert "No stack runs here" in mashang(tmp_path, *arguments, status=2)[1]


def test_an_operator_sees_any_merchants_payment_with_its_attempts(state: Path, stack: GatewayStack) -> None:
    paid = as_json(state, "pay", "--order-no", "CLI-3", "--auth-code", auth_code("unionpay"))
    given_back = as_json(state, "refund", "CLI-3", "--amount", "600")

    def shown(name: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", "payment", "show", name, "--url", stack.url],
            capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
            env={**ENVIRONMENT, "COLUMNS": "160", "MASHANG_ADMIN_TOKEN": stack.admin_token},
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert all(told in shown(paid["id"]) for told in ("CLI-3", stack.shop.id, "1: unionpay", "captured"))
    assert given_back["id"] in shown(paid["id"])
    assert "one merchant's" in shown("CLI-3", status=2)


def test_what_waits_for_a_person_is_listed_and_settled(state: Path, stack: GatewayStack) -> None:
    taken = as_json(state, "pay", "--auth-code", auth_code("wechat", "9010"), status=1)
    [found] = json.loads(mashang(state, "review", "list", "--refresh", "--json")[0])
    assert (found["id"], found["channel_says"]["amount"]) == (taken["id"], 2600)
    shown, _ = mashang(state, "review", "list")
    assert "amount_mismatch" in "".join(shown.split())
    _, said = mashang(state, "review", "settle", taken["id"], "accept_capture", "--by", "li.wei", status=2)
    assert "give_back returns them" in said
    _, said = mashang(state, "review", "settle", taken["id"], "give_back", "--by", "li.wei", "--note", "one fen")
    assert taken["id"] in said
    _, said = mashang(state, "review", "list", "--url", stack.url)
    assert "Nothing waits" in said


def test_a_payment_tells_why_it_had_its_discount_or_not(state: Path, tmp_path: Path) -> None:
    place = new_ulid().lower()
    campaign = {
        "name": "满20减5",
        "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 500}]},
        "condition": f"payment.store_id == '{place}'",
        "limits": {"per_customer": {"lifetime": 1}},
        "funding": [{"sponsor": "bank", "share": "0.7"}, {"sponsor": "merchant", "share": "0.3"}],
    }
    file = tmp_path / "campaign.json"
    file.write_text(json.dumps(campaign), "utf-8")
    mashang(state, "campaign", "create", str(file), "--activate")
    who = ("--store", place, "--customer", "c-why")
    deadline = time.monotonic() + 20
    while not as_json(state, "quote", *who)["discount"]:
        assert time.monotonic() < deadline, "the campaign is in force"
    paid, again = (as_json(state, "pay", *who, "--auth-code", auth_code("alipay")) for _ in range(2))
    assert (paid["discount"], again["discount"]) == (500, 0)
    assert "¥5.00 off, paid by bank ¥3.50, merchant ¥1.50" in mashang(state, "payment", "why", paid["id"])[0]
    assert "One customer may have it 1×" in mashang(state, "payment", "why", again["id"])[0]
    assert "满20减5: ¥5.00 off, paid by bank ¥3.50, merchant ¥1.50" in mashang(state, "payment", "show", paid["id"])[0]
