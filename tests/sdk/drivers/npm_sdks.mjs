// Driver of the npm SDKs alipay-sdk and wechatpay-axios-plugin: the conversation of drivers/exchange.py.

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
  return {
    exec: ({ method, content }) => client.exec(method, { bizContent: content }, { validateSign: true }),
  };
}

function openWechat(settings) {
  const { Wechatpay } = require('wechatpay-axios-plugin');
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
    pay: ({ sale }) => read(client.v3.pay.transactions.codepay.post(sale, { headers })),
    query: ({ order_no: orderNo }) => read(client.v3.pay.transactions.outTradeNo.$out_trade_no$.get({
      headers, params: { mchid: settings.mchid }, out_trade_no: orderNo,
    })),
  };
}

const openers = { alipay: openAlipay, wechat: openWechat };
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
