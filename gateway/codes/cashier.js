// The cashier page: reads the amount, asks the gateway for the wallet's order, calls the wallet, and watches the end.
// Written for the old browsers inside wallets: no module, no arrow function.
(function () {
  "use strict";
  var config = JSON.parse(document.getElementById("config").textContent);
  var texts = config.texts;
  var form = document.getElementById("pay");
  var button = document.getElementById("go");
  var change = document.getElementById("change");
  var input = document.getElementById("amount");
  var message = document.getElementById("message");
  var count = document.getElementById("count");
  var label = button.textContent;
  var base = "/q/" + config.token;
  var sale = config.sale ? "?sale=" + encodeURIComponent(config.sale) : "";
  var POLL_MS = 1500, SLOW_MS = 3000, QUICK = 12, FREE_AFTER = 3, ASK_MS = 20000, BRIDGE_MS = 8000, WAIT_LOOK_S = 4;
  var AFTER_WALLET = 60, AFTER_BACK = 40, AFTER_RELOAD = 4;
  var ended = false, working = false, watching = 0, waiting = null;

  function say(text, kind) {
    message.textContent = text || "";
    message.className = kind || "";
  }

  function yuan(fen) {
    return "¥" + Math.floor(fen / 100) + "." + ("0" + fen % 100).slice(-2);
  }

  // "12.5" is 1250 fen: read digit by digit, for a floating-point number cannot hold every amount.  Some keypads have a
  // comma or a full stop of another script.
  function fenOf(text) {
    var plain = text.replace(/[０-９]/g, function (digit) { return String.fromCharCode(digit.charCodeAt(0) - 0xfee0); });
    var found = /^[¥￥]?\s*([0-9]{0,9})(?:[.,。．，]([0-9]{0,2}))?$/.exec(plain.trim());
    if (!found) { return 0; }
    return parseInt(found[1] || "0", 10) * 100 + parseInt(((found[2] || "") + "00").slice(0, 2), 10);
  }

  function ask(path, body) {
    var abort = window.AbortController ? new AbortController() : null;
    var timer = setTimeout(function () { if (abort) { abort.abort(); } }, ASK_MS);
    var options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    options.credentials = "same-origin";
    if (abort) { options.signal = abort.signal; }
    return fetch(base + path, options).then(function (answer) {
      return answer.json().then(function (found) {
        clearTimeout(timer);
        if (!answer.ok) { throw { code: (found.error || {}).code, status: answer.status }; }
        return found;
      });
    });
  }

  function work(is) {
    working = is;
    button.disabled = is;
    if (input) { input.readOnly = is || settled(); }
    form.setAttribute("aria-busy", String(is));
    if (change) { change.hidden = is || !settled(); }
  }

  // The amount of a sale stands once its order was asked for.
  function settled() {
    return form.dataset.settled === "yes";
  }

  function end(kind, state) {
    var box = document.getElementById("end-" + kind);
    ended = true;
    watching += 1;
    form.hidden = true;
    document.getElementById("note").hidden = true;
    if (state.payable) { fill(box, ".amount", yuan(state.payable).slice(1)); sign(box); }
    if (kind === "paid") {
      fill(box, ".at", state.paid_at || "");
      fill(box, ".number", state.number || "");
      if (form.dataset.own === "yes") { fill(box, "h2", texts.paid_now); }
    }
    box.hidden = false;
    box.focus();
  }

  function fill(box, what, text) {
    box.querySelector(what).textContent = text;
  }

  // The sign of the currency is smaller than the amount, as the gateway writes it.
  function sign(box) {
    var small = document.createElement("small");
    small.textContent = "¥";
    box.querySelector(".amount").insertBefore(small, box.querySelector(".amount").firstChild);
  }

  function settle(state) {
    var over = state.status === "paid" || state.status === "over" || state.status === "checking";
    if (over && !ended) { end(state.status, state); }
    return over;
  }

  function look() {
    return ask("/state" + sale).then(settle, function () { return false; });
  }

  // Asks until the payment has an end.  The customer can go on after a while: the same order is never charged twice.
  function watch(polls, freeAfter, last) {
    var turn = watching += 1;
    var done = 0;
    function again() {
      if (turn !== watching || ended) { return; }
      look().then(function (over) {
        if (over || turn !== watching) { return; }
        done += 1;
        if (done === freeAfter) { say(last); work(false); }
        if (done < polls) { setTimeout(again, done < QUICK ? POLL_MS : SLOW_MS); }
      });
    }
    say(texts.checking_now);
    work(true);
    again();
  }

  // What a wallet says is looked into before it is believed: it may have taken the money all the same.
  function stop(text, kind) {
    look().then(function (over) {
      if (over) { return; }
      say(text, kind);
      work(false);
    });
  }

  function fail(text) {
    say(text, "bad");
    work(false);
  }

  function wait(seconds) {
    var until = Date.now() + seconds * 1000;
    say(texts.busy);
    button.textContent = texts.stop_waiting;
    button.className = "quiet";
    button.disabled = false;
    waiting = setInterval(function () {
      var left = Math.ceil((until - Date.now()) / 1000);
      count.textContent = texts.seconds.replace("{seconds}", Math.max(left, 0));
      if (left <= 0) { stopWaiting(); pay(); return; }
      if (left % WAIT_LOOK_S === 0) { look().then(function (over) { if (over) { stopWaiting(); } }); }
    }, 1000);
  }

  function stopWaiting() {
    clearInterval(waiting);
    waiting = null;
    count.textContent = "";
    button.textContent = label;
    button.className = "";
  }

  function withBridge(name, event, url, use) {
    var done = false;
    var element;
    if (window[name]) { use(window[name]); return; }
    var timer = setTimeout(function () { done = true; fail(texts.no_wallet); }, BRIDGE_MS);
    document.addEventListener(event, function () {
      if (done) { return; }
      done = true;
      clearTimeout(timer);
      use(window[name]);
    });
    if (url && !document.querySelector("script[data-bridge]")) {
      element = document.createElement("script");
      element.src = url;
      element.dataset.bridge = "yes";
      document.head.appendChild(element);
    }
  }

  function paid() {
    form.dataset.own = "yes";
    watch(AFTER_WALLET, AFTER_WALLET, texts.unsure);
  }

  var wallets = {
    wechat: function (order) {
      withBridge("WeixinJSBridge", "WeixinJSBridgeReady", order.bridge_url, function (bridge) {
        bridge.invoke("getBrandWCPayRequest", order.bridge, function (result) {
          var said = (result || {}).err_msg || "";
          if (/:cancel$/.test(said)) { stop(texts.cancelled); return; }
          if (/:fail/.test(said)) { stop(texts.refused, "bad"); return; }
          paid();
        });
      });
    },
    alipay: function (order) {
      withBridge("AlipayJSBridge", "AlipayJSBridgeReady", order.bridge_url, function (bridge) {
        bridge.call("tradePay", order.bridge, function (result) {
          var code = String((result || {}).resultCode);
          if (code === "6001" || code === "99") { stop(texts.cancelled); return; }
          if (code === "4000" || code === "6002") { stop(texts.refused, "bad"); return; }
          paid();
        });
      });
    },
    unionpay: function (order) { location.assign(order.pay_url); }
  };

  function proceed(order) {
    if (settle(order)) { return; }
    if (order.status === "busy") { wait(order.retry_after_s); return; }
    if (order.status === "refused") {
      fail(order.failure === "limit_exceeded" ? texts.over_limit : texts.refused);
      return;
    }
    say(texts.in_wallet.replace("{amount}", yuan(order.payable)));
    wallets[config.wallet](order);
  }

  function refuse(error) {
    if (error.status === 403 && error.code === "not_identified") { location.assign(base + sale); return; }
    if (error.code === "unknown_sale") { location.assign(base); return; }
    if (error.status === 404) { fail(texts.gone_now); return; }
    if (error.code === "amount_settled" || error.code === "order_no_reused") {
      form.dataset.settled = "yes";
      fail(texts.amount_settled);
      return;
    }
    fail(error.status === 429 ? texts.slow_down_now : texts.no_answer);
  }

  // The sale goes into the address before anything is asked: whoever loads the page again comes back to it.
  function pay() {
    var wanted = {};
    if (input && !settled()) { wanted.amount = fenOf(input.value); }
    if (config.sale) {
      wanted.sale = config.sale;
      history.replaceState(null, "", base + sale);
    }
    watching += 1;
    work(true);
    say(texts.opening);
    ask("/pay", wanted).then(function (order) {
      if (order.amount && config.sale) { form.dataset.settled = "yes"; }
      proceed(order);
    }, refuse);
  }

  function wrong(text) {
    input.setAttribute("aria-invalid", "true");
    say(text, "bad");
    input.focus();
  }

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    if (waiting) { stopWaiting(); say(texts.stopped); work(false); return; }
    if (working || ended) { return; }
    if (input) {
      var fen = fenOf(input.value);
      if (!fen) { wrong(texts.type_amount); return; }
      if (fen > config.max) { wrong(texts.too_much.replace("{amount}", yuan(config.max))); return; }
      input.setAttribute("aria-invalid", "false");
      input.blur();
    }
    pay();
  });

  if (change) {
    change.addEventListener("click", function () {
      work(true);
      say(texts.checking_now);
      ask("/give_up", { sale: config.sale }).then(function (state) {
        if (state.status === "paid") { settle(state); return; }
        location.assign(base);
      }, refuse);
    });
  }

  // Back from the wallet's own page by the "back" gesture: the browser shows this page as it was left.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted && working && !waiting) { watch(AFTER_BACK, FREE_AFTER, texts.not_yet); }
  });
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden && working && !waiting) { look(); }
  });

  button.disabled = false;
  if (config.watch === "back") {
    form.dataset.own = "yes";
    watch(AFTER_BACK, FREE_AFTER, texts.not_yet);
  } else if (config.watch) {
    watch(AFTER_RELOAD, 1, "");
  }
}());
