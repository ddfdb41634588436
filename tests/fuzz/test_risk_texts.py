"""Texts, numbers and depths that break things elsewhere, wherever the risk check takes any: kept exactly, or refused by
the field's name; and payments that bring them are screened, explained and made again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from gateway.kernel.ids import new_ulid
from tests.fuzz.screening import replayed
from tests.fuzz.values import INJECTIONS
from tests.fuzz.world import World
from tests.support.risk_rules import RULE_SETS, published, rule, without_rules
from tests.support.till import new_order, payment_of

pytestmark = pytest.mark.slow
_LISTS: Final = "/admin/v1/risk/lists"
_CASES: Final = "/admin/v1/risk/cases"
TEXTS: Final = (
    *INJECTIONS, "\\", "'", '"', "\\u0000", "\\'", "\t", "\u2028", "\u0085", "\u202eשלום", "مرحبا", "a" * 10_000,
    "🧧" * 10_000, "\ud83d" * 10_000, "' || true || '", "\\x27", "\\", "${7*7}", "\x7f", " ", "\u00a0",
)  # fmt: skip
CONDITIONS: Final = (
    "", " ", "(", "payment.amount", "payment.amount > ", "payment.amount > '1'", "unknown.field == 1", "true", "null",
    "(" * 5_000 + "true" + ")" * 5_000, "!" * 5_000 + "device.known", "-" * 5_000 + "1 == 1", "[" * 5_000,
    "payment.amount in " + "[" * 200 + "]" * 200, "payment" + ".amount" * 3_000, "payment.amount > " + "9" * 400,
    "payment.amount > 9223372036854775807", "payment.amount > -9223372036854775809", "payment.amount > 1e999",
    "payment.amount > 0x" + "f" * 400, "payment.amount > 1u", "payment.distance_km > 1e308 * 1e308",
    "payment.amount / 0 > 1", "payment.amount % 0 == 1", " && ".join(["device.known"] * 5_000),
    "device.known ? " * 1_000 + "true" + " : false" * 1_000, "payment.store_id.matches('(a+)+$')",
    "payment.store_id.matches('" + "(" * 900 + ")" * 900 + "')", "payment.store_id.matches('[')",
    "payment.store_id == b'\\xff'", "payment.store_id == '\\ud800'", "payment.store_id == '\\U00110000'",
    "payment.store_id == '" + "a" * 10_000 + "'", "velocity('count', 'customer', '" + "9" * 400 + "d')",
    "velocity('count', 'customer', '1m'", "velocity(" * 500, "listed('block', 'nobody')", "listed('no-such', 'ip')",
    "listed('\x00', 'ip')", "velocity('\ud83d', 'customer', '1d') > 1", "device.known /* ", "device.known // \x00",
    "[1,2,3].exists(x, x > payment.amount)", "payment.amount.size() > 1", "\ufeffdevice.known",
    "device\u200b.known", "\u202edevice.known", "dévice.known", "payment.amount > \u0661",
)  # fmt: skip
DEEP: Final = json.loads("[" * 300 + "]" * 300)
ODD: Final = (10**400, -1, 1.5, 2**63, -(2**63) - 1, True, "1", [], {}, DEEP, None)


@pytest.fixture(scope="module")
def admin(world: World) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {world.stack.admin_token}"}
    with httpx.Client(base_url=world.stack.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


def _sent(admin: httpx.Client, path: str, body: dict[str, Any]) -> httpx.Response:
    """JSON as Python writes it: halves of surrogates and numbers without end pass."""
    return admin.post(path, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def _is_refused(answer: httpx.Response, *places: str) -> bool:
    """Whether it is; then the field is named, or the body where that cannot be read."""
    assert answer.status_code < 500, answer.text[:2_000]
    if answer.is_success:
        return False
    error = answer.json()["error"]
    named = [error["param"], *(problem["path"] for problem in error.get("problems", ()))]
    assert error["code"] in {"invalid_json", "body_too_large"} or any(
        str(name).startswith(place) for name in named for place in places
    ), answer.text[:2_000]
    return True


def _rule_set(note: str = "", **fields: Any) -> dict[str, Any]:
    return {"note": note, "rules": [{"code": "R_A", "when": "device.known", "action": "score", "score": 1, **fields}]}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_a_text_of_a_rule_set_is_kept_exactly_or_refused(admin: httpx.Client, text: str) -> None:
    for place, document in (
        ("note", _rule_set(text)),
        ("rules.0.description", _rule_set(description=text)),
        ("rules.0.code", _rule_set(code=text)),
        ("rules.0.merchants", _rule_set(merchants=[text])),
        ("rules.0.action", _rule_set(action=text)),
        ("rules.0.tests", _rule_set(tests=[{"given": {text: 1}, "hits": False}])),
        ("rules.0.tests", _rule_set(tests=[{"given": {"payment.store_id": text}, "hits": False}])),
    ):
        answer = _sent(admin, RULE_SETS, document)
        if not _is_refused(answer, place):
            shown = admin.get(f"{RULE_SETS}/{answer.json()['version']}").json()
            assert shown["note"] == document["note"]
            for name, value in document["rules"][0].items():
                wanted = [{"verdict": None, **test} for test in value] if name == "tests" else value
                assert shown["rules"][0][name] == wanted


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_a_text_in_a_condition_is_what_it_is_compared_with_or_refused(admin: httpx.Client, text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    test = {"given": {"payment.store_id": text}, "hits": True}
    answer = _sent(admin, RULE_SETS, _rule_set(when=f"payment.store_id == '{escaped}'", tests=[test]))
    if not _is_refused(answer, "rules.0.when", "rules.0.tests"):
        assert answer.json()["failed_tests"] == [], text


@pytest.mark.parametrize("when", CONDITIONS, ids=lambda when: ascii(when)[:30])
def test_a_condition_is_taken_or_refused_with_its_place(admin: httpx.Client, when: str) -> None:
    answer = _sent(admin, RULE_SETS, _rule_set(when=when))
    if not _is_refused(answer, "rules.0.when"):
        shown = admin.get(f"{RULE_SETS}/{answer.json()['version']}").json()
        assert shown["rules"][0]["when"] == when


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_an_odd_value_is_taken_or_refused_by_name(admin: httpx.Client, value: Any) -> None:
    for name in ("score", "priority", "rollout", "mode", "merchants", "tests", "description", "when"):
        _is_refused(_sent(admin, RULE_SETS, _rule_set(**{name: value})), f"rules.0.{name}")
    for name in ("payment.amount", "payment.store_id", "payment.distance_km", "customer.segments", "device.known"):
        tests = [{"given": {name: value}, "hits": False}]
        _is_refused(_sent(admin, RULE_SETS, _rule_set(tests=tests)), "rules.0.tests")
    _is_refused(_sent(admin, RULE_SETS, {**_rule_set(), "model": value}), "model")
    _is_refused(_sent(admin, RULE_SETS, {**_rule_set(), "thresholds": {"review": value}}), "thresholds")
    _is_refused(_sent(admin, RULE_SETS, {"rules": value}), "rules")


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_a_value_of_a_list_is_found_again_or_refused(admin: httpx.Client, world: World, text: str) -> None:
    for field in ("customer", "store", "region", "ip", "card"):
        owner = {"merchant_id": world.stack.shop.id} if field in {"customer", "store"} else {}
        entry = {"field": field, "value": text, **owner}
        reason = text if len(text) <= 200 else "a"
        answer = _sent(admin, f"{_LISTS}/watch/entries", {"reason": reason, "entries": [entry]})
        found = _sent(admin, f"{_LISTS}/find", entry)
        if not _is_refused(answer, "entries.0.value", "reason"):
            assert [each["reason"] for each in found.json()["data"]] == [reason]
            removed = _sent(admin, f"{_LISTS}/watch/entries/remove", {"entries": [entry]})
            assert removed.json()["removed"] == 1
        else:
            assert _is_refused(found, "value") or found.json()["data"] == []
    made = _sent(admin, _LISTS, {"name": f"texts-{new_ulid().lower()}", "description": text})
    if not _is_refused(made, "description"):
        assert made.json()["description"] == text
        assert admin.delete(f"{_LISTS}/{made.json()['name']}").status_code == 200


@pytest.fixture(scope="module")
def payment_id(world: World) -> str:
    return str(world.run(world.till.paid())["id"])


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:30])
def test_words_of_a_complaint_and_of_analysts_are_kept_exactly_or_refused(
    admin: httpx.Client, payment_id: str, text: str
) -> None:
    whole = {"payment_id": payment_id, "reason": "other", "text": "a", "channel": "phone", "by": "li.wei"}
    for place, change in (
        ("text", {"text": text}),
        ("by", {"by": text}),
        ("channel_complaint_id", {"channel_complaint_id": text}),
        ("evidence", {"evidence": [{"kind": "text", "name": "a", "text": text}]}),
        ("evidence", {"evidence": [{"kind": "text", "name": text, "text": "a"}]}),
        ("evidence", {"evidence": [{"kind": "url", "name": "a", "url": f"https://files.example/{text}"}]}),
    ):
        body = {**whole, "channel_complaint_id": new_ulid(), **change}
        answer = _sent(admin, "/admin/v1/risk/complaints", body)
        if not _is_refused(answer, place):
            shown = answer.json()
            case = admin.get(f"{_CASES}/{shown['case_id']}").json()
            kept = next(each for each in case["complaints"] if each["id"] == shown["id"])
            for name in ("text", "by", "channel_complaint_id"):
                assert kept[name] == body[name]
            for wanted, found in zip(body.get("evidence", ()), kept["evidence"], strict=True):
                assert {**found, **wanted} == found
    opened = _sent(admin, "/admin/v1/risk/complaints", {**whole, "channel_complaint_id": new_ulid()})
    noted = _sent(admin, f"{_CASES}/{opened.json()['case_id']}/notes", {"by": "li.wei", "note": text})
    if not _is_refused(noted, "note"):
        case = admin.get(f"{_CASES}/{opened.json()['case_id']}")
        assert case.json()["steps"][-1]["note"] == text
        page = admin.get(f"{_CASES}/{opened.json()['case_id']}", params={"format": "html"})
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
    label = {"payment_id": payment_id, "fraud": False, "source": "other", "by": "li.wei", "note": text}
    _is_refused(_sent(admin, "/admin/v1/risk/labels", label), "note")


def test_a_payment_with_such_names_is_screened_explained_and_made_again(admin: httpx.Client, world: World) -> None:
    named = "payment.store_id != 'x' && payment.terminal_id != 'x' && payment.operator_id != 'x'"
    counted = "velocity('count', 'customer', '1h') > 0 && velocity('distinct_devices', 'terminal', '1h') > 0"
    listed = "listed('watch', 'customer') || listed('watch', 'device') || listed('watch', 'store')"
    seen = "customer.orders >= 0 && payment.store_id.startsWith('a')"
    rules = [
        rule(when, "score", code=f"R_{number}", score=1) for number, when in enumerate((named, counted, listed, seen))
    ]
    world.run(published(world.stack, *rules))
    screened = []
    for text in TEXTS:
        for fields in ({"customer": {"id": text, "device_id": text}}, {"store_id": text}, {"terminal_id": text},
                       {"operator_id": text}):  # fmt: skip
            order = new_order(**{"customer": {"id": "c", "device_id": "d"}, **fields})
            answer = world.post(json.dumps(order).encode())
            if answer.status_code == 201:
                screened.append(payment_of(answer, 201)["id"])
            else:
                assert answer.status_code in {400, 413}, answer.text
                assert answer.json()["error"]["param"].partition(".")[0] in {*fields, "body"}, answer.text
    assert len(screened) > len(TEXTS)
    for each in screened:
        assert admin.get(f"/admin/v1/risk/decisions/{each}").status_code == 200
    count, otherwise = world.run(replayed(world.stack, screened))
    assert (count, otherwise) == (len(screened), [])
    world.run(without_rules(world.stack))
