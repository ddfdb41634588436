"""`mashang routing …`, as operations types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
POLICY = {
    "note": "the first",
    "rules": [
        {"name": "big", "when": "payment.amount > 500000", "exclude": ["wechat_direct"], "description": "by hand"},
        {"name": "share", "when": "payment.wallet == 'alipay'", "split": {"alipay_direct": 100}},
        {"name": "night", "when": "payment.hour < 6", "prefer": ["wechat_direct"], "within": "0.001", "enabled": False},
    ],
}


@pytest.fixture(scope="module")
def state(stack: GatewayStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a development stack, as far as these commands look into it."""
    return write_ready_file(tmp_path_factory.mktemp("state"), stack)


def routing(
    state: Path, *arguments: str, status: int = 0, given: str | None = None, token: str | None = None
) -> tuple[str, str]:
    """What a command prints, and what it says beside."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "routing", *arguments, "--state", str(state)],
        input=given,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**ENVIRONMENT, "COLUMNS": "200", **({} if token is None else {"MASHANG_ADMIN_TOKEN": token})},
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def as_json(state: Path, *arguments: str, status: int = 0) -> Any:
    """What a command prints for scripts."""
    return json.loads(routing(state, *arguments, "--json", status=status)[0])


def written(folder: Path, policy: Any) -> str:
    """A file of it."""
    file = folder / f"{new_ulid()}.json"
    file.write_text(json.dumps(policy), "utf-8")
    return str(file)


def test_a_policy_is_checked_put_shown_edited_and_rolled_back(state: Path, tmp_path: Path) -> None:
    checked, said = routing(state, "policy", "check", written(tmp_path, POLICY))
    assert "Nothing is wrong" in said
    assert "share" in checked
    before = as_json(state, "policy", "show")["version"]
    _, said = routing(state, "policy", "put", written(tmp_path, POLICY))
    assert f"Version {before + 1} of the routing policy is in force." in said
    shown, _ = routing(state, "policy", "show")
    for text in ("in force", "the first", "payment.amount > 500000", "exclude wechat_direct", "by hand",
                 "split alipay_direct 100", "prefer wechat_direct within 0.001", "night (off)"):  # fmt: skip
        assert text in shown

    edited = as_json(state, "policy", "show")
    edited["policy"]["rules"].pop()
    put = as_json(state, "policy", "put", written(tmp_path, edited), "--note", "without the night")
    assert (put["version"], put["policy"]["note"]) == (before + 2, "without the night")
    edited["policy"]["rules"].pop()
    _, said = routing(state, "policy", "put", written(tmp_path, edited), status=2)
    assert "policy_changed" in said, "it was edited from the version before"

    listed, _ = routing(state, "policy", "versions")
    assert f"{before + 2} in force" in listed
    assert "the first" in listed
    _, said = routing(state, "policy", "rollback")
    assert f"Version {before + 1} " in said
    _, said = routing(state, "policy", "rollback", "0")
    assert "Version 0 " in said
    assert "There are no rules" in routing(state, "policy", "show")[0]
    assert "the first" in routing(state, "policy", "show", str(before + 1))[0]
    _, said = routing(state, "policy", "rollback", status=2)
    assert "no_version_before" in said


def test_a_policy_with_problems_is_told_all_of_them(state: Path, tmp_path: Path) -> None:
    wrong = {"rules": [{"name": "x", "when": "payment.hours < 6", "exclude": ["nobody"]}]}
    file = written(tmp_path, wrong)
    checked, _ = routing(state, "policy", "check", file, status=1)
    for text in ("rules.0.when", "payment.hours", "rules.0.exclude.0", "nobody", "payment.hour"):
        assert text in checked
    assert as_json(state, "policy", "check", file, status=1)["valid"] is False
    _, said = routing(state, "policy", "put", file, status=2)
    for text in ("policy_refused", "rules.0.when", "rules.0.exclude.0"):
        assert text in said


def test_a_policy_is_read_from_the_pipe(state: Path) -> None:
    _, said = routing(state, "policy", "put", "-", given=json.dumps(POLICY | {"note": "piped"}))
    assert "in force" in said
    assert as_json(state, "policy", "show")["policy"]["note"] == "piped"


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("{", "no JSON"), ("[]", "no policy")])
def test_a_file_that_is_no_policy_is_told_in_a_sentence(
    state: Path, tmp_path: Path, content: str | None, told: str
) -> None:
    file = tmp_path / "policy.json"
    if content is not None:
        file.write_text(content, "utf-8")
    for command in ("check", "put"):
        assert told in routing(state, "policy", command, str(file), status=2)[1]


def test_a_payment_is_explained(state: Path, stack: GatewayStack) -> None:
    with Client(stack.url, api_key=stack.shop.key.secret) as client:
        payment = client.pay(merchant_order_no=f"R-{new_ulid()}", amount=2599, auth_code=auth_code("wechat"))
    shown, _ = routing(state, "explain", payment["id"])
    assert "Attempt 1" in shown
    assert "captured" in shown
    assert "Now: ¥25.99 by wechat barcode" in shown
    assert shown.count("it is worth most") == 2
    assert "█" in shown, "a bar for what it is worth"
    found = as_json(state, "explain", payment["id"])
    assert found["attempts"][0]["account"] == payment["channel"]


def test_a_sale_is_explained_by_its_facts(state: Path, tmp_path: Path) -> None:
    routing(state, "policy", "put", written(tmp_path, POLICY))
    shown, _ = routing(state, "explain", "--amount", "500001", "--wallet", "wechat", "--store", "s-1")
    assert "excluded_by_policy" in shown
    assert "big" in shown
    found = as_json(
        state, "explain", "--amount", "100", "--auth-code", auth_code("alipay"), "--at", "2026-11-22T03:00:00"
    )
    assert (found["sale"]["wallet"], found["now"]["why"]) == ("alipay", "split")
    assert "amount" in routing(state, "explain", "--wallet", "wechat", status=2)[1]
    assert "name a payment" in routing(state, "explain", status=2)[1]
    assert "no such payment" in routing(state, "explain", f"pay_{new_ulid()}", status=2)[1]


def test_accounts_are_shown(state: Path) -> None:
    shown, _ = routing(state, "accounts")
    for text in ("wechat_direct", "alipay_direct", "wechat barcode", "closed", "enabled"):
        assert text in shown
    assert {"wechat_direct", "alipay_direct"} <= {account["id"] for account in as_json(state, "accounts")}


def test_a_wrong_admin_token_names_the_variable_to_look_at(state: Path, stack: GatewayStack) -> None:
    _, said = routing(state, "accounts", "--url", stack.url, token="not-it", status=2)
    assert "does not take this admin token: look at MASHANG_ADMIN_TOKEN" in said


def test_the_token_of_the_stack_here_goes_to_no_other_address(state: Path) -> None:
    _, said = routing(state, "accounts", "--url", "http://127.0.0.1:9", status=2)
    assert "Which token does http://127.0.0.1:9 take? Set MASHANG_ADMIN_TOKEN." in said


def test_an_address_that_is_no_gateway_is_told_so(state: Path, stack: GatewayStack) -> None:
    _, said = routing(state, "accounts", "--url", stack.simulators.base_urls["wechat"], token="any", status=2)
    assert "is no Mashang gateway (HTTP 404): look at --url" in said
