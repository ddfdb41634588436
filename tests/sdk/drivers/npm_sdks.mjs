// Driver of the npm SDKs alipay-sdk, wechatpay-axios-plugin and standardwebhooks: the conversation of drivers/exchange.py.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.argv[2]}/`);

function openAlipay(settings) {
  const { AlipaySdk } = require('alipay-sdk');
  const client = new AlipaySdk({
    appId: settings.app_id,
    privateKey: settings.app_private_key_pem,
    keyType: 'PKCS8',
    alipayPublicKey: settings.alipay_public_key_pem,
    gateway: settings.gateway_url,
    camelcase: false,
  });
  const execute = (method, parameters) => client.exec(method, parameters, { validateSign: true });
  const trading = Object.entries({
    pay: 'alipay.trade.pay',
    precreate: 'alipay.trade.precreate',
    create: 'alipay.trade.create',
    query: 'alipay.trade.query',
    cancel: 'alipay.trade.cancel',
    close: 'alipay.trade.close',
    refund: 'alipay.trade.refund',
    query_refund: 'alipay.trade.fastpay.refund.query',
    bill: 'alipay.data.dataservice.bill.downloadurl.query',
  }).map(([name, method]) => [name, ({ notify_url: notifyUrl, ...bizContent }) => (
    execute(method, notifyUrl ? { bizContent, notifyUrl } : { bizContent })
  )]);
  return {
    ...Object.fromEntries(trading),
    token: ({ code }) => execute('alipay.system.oauth.token', { grantType: 'authorization_code', code }),
    notification: ({ body }) => {
      const fields = Object.fromEntries(new URLSearchParams(body));
      const verdicts = [client.checkNotifySign(fields), client.checkNotifySignV2(fields)];
      if (verdicts[0] !== verdicts[1]) {
        throw new Error('the two checks disagree');
      }
      return verdicts[0] ? fields : null;
    },
  };
}

function wechatCallback(settings) {
  const { Aes, Formatter, Rsa } = require('wechatpay-axios-plugin');
  return ({ headers, body }) => {
    const named = (name) => headers[`wechatpay-${name}`];
    const text = Formatter.response(named('timestamp'), named('nonce'), body);
    if (!Rsa.verify(text, named('signature'), settings.platform_public_keys[named('serial')])) {
      return null;
    }
    const { resource } = JSON.parse(body);
    const { ciphertext, nonce, associated_data: associated } = resource;
    return JSON.parse(Aes.AesGcm.decrypt(ciphertext, settings.api_v3_key, nonce, associated));
  };
}

function openWechat(settings) {
  const { Rsa, Wechatpay } = require('wechatpay-axios-plugin');
  const client = new Wechatpay({
    mchid: settings.mchid,
    serial: settings.merchant_serial,
    privateKey: settings.merchant_private_key_pem,
    certs: settings.platform_public_keys,
    baseURL: `${settings.base_url}/`,
    proxy: false,
    // Statuses are the test's to judge, so axios throws for none; only 2xx are to be signed.
    validateStatus: (status) => status < 300,
  });
  const headers = settings.asked_serial ? { 'Wechatpay-Serial': settings.asked_serial } : {};
  const { mchid } = settings;
  const { transactions } = client.v3.pay;
  const { refunds } = client.v3.refund.domestic;
  const read = (promise) => promise.then(
    ({ status, data }) => ({ status, body: data }),
    (error) => {
      if (error.response && error.response.status >= 300) {
        return { status: error.response.status, body: error.response.data };
      }
      throw error;
    },
  );
  return {
    pay: ({ sale }) => read(transactions.codepay.post(sale, { headers })),
    native: ({ sale }) => read(transactions.native.post(sale, { headers })),
    jsapi: ({ sale }) => read(transactions.jsapi.post(sale, { headers })),
    call_up: ({ text }) => Rsa.sign(text, settings.merchant_private_key_pem),
    query: ({ order_no: orderNo }) => read(transactions.outTradeNo.$out_trade_no$.get({
      headers, params: { mchid }, out_trade_no: orderNo,
    })),
    close: ({ order_no: orderNo }) => read(transactions.outTradeNo.$out_trade_no$.close.post(
      { mchid }, { headers, out_trade_no: orderNo },
    )),
    reverse: ({ order_no: orderNo }) => read(transactions.outTradeNo.$out_trade_no$.reverse.post(
      { appid: settings.appid, mchid }, { headers, out_trade_no: orderNo },
    )),
    refund: ({ refund }) => read(refunds.post(refund, { headers })),
    query_refund: ({ refund_no: refundNo }) => read(refunds.$out_refund_no$.get({
      headers, out_refund_no: refundNo,
    })),
    trade_bill: ({ day }) => read(client.v3.bill.tradebill.get({ headers, params: { bill_date: day } })),
    callback: wechatCallback(settings),
  };
}

function openWebhooks(settings) {
  const { Webhook } = require('standardwebhooks');
  const webhook = new Webhook(settings.secret);
  return {
    verify: ({ headers, body }) => webhook.verify(body, headers),
    sign: ({ message_id: id, timestamp_s: seconds, body }) => webhook.sign(id, new Date(seconds * 1000), body),
  };
}

const openers = { alipay: openAlipay, wechat: openWechat, webhooks: openWebhooks };
let calls = {};

async function carryOut({ call, arguments: given }) {
  if (call === 'open') {
    calls = openers[given.sdk](given);
    return Object.keys(calls);
  }
  return calls[call](given);
}

for await (const line of createInterface({ input: process.stdin })) {
  let outcome;
  try {
    outcome = { answer: await carryOut(JSON.parse(line)) };
  } catch (error) {
    outcome = { raised: error.code || error.name, message: error.message };
  }
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
