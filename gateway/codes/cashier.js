// The cashier page: reads the amount, asks the gateway for the wallet's order, calls the wallet, and watches the end.
(function () {
  "use strict";
  var config = JSON.parse(document.getElementById("config").textContent);
  var texts = config.texts;
  var form = document.getElementById("pay");
  var button = document.getElementById("go");
  var input = document.getElementById("amount");
  var message = document.getElementById("message");
  var base = "/q/" + config.token;
  var POLL_MS = 1500, POLLS_MAX = 80, BRIDGE_MS = 8000;

  function say(text, kind) {
    message.textContent = text || "";
    message.className = "message" + (kind ? " " + kind : "");
  }

  function yuan(fen) {
    return "¥" + Math.floor(fen / 100) + "." + String(fen % 100).padStart(2, "0");
  }

  // "12.5" is 1250 fen: read digit by digit, for a floating-point number cannot hold every amount.
  function fenOf(text) {
    var found = /^([0-9]{1,9})(?:[.。．]([0-9]{0,2}))?$/.exec(text.trim());
    if (!found) { return 0; }
    return parseInt(found[1], 10) * 100 + parseInt(((found[2] || "") + "00").slice(0, 2), 10);
  }

  function ask(path, body) {
    var options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    options.credentials = "same-origin";
    return fetch(base + path, options).then(function (answer) {
      return answer.json().then(function (found) {
        if (!answer.ok) { throw { answer: found.error || {}, status: answer.status }; }
        return found;
      });
    });
  }

  function busy(is) {
    button.disabled = is;
    form.setAttribute("aria-busy", String(is));
  }

  function end(kind, state) {
    form.hidden = true;
    say("");
    var box = document.getElementById("end-" + kind);
    if (state && state.payable) { box.querySelector(".amount").textContent = yuan(state.payable); }
    box.hidden = false;
    box.focus();
  }

  function settle(state) {
    if (state.status === "paid") { end("paid", state); return true; }
    if (state.status === "over") { end("over", state); return true; }
    return false;
  }

  function watch(left) {
    say(texts.checking);
    ask("/state" + (config.sale ? "?sale=" + encodeURIComponent(config.sale) : "")).then(function (state) {
      if (settle(state)) { return; }
      again(left);
    }, function () { again(left); });
  }

  function again(left) {
    if (left > 0) { setTimeout(function () { watch(left - 1); }, POLL_MS); return; }
    say(texts.unsure);
    busy(false);
  }

  function stop(text) {
    say(text, "bad");
    busy(false);
  }

  function script(url) {
    if (!url || document.querySelector("script[data-bridge]")) { return; }
    var element = document.createElement("script");
    element.src = url;
    element.dataset.bridge = "yes";
    document.head.append(element);
  }

  function withBridge(name, event, url, use) {
    if (window[name]) { use(window[name]); return; }
    var done = false;
    var timer = setTimeout(function () { done = true; stop(texts.no_wallet); }, BRIDGE_MS);
    document.addEventListener(event, function () {
      if (done) { return; }
      done = true;
      clearTimeout(timer);
      use(window[name]);
    });
    script(url);
  }

  var wallets = {
    wechat: function (order) {
      withBridge("WeixinJSBridge", "WeixinJSBridgeReady", order.bridge_url, function (bridge) {
        bridge.invoke("getBrandWCPayRequest", order.bridge, function (result) {
          var said = result.err_msg || "";
          if (said === "get_brand_wcpay_request:cancel") { stop(texts.cancelled); return; }
          if (said === "get_brand_wcpay_request:fail") { stop(texts.refused); return; }
          watch(POLLS_MAX);
        });
      });
    },
    alipay: function (order) {
      withBridge("AlipayJSBridge", "AlipayJSBridgeReady", order.bridge_url, function (bridge) {
        bridge.call("tradePay", order.bridge, function (result) {
          var code = String(result.resultCode);
          if (code === "6001" || code === "99") { stop(texts.cancelled); return; }
          if (code === "4000" || code === "6002") { stop(texts.refused); return; }
          watch(POLLS_MAX);
        });
      });
    },
    unionpay: function (order) { location.assign(order.pay_url); }
  };

  function proceed(order) {
    if (settle(order)) { return; }
    if (order.status === "busy") { stop(texts.busy.replace("{seconds}", order.retry_after_s)); return; }
    if (order.status === "refused") { stop(texts.refused); return; }
    say(texts.in_wallet.replace("{amount}", yuan(order.payable)));
    wallets[config.wallet](order);
  }

  if (form) {
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      var wanted = {};
      if (input) {
        wanted.amount = fenOf(input.value);
        input.setAttribute("aria-invalid", String(!wanted.amount));
        if (!wanted.amount) { say(texts.type_amount, "bad"); input.focus(); return; }
      }
      if (config.sale) { wanted.sale = config.sale; }
      busy(true);
      say(texts.opening);
      ask("/pay", wanted).then(proceed, function (error) {
        if (error.status === 403) { location.assign(base); return; }
        if (error.answer && error.answer.code === "unknown_sale") { location.assign(base); return; }
        if (error.answer && error.answer.code === "order_no_reused") { stop(texts.amount_fixed); return; }
        stop(error.status === 429 ? texts.slow_down : texts.no_answer);
      });
    });
    button.disabled = false;
    if (config.begun) { watch(POLLS_MAX); }
  }
}());
