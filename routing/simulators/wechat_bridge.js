// The stand-in of WeixinJSBridge: in a browser that is not WeChat it shows a pay sheet, and the simulator takes the payment.
(function () {
  "use strict";
  if (window.WeixinJSBridge) { return; }
  var base = new URL(document.currentScript.src).origin + "/_simulator/bridge/";

  function ask(what, params) {
    return fetch(base + what, { method: "POST", headers: { "Content-Type": "text/plain" }, body: JSON.stringify(params) })
      .then(function (answer) { return answer.json(); });
  }

  // Styles are set property by property, so that a page that forbids inline styles shows the sheet all the same.
  function part(tag, id, text, style) {
    var element = document.createElement(tag);
    element.dataset.testid = id;
    element.textContent = text;
    Object.keys(style).forEach(function (name) { element.style[name] = style[name]; });
    return element;
  }

  function sheet(order, choose) {
    var cover = part("div", "wallet-sheet", "", {
      position: "fixed", inset: "0", zIndex: "2147483647", background: "rgba(0,0,0,.6)", display: "flex",
      alignItems: "flex-end", justifyContent: "center", font: "16px/1.5 system-ui, sans-serif",
    });
    cover.setAttribute("role", "dialog");
    cover.setAttribute("aria-modal", "true");
    cover.setAttribute("aria-label", "微信支付");
    var box = part("div", "wallet-box", "", {
      background: "#fff", color: "#111", width: "100%", maxWidth: "30rem", padding: "1.5rem", boxSizing: "border-box",
      borderRadius: "1rem 1rem 0 0", textAlign: "center",
    });
    var wide = { font: "inherit", width: "100%", padding: ".8rem", marginTop: ".8rem", border: "0", borderRadius: ".5rem" };
    var pay = part("button", "wallet-pay", "立即支付", Object.assign({ background: "#07c160", color: "#fff" }, wide));
    var cancel = part("button", "wallet-cancel", "取消", Object.assign({ background: "#eee", color: "#111" }, wide));
    box.append(
      part("div", "wallet-name", "模拟微信支付", { color: "#555" }),
      part("div", "wallet-merchant", order.merchant, {}),
      part("div", "wallet-description", order.description, { color: "#555" }),
      part("div", "wallet-amount", order.amount, { fontSize: "2rem", fontWeight: "700" }),
      pay, cancel
    );
    cover.append(box);
    function decide(choice) { cover.remove(); choose(choice); }
    pay.addEventListener("click", function () { decide("pay"); });
    cancel.addEventListener("click", function () { decide("cancel"); });
    document.body.append(cover);
    pay.focus();
  }

  function finish(callback, outcome, why) {
    var message = "get_brand_wcpay_request:" + outcome;
    callback(why ? { err_msg: message, errMsg: message, err_desc: why } : { err_msg: message, errMsg: message });
  }

  function requestPayment(params, callback) {
    var lost = function () { finish(callback, "fail", "network"); };
    ask("open", params).then(function (order) {
      if (order.error) { finish(callback, "fail", order.error); return; }
      sheet(order, function (choice) {
        if (choice === "cancel") { finish(callback, "cancel"); return; }
        ask("pay", params).then(function (paid) {
          finish(callback, paid.error ? "fail" : "ok", paid.error);
        }, lost);
      });
    }, lost);
  }

  window.WeixinJSBridge = {
    invoke: function (method, params, callback) {
      callback = callback || function () {};
      if (method === "getBrandWCPayRequest") { requestPayment(params, callback); return; }
      callback({ err_msg: method + ":function_not_exist", errMsg: method + ":function_not_exist" });
    },
    call: function () {},
    on: function () {},
  };
  document.dispatchEvent(new Event("WeixinJSBridgeReady"));
}());
