"""Books that an earlier version wrote open, and keep what is in them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from routing.simulators.books import Books, Method, Status, Trade
from routing.simulators.provision import Provision
from routing.simulators.wallet import Action
from tests.unit.simulators.in_process import START_MS, bench_of
from tests.unit.simulators.wechat_till import WechatTill

FIRST_VERSION = """
CREATE TABLE trades (
    seq INTEGER PRIMARY KEY, merchant TEXT NOT NULL, order_no TEXT NOT NULL, txn_time TEXT NOT NULL,
    fingerprint INTEGER NOT NULL, amount_fen INTEGER NOT NULL, status TEXT NOT NULL, created_ms INTEGER NOT NULL,
    code_key INTEGER NOT NULL, code_tail TEXT NOT NULL, payer TEXT NOT NULL, details TEXT NOT NULL, reason TEXT,
    captured_ms INTEGER, ended_ms INTEGER, visible_ms INTEGER, due_ms INTEGER, due_status TEXT, due_reason TEXT,
    refunded_fen INTEGER NOT NULL, refund_count INTEGER NOT NULL, last_refund_ms INTEGER,
    early_reversal INTEGER NOT NULL, UNIQUE (merchant, order_no, txn_time)
);
CREATE INDEX trades_by_code ON trades (code_key);
CREATE INDEX trades_due ON trades (due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE refunds (
    seq INTEGER PRIMARY KEY, merchant TEXT NOT NULL, refund_no TEXT NOT NULL, scope TEXT NOT NULL,
    trade_seq INTEGER NOT NULL, order_no TEXT NOT NULL, amount_fen INTEGER NOT NULL, kind TEXT NOT NULL,
    created_ms INTEGER NOT NULL, settles_ms INTEGER NOT NULL, UNIQUE (merchant, refund_no, scope)
);
"""


def older_file(path: Path, merchant: str) -> None:
    """A file with one payment of 100 fen, of which 30 were refunded."""
    db = sqlite3.connect(path)
    db.executescript(FIRST_VERSION)
    db.execute(
        "INSERT INTO trades VALUES (7, ?, 'OLD00001', '', 1, 100, 'captured', ?, 1, '1234', 'ab', "
        '\'{"trade_type":"MICROPAY"}\', NULL, ?, NULL, NULL, NULL, NULL, NULL, 30, 1, ?, 0)',
        (merchant, START_MS - 120_000, START_MS - 120_000, START_MS - 120_000),
    )
    db.execute(
        "INSERT INTO refunds VALUES (3, ?, 'OLD00001F01', '', 7, 'OLD00001', 30, 'refund', ?, ?)",
        (merchant, START_MS - 120_000, START_MS - 120_000),
    )
    db.commit()
    db.close()


async def test_what_was_paid_and_refunded_before_still_is_and_new_orders_work(
    provisioned: Provision, tmp_path: Path
) -> None:
    settings = next(seed.settings for seed in provisioned.accounts if seed.id == "wechat_direct")
    older_file(tmp_path / "wechat_direct.sqlite", settings["mchid"])
    with bench_of("wechat_direct", provisioned, tmp_path) as bench:
        till = bench.till
        assert isinstance(till, WechatTill)
        old = till.query("OLD00001")
        assert (old.amount, old.fields["trade_state"]) == (100, "REFUND")
        assert till.query_refund("OLD00001", "OLD00001F01").state == "succeeded"
        assert till.refund("OLD00001", "OLD00001F02", 70, 100).state == "accepted"
        number = till.order_no()
        bench.wallet.scan(till.native(number, 100).fields["code_url"], Action.PAY)
        assert [(trade.seq, trade.method) for trade in bench.books.trades(0, 9)] == [(7, "barcode"), (8, "code")]
        assert len(await bench.tell()) == 1


async def test_every_field_of_a_trade_comes_back_as_it_was_written(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.sqlite", lambda: START_MS)
    trade = Trade(
        books.next_trade_seq(), "m", "NUMBER01", "", 1, 100, Status.OPEN, START_MS, 0, "", "", "{}",
        method=Method.CODE, notify_url="http://127.0.0.1/x", handle="code", handle_until_ms=1, pay_until_ms=2,
        scanned_ms=3,
    )  # fmt: skip
    books.add(trade)
    assert books.find_by_handle("code") == trade
    trade.handle, trade.payer, trade.pay_until_ms, trade.scanned_ms = "other", "ab", 5, 6
    books.save(trade)
    assert books.find("m", "NUMBER01") == trade
    assert books.find_by_handle("code") is None
    books.close()
    again = Books(tmp_path / "books.sqlite", lambda: START_MS)
    assert again.find_by_handle("other") == trade
    again.close()
