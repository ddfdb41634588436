"""What only WeChat does: its 401s, both key modes, both styles of USERPAYING, 204, certificates, its field rules."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import load_pem_x509_certificate

from routing.simulators.provision import Provision
from tests.unit.simulators.conftest import Simulator, stage_of
from tests.unit.simulators.in_process import bench_of
from tests.unit.simulators.till import Raw
from tests.unit.simulators.wechat_till import WechatTill

CODEPAY = "/v3/pay/transactions/codepay"


@pytest.fixture
def till(simulators: dict[str, Simulator], provisioned: Provision) -> WechatTill:
    found = stage_of("wechat_direct", simulators, provisioned).till
    assert isinstance(found, WechatTill)
    return found


def sale_body(till: WechatTill, number: str) -> bytes:
    return json.dumps(till.sale(number, 100, till.code())).encode()


def send(till: WechatTill, headers: dict[str, str], body: bytes, method: str = "POST", target: str = CODEPAY) -> Raw:
    return till.wire(method, target, headers, body, 5)


def code_of(raw: Raw) -> str:
    return str(json.loads(raw.body)["code"])


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"timestamp": "1700000000"}, "5分钟"),
        ({"timestamp": "1700000000", "signature": "AAAA"}, "5分钟"),
        ({"signature": base64.b64encode(b"x" * 256).decode()}, "签名错误"),
        ({"serial_no": "00"}, "签名错误"),
        ({"mchid": "1"}, "签名错误"),
        ({"timestamp": "now"}, "格式错误"),
    ],
)
def test_a_request_that_proves_nothing_is_401_and_leaves_no_trace(
    till: WechatTill, changes: dict[str, str], word: str
) -> None:
    number = till.order_no()
    body = sale_body(till, number)
    raw = send(till, till.headers("POST", CODEPAY, body, **changes), body)
    assert (raw.status, code_of(raw)) == (401, "SIGN_ERROR")
    assert word in json.loads(raw.body)["message"]
    assert not [name for name in raw.headers if name.startswith("wechatpay-")]
    assert till.query(number).state == "not_found"


def test_a_changed_body_path_or_method_breaks_the_signature(till: WechatTill) -> None:
    body = sale_body(till, till.order_no())
    headers = till.headers("POST", CODEPAY, body)
    assert send(till, headers, body + b" ").status == 401
    target = f"/v3/pay/transactions/out-trade-no/{till.order_no()}?mchid={till.settings['mchid']}"
    headers = till.headers("GET", target, b"")
    assert send(till, headers, b"", "GET", target).status == 404
    assert send(till, headers, b"", "GET", target + "&x=1").status == 401


def test_missing_headers_are_refused_as_the_real_servers_do(till: WechatTill) -> None:
    body = sale_body(till, till.order_no())
    headers = till.headers("POST", CODEPAY, body)
    nameless = headers | {"user-agent": ""}
    assert send(till, nameless, body).status == 401
    raw = send(till, till.headers("GET", "/v3/certificates", b"") | {"user-agent": ""}, b"", "GET", "/v3/certificates")
    assert (raw.status, code_of(raw)) == (400, "INVALID_REQUEST")
    raw = send(till, headers | {"accept": "text/html"}, body)
    assert (raw.status, code_of(raw)) == (400, "INVALID_REQUEST")


def test_unknown_paths_and_wrong_methods_have_empty_bodies(till: WechatTill) -> None:
    wrong_method = send(till, till.headers("GET", CODEPAY, b""), b"", "GET")
    assert (wrong_method.status, wrong_method.body) == (405, b"")
    unknown = send(till, till.headers("GET", "/v3/nothing", b""), b"", "GET", "/v3/nothing")
    assert (unknown.status, unknown.body) == (404, b"")


@pytest.mark.parametrize(
    ("path", "value", "code", "field"),
    [
        (("mchid",), "1", "PARAM_ERROR", "/mchid"),
        (("appid",), "wx0", "APPID_MCHID_NOT_MATCH", "/appid"),
        (("description",), None, "PARAM_ERROR", "/description"),
        (("description",), "长" * 128, "PARAM_ERROR", "/description"),
        (("out_trade_no",), "short", "PARAM_ERROR", "/out_trade_no"),
        (("out_trade_no",), "has blank 1", "PARAM_ERROR", "/out_trade_no"),
        (("amount", "total"), 0, "PARAM_ERROR", "/amount/total"),
        (("amount", "total"), 1.5, "PARAM_ERROR", "/amount/total"),
        (("amount", "total"), True, "PARAM_ERROR", "/amount/total"),
        (("amount", "total"), "100", "PARAM_ERROR", "/amount/total"),
        (("amount", "currency"), "USD", "PARAM_ERROR", "/amount/currency"),
        (("scene_info",), None, "PARAM_ERROR", "/scene_info"),
        (("scene_info", "store_info"), {}, "PARAM_ERROR", "/scene_info/store_info"),
        (("payer",), None, "PARAM_ERROR", "/payer"),
        (("payer", "auth_code"), "284567890123456789", "AUTH_CODE_INVALID", "/payer/auth_code"),
    ],
)
def test_a_field_that_breaks_the_rules_is_named(
    till: WechatTill, path: tuple[str, ...], value: Any, code: str, field: str
) -> None:
    number = till.order_no()
    sale = till.sale(number, 100, till.code())
    inner = sale
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    answer = till.call("POST", CODEPAY, sale)
    assert (answer.raw.status, answer.code, answer.fields["detail"]["field"]) == (400, code, field)
    assert till.query(number).state == "not_found"


def test_a_code_outside_of_payer_is_not_looked_at(till: WechatTill) -> None:
    sale = till.sale(till.order_no(), 100, till.code())
    sale["auth_code"] = sale.pop("payer")["auth_code"]
    assert till.call("POST", CODEPAY, sale).code == "PARAM_ERROR"


def test_answers_are_signed_with_the_key_that_the_merchant_names(till: WechatTill) -> None:
    keys = till.settings["platform_public_keys"]
    public_key_id, serial = sorted(keys, reverse=True)
    assert public_key_id.startswith("PUB_KEY_ID_")
    assert (len(serial), serial) == (40, serial.upper())
    body = sale_body(till, till.order_no())
    for asked, used in ((public_key_id, public_key_id), (serial, serial), (None, serial)):
        headers = till.headers("POST", CODEPAY, body)
        headers.pop("wechatpay-serial")
        raw = send(till, headers | ({"wechatpay-serial": asked} if asked else {}), body)
        assert (raw.status, raw.headers["wechatpay-serial"], till.read(raw).seal) == (200, used, "good")
    raw = send(till, till.headers("POST", CODEPAY, body) | {"wechatpay-serial": "PUB_KEY_ID_0"}, body)
    assert (raw.status, code_of(raw)) == (400, "PARAM_ERROR")


def test_every_success_carries_all_five_headers(till: WechatTill) -> None:
    answer = till.pay(till.order_no(), 100, till.code())
    names = {name for name in answer.raw.headers if name.startswith("wechatpay-")}
    assert names == {f"wechatpay-{name}" for name in ("timestamp", "nonce", "signature", "serial", "signature-type")}
    assert answer.raw.headers["wechatpay-signature-type"] == "WECHATPAY2-SHA256-RSA2048"
    assert answer.raw.headers["content-type"] == "application/json"


def test_the_certificate_decrypts_with_the_api_v3_key(till: WechatTill) -> None:
    answer = till.call("GET", "/v3/certificates")
    assert answer.seal == "good"
    (entry,) = answer.fields["data"]
    sealed = entry["encrypt_certificate"]
    assert (sealed["algorithm"], sealed["associated_data"]) == ("AEAD_AES_256_GCM", "certificate")
    pem = AESGCM(till.settings["api_v3_key"].encode()).decrypt(
        sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), sealed["associated_data"].encode()
    )
    assert f"{load_pem_x509_certificate(pem).serial_number:040X}" == entry["serial_no"]
    assert entry["serial_no"] in till.settings["platform_public_keys"]


def test_the_pin_is_asked_for_with_202_and_the_code(till: WechatTill) -> None:
    answer = till.pay(till.order_no(), 100, till.code("9004"))
    assert (answer.raw.status, answer.code, answer.seal) == (202, "USERPAYING", "good")


async def test_the_pin_is_asked_for_with_200_and_a_trade_state(provisioned: Provision, tmp_path: Path) -> None:
    with bench_of("wechat_direct", provisioned, tmp_path, userpaying="200") as bench:
        answer = bench.till.pay(bench.till.order_no(), 100, bench.till.code("9004"))
        assert (answer.raw.status, answer.fields["trade_state"], answer.seal) == (200, "USERPAYING", "good")
        assert "transaction_id" not in answer.fields


def test_a_paid_order_is_found_by_wechats_own_number_too(till: WechatTill) -> None:
    number = till.order_no()
    paid = till.pay(number, 100, till.code())
    target = f"/v3/pay/transactions/id/{paid.fields['transaction_id']}?mchid={till.settings['mchid']}"
    assert till.call("GET", target).fields["out_trade_no"] == number
    assert till.call("GET", target.replace(f"={till.settings['mchid']}", "=1")).code == "PARAM_ERROR"


def test_a_bar_code_order_must_be_reversed_and_not_closed(till: WechatTill) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code("9004"))
    body = {"mchid": till.settings["mchid"]}
    refused = till.call("POST", f"/v3/pay/transactions/out-trade-no/{number}/close", body)
    assert (refused.raw.status, refused.code) == (400, "INVALID_REQUEST")
    assert refused.raw.headers["request-id"].endswith("-268449641")
    unknown = till.call("POST", f"/v3/pay/transactions/out-trade-no/{till.order_no()}/close", body)
    assert (unknown.raw.status, unknown.code) == (404, "ORDER_NOT_EXIST")


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ({"refund": 10, "total": 99, "currency": "CNY"}, "INVALID_REQUEST"),
        ({"refund": 0, "total": 100, "currency": "CNY"}, "PARAM_ERROR"),
        ({"refund": 10, "total": 100}, "PARAM_ERROR"),
        ({"refund": 101, "total": 100, "currency": "CNY"}, "INVALID_REQUEST"),
    ],
)
def test_a_refund_that_does_not_fit_its_order_is_refused(till: WechatTill, amount: dict[str, Any], code: str) -> None:
    number = till.order_no()
    till.pay(number, 100, till.code())
    body = {"out_trade_no": number, "out_refund_no": f"{number}R", "amount": amount}
    assert till.call("POST", "/v3/refund/domestic/refunds", body).code == code
    assert till.query(number).state == "captured"


def test_a_refund_number_may_hold_characters_that_urls_escape(till: WechatTill) -> None:
    number = till.order_no()
    refund_no = f"{number}|A@x_-*"
    till.pay(number, 100, till.code())
    till.refund(number, refund_no, 10, 100)
    assert till.query_refund(number, refund_no.replace("|", "%7C").replace("@", "%40")).amount == 10
