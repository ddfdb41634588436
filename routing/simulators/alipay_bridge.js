// The Alipay app as a page inside it sees it: AlipayJSBridge, and the sheet on which the customer pays or does not.
(function () {
  "use strict";
  if (window.AlipayJSBridge) { return; }
  var home = new URL(document.currentScript.src).origin;

  function ask(tradeNo, action) {
    return fetch(home + "/_simulator/bridge/trade", {
      method: "POST",
      headers: { "Content-Type": "text/plain" },
      body: JSON.stringify({ trade_no: tradeNo, action: action }),
    }).then(function (answer) {
      return answer.json();
    });
  }

  function make(kind, testId, text, style) {
    var element = document.createElement(kind);
    element.dataset.testid = testId;
    element.textContent = text;
    element.style.cssText = style;
    return element;
  }

  function showSheet(order, decide) {
    var sheet = make("div", "wallet-sheet", "", "position:fixed;left:0;right:0;bottom:0;z-index:2147483647;" +
      "padding:1.2rem;background:#fff;color:#333;box-shadow:0 0 2rem #0006;text-align:center;font:16px/1.6 sans-serif");
    sheet.setAttribute("role", "dialog");
    sheet.setAttribute("aria-modal", "true");
    sheet.setAttribute("aria-label", "模拟支付宝");
    var button = "display:block;width:100%;min-height:2.8rem;margin:.5rem 0;border:0;border-radius:.4rem;font:inherit;";
    var pay = make("button", "wallet-pay", "确认付款", button + "background:#1677ff;color:#fff");
    var cancel = make("button", "wallet-cancel", "取消", button + "background:#eee;color:#333");
    sheet.append(
      make("div", "wallet-name", "模拟支付宝", ""),
      make("div", "wallet-subject", order.subject, ""),
      make("div", "wallet-amount", "¥" + order.amount, "font-size:2rem"),
      pay,
      cancel
    );
    function end(paid) {
      sheet.remove();
      decide(paid);
    }
    pay.addEventListener("click", function () { end(true); });
    cancel.addEventListener("click", function () { end(false); });
    document.body.append(sheet);
    pay.focus();
  }

  function tradePay(options, done) {
    var tradeNo = String((options || {}).tradeNO || "");
    function end(code) {
      done({ resultCode: code, memo: "", result: "" });
    }
    ask(tradeNo, "scan").then(function (order) {
      if (order.result_code) {
        end(order.result_code);
        return;
      }
      showSheet(order, function (paid) {
        if (!paid) {
          end("6001");
          return;
        }
        ask(tradeNo, "pay").then(function (answer) { end(answer.result_code); }, function () { end("6002"); });
      });
    }).catch(function () { end("6002"); });
  }

  setTimeout(function () {
    window.AlipayJSBridge = {
      call: function (name, options, done) {
        var callback = typeof options === "function" ? options : done || function () {};
        if (name === "tradePay") {
          tradePay(options, callback);
        } else {
          callback({ error: 1, errorMessage: "this stand-in has tradePay only" });
        }
      },
    };
    document.dispatchEvent(new Event("AlipayJSBridgeReady"));
  }, 0);
})();
