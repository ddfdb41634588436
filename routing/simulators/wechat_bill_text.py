"""WeChat's bills as text: which columns, in which order, with which totals (CHANNEL-PROTOCOLS 1.9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson

from routing.simulators.acts import RefundOutcome
from routing.simulators.books import GivenBack
from routing.simulators.moments import beijing_text
from routing.simulators.numbers import refund_no, trade_no
from routing.simulators.statement_lines import Line
from routing.simulators.wechat_account import WechatAccount
from routing.simulators.wechat_answers import OPENID_PREFIX

_BOM: Final = "\ufeff"
_NEWLINE: Final = "\r\n"
_TIME: Final = "%Y-%m-%d %H:%M:%S"
_REFUND_STATES: Final = {RefundOutcome.SUCCEEDED: "SUCCESS", RefundOutcome.ABNORMAL: "CHANGE"}


class BillType(StrEnum):
    """What a trade bill lists."""

    ALL = "ALL"
    SUCCESS = "SUCCESS"
    REFUND = "REFUND"


_HEAD: Final = (
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型",
    "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额",
)  # fmt: skip
_TIMES: Final = ("退款申请时间", "退款成功时间")
_REFUNDS: Final = ("微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态")
_GOODS: Final = ("商品名称", "商户数据包", "手续费", "费率", "订单金额")
_ASKED: Final = ("申请退款金额",)
_NOTE: Final = ("费率备注",)
COLUMNS: Final = {
    BillType.ALL: (*_HEAD, *_REFUNDS, *_GOODS, *_ASKED, *_NOTE),
    BillType.SUCCESS: (*_HEAD, *_GOODS, *_NOTE),
    BillType.REFUND: (*_HEAD, *_TIMES, *_REFUNDS, *_GOODS, *_ASKED, *_NOTE),
}
_TOTALS: Final = (
    "总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额", "申请退款总金额",
)  # fmt: skip
_TOTALS_OF_SUCCESS: Final = ("总交易单数", "应结订单总金额", "手续费总金额", "订单总金额")
FLOW_COLUMNS: Final = (
    "记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型", "收支金额(元)", "账户结余(元)",
    "资金变更提交申请人", "备注", "业务凭证号",
)  # fmt: skip
_FLOW_TOTALS: Final = ("资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")


def yuan(amount_fen: int) -> str:
    """-2599 → "-25.99"."""
    sign, amount = ("-" if amount_fen < 0 else ""), abs(amount_fen)
    return f"{sign}{amount // 100}.{amount % 100:02d}"


def _fee(amount_fen: int) -> str:
    """Fees have five decimals."""
    return f"{yuan(amount_fen)}000"


def _cell(value: str) -> str:
    """A backtick before every cell; what would end the cell or the line is escaped."""
    return "`" + value.replace(",", "\\ ").replace("\r\n", "\\n").replace("\n", "\\n").replace('"', '\\"')


def _text(header: Sequence[str], rows: Iterable[Sequence[str]], totals: Sequence[str], sums: Sequence[str]) -> bytes:
    """Header, rows, header of the totals, totals."""
    lines = [",".join(header)]
    lines += [",".join([_cell(value) for value in row]) for row in rows]
    lines += [",".join(totals), ",".join([_cell(value) for value in sums])]
    return (_BOM + _NEWLINE.join(lines) + _NEWLINE).encode()


def trade_bill(account: WechatAccount, lines: Sequence[Line], bill_type: BillType) -> bytes:
    """The whole bill, as UTF-8 with a mark in front."""
    wanted = {BillType.SUCCESS: (False,), BillType.REFUND: (True,), BillType.ALL: (False, True)}[bill_type]
    chosen = [line for line in lines if (line.refund is not None) in wanted]
    rows = [[_values(account, line)[name] for name in COLUMNS[bill_type]] for line in chosen]
    paid = sum(line.amount_fen for line in chosen if line.refund is None)
    back = sum(line.amount_fen for line in chosen if line.refund is not None)
    fees = sum(line.fee_fen if line.refund is None else -line.fee_fen for line in chosen)
    sums = {
        "总交易单数": str(len(chosen)),
        "应结订单总金额": yuan(paid),
        "退款总金额": yuan(back),
        "充值券退款总金额": "0.00",
        "手续费总金额": _fee(fees),
        "订单总金额": yuan(paid),
        "申请退款总金额": yuan(back),
    }
    totals = _TOTALS_OF_SUCCESS if bill_type is BillType.SUCCESS else _TOTALS
    return _text(COLUMNS[bill_type], rows, totals, [sums[name] for name in totals])


def _values(account: WechatAccount, line: Line) -> dict[str, str]:
    """A row by the names of its columns."""
    trade, refund = line.trade, line.refund
    details = orjson.loads(trade.details)
    paid_fen = line.amount_fen if refund is None else 0
    back_fen = 0 if refund is None else line.amount_fen
    row = {
        "交易时间": beijing_text(line.at_ms // 1_000, _TIME),
        "公众账号ID": account.appid,
        "商户号": account.mchid,
        "特约商户号": "0",
        "设备号": details.get("device_id", ""),
        "微信订单号": trade_no("wechat", trade),
        "商户订单号": trade.order_no,
        "用户标识": OPENID_PREFIX + trade.payer,
        "交易类型": details["trade_type"],
        "交易状态": _trade_state(line),
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": yuan(paid_fen),
        "代金券金额": "0.00",
        "退款申请时间": "",
        "退款成功时间": "",
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": yuan(back_fen),
        "充值券退款金额": "0.00",
        "退款类型": "",
        "退款状态": "",
        "商品名称": details.get("description", ""),
        "商户数据包": details.get("attach", ""),
        "手续费": _fee(line.fee_fen if refund is None else -line.fee_fen),
        "费率": f"{account.settings.fee_rate_millionths / 10_000:.2f}%",
        "订单金额": yuan(paid_fen),
        "申请退款金额": yuan(back_fen),
        "费率备注": "",
    }
    return row if refund is None else row | _refund_values(line)


def _trade_state(line: Line) -> str:
    if line.refund is None:
        return "SUCCESS"
    return "REFUND" if line.refund.kind == GivenBack.REFUND else "REVOKED"


def _refund_values(line: Line) -> dict[str, str]:
    """What a refund's row has beyond its payment's; the state is the one at the end of the line's day for ever."""
    refund = line.refund
    assert refund is not None
    day = "%Y-%m-%d"
    settled = beijing_text(refund.settles_ms // 1_000, day) == beijing_text(line.at_ms // 1_000, day)
    state = _REFUND_STATES[RefundOutcome(refund.outcome)] if settled else "PROCESSING"
    return {
        "退款申请时间": beijing_text(refund.created_ms // 1_000, _TIME),
        "退款成功时间": beijing_text(refund.settles_ms // 1_000, _TIME) if state == "SUCCESS" else "",
        "微信退款单号": refund_no("wechat", refund),
        "商户退款单号": refund.refund_no if refund.kind == GivenBack.REFUND else "0",
        "退款类型": "ORIGINAL",
        "退款状态": state,
    }


@dataclass(frozen=True, slots=True)
class Flow:
    """One movement on the merchant's account: so much in (positive) or out (negative), in fen."""

    line: Line
    name: str
    amount_fen: int


def flows_of(lines: Iterable[Line]) -> list[Flow]:
    """Each payment and refund, and beside it the fee that was taken or given back."""
    flows = []
    for line in lines:
        sign = 1 if line.refund is None else -1
        flows.append(Flow(line, "交易" if sign > 0 else "退款", sign * line.amount_fen))
        if line.fee_fen:
            flows.append(Flow(line, "扣除交易手续费" if sign > 0 else "退还交易手续费", -sign * line.fee_fen))
    return flows


def fund_flow_bill(flows: Sequence[Flow], balance_fen: int) -> bytes:
    """The account's movements of a day that began with that balance."""
    rows = []
    for number, flow in enumerate(flows, 1):
        balance_fen += flow.amount_fen
        line, incoming = flow.line, flow.amount_fen > 0
        voucher = line.trade.order_no if line.refund is None else line.refund.refund_no
        when = beijing_text(line.at_ms // 1_000, _TIME)
        number_of_ours = trade_no("wechat", line.trade) if line.refund is None else refund_no("wechat", line.refund)
        kind = "交易" if line.refund is None else "退款"
        rows.append(
            (
                when, number_of_ours, f"{when[:10].replace('-', '')}{number:010d}", flow.name, kind,
                "收入" if incoming else "支出", yuan(abs(flow.amount_fen)), yuan(balance_fen), "system", "", voucher,
            )
        )  # fmt: skip
    ins = [flow.amount_fen for flow in flows if flow.amount_fen > 0]
    outs = [-flow.amount_fen for flow in flows if flow.amount_fen <= 0]
    sums = (str(len(flows)), str(len(ins)), yuan(sum(ins)), str(len(outs)), yuan(sum(outs)))
    return _text(FLOW_COLUMNS, rows, _FLOW_TOTALS, sums)
