"""The stand-in of the Alipay app in a real browser: a page of another origin opens the sheet under a strict policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing.simulators.provision import Provision
from tests.browser.headless import outcome, serving
from tests.unit.simulators.alipay_till import AlipayTill
from tests.unit.simulators.conftest import Simulator, addresses, provisioned, simulators, stage_of

__all__ = ["addresses", "provisioned", "simulators"]

PAGE = """<!doctype html><meta charset="utf-8"><title>cashier</title><p id="outcome">waiting</p>
<script nonce="n">
var button = "__BUTTON__", shown = "";
function text(name) { return document.querySelector('[data-testid="' + name + '"]').textContent; }
var watcher = new MutationObserver(function () {
  var found = document.querySelector('[data-testid="' + button + '"]');
  if (!found || shown) { return; }
  shown = text("wallet-subject") + " " + text("wallet-amount") + " "
    + getComputedStyle(document.querySelector('[data-testid="wallet-sheet"]')).position + " ";
  found.click();
});
watcher.observe(document, { childList: true, subtree: true });
document.addEventListener("AlipayJSBridgeReady", function () {
  AlipayJSBridge.call("tradePay", { tradeNO: "__NUMBER__" }, function (result) {
    document.getElementById("outcome").textContent = shown + result.resultCode;
  });
});
</script>
<script nonce="n" src="__SCRIPT__"></script>"""


@pytest.fixture
def till(simulators: dict[str, Simulator], provisioned: Provision) -> AlipayTill:
    found = stage_of("alipay_direct", simulators, provisioned).till
    assert isinstance(found, AlipayTill)
    return found


@pytest.mark.browser
@pytest.mark.parametrize(
    ("button", "wrong", "says", "state"),
    [
        ("wallet-pay", "", "豆浆油条 ¥25.99 fixed 9000", "captured"),
        ("wallet-cancel", "", "豆浆油条 ¥25.99 fixed 6001", "pending"),
        ("wallet-pay", "1" * 28, "4000", "pending"),
    ],
)
def test_a_page_of_the_merchants_pays_in_the_sheet(  # noqa: PLR0917  # pytest names them
    till: AlipayTill, tmp_path: Path, button: str, wrong: str, says: str, state: str
) -> None:
    number, script = till.order_no(), till.settings["bridge_url"]
    trade_no = till.create(number, 2_599, "2088102169481075").fields["trade_no"]
    page = PAGE.replace("__NUMBER__", wrong or trade_no).replace("__BUTTON__", button).replace("__SCRIPT__", script)
    base = script.removesuffix("/_simulator/bridge.js")
    policy = f"default-src 'none'; script-src 'nonce-n' {base}; connect-src {base}; style-src 'self'"
    with serving(page, policy) as url:
        assert outcome(url, tmp_path) == says
    assert till.query(number).state == state
