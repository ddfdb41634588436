"""The bridge's script in a real browser: a page of another origin, under a strict policy, opens the sheet and pays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from routing.simulators.wallet import payer_named
from tests.browser.headless import outcome, serving
from tests.unit.simulators.conftest import Simulator, addresses, provisioned, simulators, stage_of
from tests.unit.simulators.wechat_till import WechatTill

__all__ = ["addresses", "provisioned", "simulators"]

PAGE = """<!doctype html><meta charset="utf-8"><title>cashier</title><p id="outcome">waiting</p>
<script nonce="n">
var parameters = __PARAMETERS__, button = "__BUTTON__", shown = "";
var watcher = new MutationObserver(function () {
  var found = document.querySelector('[data-testid="' + button + '"]');
  if (!found || shown) { return; }
  shown = document.querySelector('[data-testid="wallet-merchant"]').textContent + " "
    + document.querySelector('[data-testid="wallet-amount"]').textContent + " "
    + getComputedStyle(document.querySelector('[data-testid="wallet-sheet"]')).position;
  found.click();
});
watcher.observe(document, { childList: true, subtree: true });
document.addEventListener("WeixinJSBridgeReady", function () {
  WeixinJSBridge.invoke("getBrandWCPayRequest", parameters, function (answer) {
    document.getElementById("outcome").textContent = shown + " " + answer.err_msg + " " + (answer.err_desc || "");
  });
});
</script>
<script nonce="n" async src="__SCRIPT__"></script>"""


@pytest.fixture
def till(simulators: dict[str, Simulator], provisioned: Provision) -> WechatTill:
    found = stage_of("wechat_direct", simulators, provisioned).till
    assert isinstance(found, WechatTill)
    return found


@pytest.mark.browser
@pytest.mark.parametrize(
    ("button", "changes", "says", "state"),
    [
        ("wallet-pay", {}, "码上咖啡 ¥25.99 fixed get_brand_wcpay_request:ok ", "captured"),
        ("wallet-cancel", {}, "码上咖啡 ¥25.99 fixed get_brand_wcpay_request:cancel ", "open"),
        ("wallet-pay", {"paySign": "AAAA"}, " get_brand_wcpay_request:fail 支付验证签名失败", "open"),
    ],
)
def test_a_page_of_the_merchants_pays_in_the_sheet(  # noqa: PLR0917  # pytest names them
    till: WechatTill, tmp_path: Path, button: str, changes: dict[str, str], says: str, state: str
) -> None:
    number, base = till.order_no(), till.settings["base_url"]
    prepay_id = till.jsapi(number, 2_599, "oSim" + payer_named("alice")).fields["prepay_id"]
    page = PAGE.replace("__PARAMETERS__", json.dumps(till.call_up(prepay_id, **changes)))
    page = page.replace("__BUTTON__", button).replace("__SCRIPT__", till.settings["bridge_url"])
    policy = f"default-src 'none'; script-src 'nonce-n' {base}; connect-src {base}; style-src 'self'"
    with serving(page, policy) as url:
        assert outcome(url, tmp_path) == says
    assert till.query(number).state == state
