"""Alipay's daily bills: 业务明细 with its summary (trade) and 账务明细 (signcustomer).  CHANNEL-PROTOCOLS 2.7."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson

from routing.simulators.alipay_answers import alipay_time, buyer, yuan
from routing.simulators.alipay_archive import zip_of
from routing.simulators.books import GivenBack, Trade
from routing.simulators.numbers import refund_no, trade_no
from routing.simulators.statement_lines import Line

DETAIL_COLUMNS: Final = (
    "支付宝交易号", "商户订单号", "业务类型", "商品名称", "创建时间", "完成时间", "门店编号", "门店名称", "操作员",
    "终端号", "对方账户", "订单金额（元）", "商家实收（元）", "支付宝红包（元）", "集分宝（元）", "支付宝优惠（元）",
    "商家优惠（元）", "券核销金额（元）", "券名称", "商家红包消费金额（元）", "卡消费金额（元）", "退款批次号/请求号",
    "服务费（元）", "分润（元）", "备注",
)  # fmt: skip
SUMMARY_COLUMNS: Final = (
    "门店编号", "门店名称", "交易订单总笔数", "退款订单总笔数", "订单金额（元）", "商家实收（元）", "支付宝优惠（元）",
    "商家优惠（元）", "卡消费金额（元）", "服务费（元）", "分润（元）", "实收净额（元）",
)  # fmt: skip
ACCOUNT_COLUMNS: Final = (
    "账务流水号", "业务流水号", "商户订单号", "商品名称", "发生时间", "对方账号", "收入金额（+元）", "支出金额（-元）",
    "账户余额（元）", "交易渠道", "业务类型", "备注",
)  # fmt: skip
_BREAKS_A_CELL: Final = str.maketrans({",": "，", "\t": " ", "\r": " ", "\n": " "})
_ZERO: Final = "0.00"


@dataclass(frozen=True, slots=True)
class Bill:
    """What the files of a day or a month are made of; `until` is the day after the last."""

    seller_id: str
    label: str
    first: date
    until: date
    lines: Sequence[Line]
    made_at: datetime

    def business(self) -> bytes:
        """The ZIP of 业务明细: every payment and refund, and their sums by store."""
        prefix = f"{self.seller_id}_{self.label}_业务明细"
        pages = {f"{prefix}.csv": self._details(), f"{prefix}(汇总).csv": self._summary()}
        return self._packed(pages)

    def account(self) -> bytes:
        """The ZIP of 账务明细: every movement on the merchant's account, fees on lines of their own."""
        page = self._page("账务明细查询", "账务明细列表", ACCOUNT_COLUMNS, _movements(self.lines), [])
        return self._packed({f"{self.seller_id}_{self.label}_账务明细.csv": page})

    def _packed(self, pages: dict[str, str]) -> bytes:
        encoded = {name: page.encode("gbk", "replace") for name, page in pages.items()}
        return zip_of(encoded, self.made_at)

    def _page(
        self, title: str, listing: str, columns: Sequence[str], rows: Iterable[Sequence[str]], sums: list[str]
    ) -> str:
        """Four lines of comment, the header, the rows, and comments again."""
        head = [
            f"#支付宝{title}",
            f"#账号：[{self.seller_id}0156]",
            f"#起始日期：[{self.first:%Y年%m月%d日} 00:00:00]   终止日期：[{self.until:%Y年%m月%d日} 00:00:00]",
            f"#{listing:-^80}",
            ",".join(columns),
        ]
        body = [",".join([f"{cell}\t" for cell in row]) for row in rows]
        foot = [f"#{listing + '结束':-^80}", *sums, f"#导出时间：[{self.made_at:%Y年%m月%d日 %H:%M:%S}]"]
        return "\r\n".join([*head, *body, *foot]) + "\r\n"

    def _details(self) -> str:
        paid = [line for line in self.lines if line.refund is None]
        back = [line for line in self.lines if line.refund is not None]
        sums = [
            f"#交易合计：{len(paid)}笔，商家实收共{_sum(paid)}元，商家优惠共0.00元",
            f"#退款合计：{len(back)}笔，商家实收退款共{_sum(back)}元，商家优惠退款共0.00元",
        ]
        return self._page("业务明细查询", "业务明细列表", DETAIL_COLUMNS, map(_detail, self.lines), sums)

    def _summary(self) -> str:
        by_store: defaultdict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            by_store[_cell(_details_of(line.trade), "store_id")].append(line)
        rows = [_totals(store, by_store[store]) for store in sorted(by_store)]
        return self._page("业务汇总查询", "业务汇总列表", SUMMARY_COLUMNS, [*rows, _totals("合计", self.lines)], [])


