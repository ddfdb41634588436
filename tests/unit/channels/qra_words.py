"""Answers of the bar-code front, in its own words."""

from __future__ import annotations

from tests.unit.channels.answering import ORDER, REFUND
from tests.unit.channels.vectors import keys

MCH_ID = keys("unionpay")["qra_mch_id"]
READ = {
    "version": "2.0",
    "charset": "UTF-8",
    "sign_type": "MD5",
    "mch_id": MCH_ID,
    "nonce_str": "578c2922d9afe17e25ccebbe930be027",
    "status": "0",
}
DONE = READ | {"result_code": "0"}
PAID = DONE | {
    "pay_result": "0",
    "trade_type": "pay.weixin.micropay",
    "out_trade_no": ORDER.order_no,
    "transaction_id": "702611221015301234568",
    "out_transaction_id": "4200002026202611220000000001",
    "total_fee": "1280",
    "fee_type": "CNY",
    "time_end": "20261122101532",
}

REFUND_TAKEN = DONE | {
    "transaction_id": "702611221015301234568",
    "out_trade_no": ORDER.order_no,
    "out_refund_no": REFUND.refund_no,
    "refund_id": "702611221100001234569",
    "refund_fee": "280",
}
REFUNDS = DONE | {
    "out_trade_no": ORDER.order_no,
    "refund_count": "2",
    "out_refund_no_0": "RF20261122000009",
    "refund_id_0": "702611221100001234560",
    "refund_fee_0": "10",
    "refund_status_0": "FAIL",
    "out_refund_no_1": REFUND.refund_no,
    "refund_id_1": "702611221100001234569",
    "refund_fee_1": "280",
    "refund_status_1": "SUCCESS",
}


def failed(code: str, need_query: str | None = None, **more: str) -> dict[str, str]:
    """A business failure, which names the merchant and not our order."""
    answer = READ | {"result_code": "1", "err_code": code, "err_msg": "失败", **more}
    return answer if need_query is None else answer | {"need_query": need_query}


def turned_away(message: str, status: str = "400", **more: str) -> dict[str, str]:
    """What the front says before it reads a request: neither code nor signature."""
    return {"version": "2.0", "charset": "UTF-8", "status": status, "message": message, **more}