def _details_of(trade: Trade) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(trade.details)
    return found


def _cell(details: dict[str, Any], name: str) -> str:
    return str(details.get(name, "")).translate(_BREAKS_A_CELL)


def _sum(lines: Iterable[Line]) -> str:
    return yuan(sum(line.amount_fen for line in lines))


def _signed(amount_fen: int) -> str:
    return f"-{yuan(-amount_fen)}" if amount_fen < 0 else yuan(amount_fen)


def _request_no(line: Line) -> str:
    """退款批次号/请求号: a cancellation has the order's own number."""
    if line.refund is None:
        return ""
    return line.refund.refund_no if line.refund.kind == GivenBack.REFUND else line.trade.order_no


def _detail(line: Line) -> list[str]:
    """Refunds are negative; the fee is negative on payments and positive on refunds."""
    trade, details = line.trade, _details_of(line.trade)
    sign = 1 if line.refund is None else -1
    begun_ms = trade.created_ms if line.refund is None else line.refund.created_ms
    amount = _signed(sign * line.amount_fen)
    return [
        trade_no("alipay", trade),
        trade.order_no,
        "交易" if line.refund is None else "退款",
        _cell(details, "subject"),
        alipay_time(begun_ms),
        alipay_time(line.at_ms),
        _cell(details, "store_id"),
        "",
        _cell(details, "operator_id"),
        _cell(details, "terminal_id"),
        buyer(trade)["buyer_logon_id"],
        amount,
        amount,
        *[_ZERO] * 5,
        "",
        *[_ZERO] * 2,
        _request_no(line),
        _signed(-sign * line.fee_fen),
        _ZERO,
        "",
    ]


def _totals(store: str, lines: Sequence[Line]) -> list[str]:
    paid = sum(line.refund is None for line in lines)
    amount_fen = sum(line.amount_fen if line.refund is None else -line.amount_fen for line in lines)
    fee_fen = sum(-line.fee_fen if line.refund is None else line.fee_fen for line in lines)
    amount = _signed(amount_fen)
    sums = [amount, amount, _ZERO, _ZERO, _ZERO, _signed(fee_fen), _ZERO, _signed(amount_fen + fee_fen)]
    return [store, "", str(paid), str(len(lines) - paid), *sums]


def _movements(lines: Iterable[Line]) -> Iterable[list[str]]:
    """Two lines for each payment and refund, the money and its fee.  The balance is swept out every midnight."""
    balance_fen = movement = 0
    for line in lines:
        trade, details = line.trade, _details_of(line.trade)
        sign = 1 if line.refund is None else -1
        number = trade_no("alipay", trade) if line.refund is None else refund_no("alipay", line.refund)
        money = (sign * line.amount_fen, "在线支付" if sign > 0 else "交易退款")
        fee = (-sign * line.fee_fen, "收费" if sign > 0 else "退费")
        for amount_fen, kind in (money, fee) if line.fee_fen else (money,):
            balance_fen, movement = balance_fen + amount_fen, movement + 1
            yield [
                f"{number}{movement:06d}",
                number,
                trade.order_no,
                _cell(details, "subject"),
                alipay_time(line.at_ms),
                buyer(trade)["buyer_logon_id"],
                yuan(max(amount_fen, 0)),
                _signed(min(amount_fen, 0)),
                _signed(balance_fen),
                "支付宝",
                kind,
                _request_no(line),
            ]
