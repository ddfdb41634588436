"""`make bench-flash-sale`: a 秒杀 of 1,000 coupons with 20,000 customers who claim at the same second, over HTTP.

Its own stack, the crowd in processes beside it, and an audit of the database against what every customer was told.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import httpx
import orjson
import typer

from loadtests.processes import cpu_us, machine_busy_us
from loadtests.stack import RunningStack, StackTrouble, own_stack

TARGET_S: Final = 10.0
_CROWDS: Final = 2
_AHEAD_S: Final = 8.0
"""So long before the set second the crowd begins to connect."""
_END_S: Final = 90.0
_SOLD: Final = """
SELECT id, encode(customer, 'hex') AS customer, created_at FROM coupons WHERE campaign_id = $1 ORDER BY created_at
"""
_TAKEN: Final = "SELECT taken FROM coupon_stock WHERE campaign_id = $1"


@dataclass(frozen=True, slots=True)
class Sale:
    """What is sold, to how many."""

    stock: int
    claimants: int
    doubles: int
    connections: int


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.  Seconds count from the set second (database time for what was sold)."""

    sale: Sale
    opens_at: str
    told: dict[str, int]
    told_to_come_again: dict[str, int]
    sold: int
    first_sold_s: float
    last_sold_s: float
    last_answer_s: float
    answer_ms: dict[str, float]
    cpu_s: dict[str, float]
    others_cpu_s: float
    cores: int
    problems: tuple[str, ...]


def main(
    *,
    stock: Annotated[int, typer.Option(min=1, help="How many coupons there are.")] = 1_000,
    claimants: Annotated[int, typer.Option(min=2, help="How many customers want one.")] = 20_000,
    doubles: Annotated[int, typer.Option(min=0, help="How many of them press twice.")] = 1_000,
    connections: Annotated[int, typer.Option(min=2, help="Over how many connections, claims open at once.")] = 4_000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes.")] = 2,
    report: Annotated[Path | None, typer.Option(help="Write the figures here, as JSON.")] = None,
) -> None:
    """Sell; ends with status 1 where the audit finds something, or the last answer came later than 10 s."""
    sale = Sale(stock, claimants, doubles, connections)
    with own_stack(workers) as stack:
        result = asyncio.run(_measure(stack, sale))
    _show(result)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_bytes(orjson.dumps(asdict(result), option=orjson.OPT_INDENT_2) + b"\n")
    if result.problems or result.last_answer_s > TARGET_S:
        raise typer.Exit(1)


async def _measure(stack: RunningStack, sale: Sale) -> Result:
    database = await asyncpg.connect(stack.ready.database_url)
    try:
        skew = await database.fetchval("SELECT clock_timestamp()") - datetime.now(UTC)
        opens_at = (datetime.now(UTC) + timedelta(seconds=_AHEAD_S)).replace(microsecond=0)
        campaign_id = await asyncio.to_thread(_open_campaign, stack, sale, opens_at)
        print(f"{sale.stock} coupons from {opens_at:%H:%M:%S} on, {sale.claimants} customers", flush=True)
        with tempfile.TemporaryDirectory(prefix="mashang-crowd-") as folder:
            groups = stack.process_groups
            crowds, books = _start_crowds(stack, sale, campaign_id, (opens_at - skew).timestamp(), Path(folder))
            groups["crowd"] = [crowd.pid for crowd in crowds]
            await asyncio.sleep(max(0.0, (opens_at - skew).timestamp() - time.time() - 1))
            before, busy_before_us = cpu_us(groups), machine_busy_us()
            used = await _until_told(database, campaign_id, crowds, groups, before)
            others_us = max(0, machine_busy_us() - busy_before_us - sum(used.values()))
            presses = [orjson.loads(line) for book in books for line in book.read_bytes().splitlines()]
        rows = await database.fetch(_SOLD, campaign_id)
        taken = await database.fetchval(_TAKEN, campaign_id)
    finally:
        await database.close()
    problems = _audit(sale, opens_at, presses, rows, taken)
    return _result(
        sale, opens_at=opens_at, skew=skew, presses=presses, rows=rows, used=(used, others_us), problems=problems
    )


def _open_campaign(stack: RunningStack, sale: Sale, opens_at: datetime) -> str:
    document = {
        "name": "秒杀 满20减10",
        "benefit": {"type": "amount_off", "tiers": [{"spend": 2000, "off": 1000}]},
        "limits": {"budget": sale.stock * 1000},
        "funding": [{"sponsor": "bank", "share": "1"}],
        "coupon": {"stock": sale.stock, "per_customer": 1, "claim_from": opens_at.isoformat(), "valid_days": 7},
    }
    headers = {"Authorization": f"Bearer {stack.ready.admin_token}"}
    with httpx.Client(base_url=stack.ready.gateway, headers=headers, trust_env=False, timeout=30) as admin:
        campaign_id: str = admin.post("/admin/v1/campaigns", json=document).raise_for_status().json()["id"]
        admin.post(f"/admin/v1/campaigns/{campaign_id}/activate", json={}).raise_for_status()
    return campaign_id


def _start_crowds(
    stack: RunningStack, sale: Sale, campaign_id: str, opens_at_s: float, folder: Path
) -> tuple[list[subprocess.Popen[bytes]], list[Path]]:
    crowds, books = [], []
    for number in range(_CROWDS):
        books.append(folder / f"crowd-{number}.jsonl")
        command = [
            sys.executable, "-m", "loadtests.parts.claimants", "--url", f"{stack.ready.gateway}/v1/coupons",
            "--key", stack.ready.merchant.api_key, "--campaign", campaign_id, "--report", str(books[-1]),
            "--first", str(number * 1_000_000), "--count", str(sale.claimants // _CROWDS),
            "--doubles", str(sale.doubles // _CROWDS), "--connections", str(sale.connections // _CROWDS),
            "--opens-at", str(opens_at_s),
        ]  # fmt: skip
        crowds.append(subprocess.Popen(command))
    return crowds, books


async def _until_told(
    database: asyncpg.Connection,
    campaign_id: str,
    crowds: list[subprocess.Popen[bytes]],
    groups: dict[str, list[int]],
    before: dict[str, int],
) -> dict[str, int]:
    """Until every crowd has ended: µs of CPU by group, as of the last look while all were there."""
    used, deadline_s = dict.fromkeys(groups, 0), time.monotonic() + _END_S
    while any(crowd.poll() is None for crowd in crowds):
        if time.monotonic() > deadline_s:
            raise StackTrouble("the crowd does not come to an end")
        used = {name: max(used[name], after - before[name]) for name, after in cpu_us(groups).items()}
        sold = await database.fetchval(_TAKEN, campaign_id)
        print(f"\r  sold {sold or 0}", end="", flush=True)
        await asyncio.sleep(0.2)
    print(flush=True)
    return used


def _audit(
    sale: Sale, opens_at: datetime, presses: list[dict[str, Any]], rows: list[asyncpg.Record], taken: int
) -> tuple[str, ...]:
    """What the database says against what the customers were told."""
    customers, ids = [row["customer"] for row in rows], {row["id"] for row in rows}
    told = Counter(press["coupon_id"] for press in presses if press["code"] == "claimed")
    expected = min(sale.stock, sale.claimants // _CROWDS * _CROWDS)
    found = {
        f"{len(rows)} coupons were sold, {expected} are right": len(rows) != expected,
        f"the stock has counted {taken}": taken != len(rows),
        "a customer has two": len(set(customers)) != len(customers),
        "one coupon was given to two": any(times > 1 for times in told.values()),
        f"{len(ids - told.keys())} coupons were sold that nobody was told of": bool(ids - told.keys()),
        f"{len(told.keys() - ids)} coupons were told of that are not there": bool(told.keys() - ids),
        "something was sold before its time": any(row["created_at"] < opens_at for row in rows),
        "somebody got no answer": any(not press["status"] for press in presses),
    }
    strange = {press["code"] for press in presses} - {"claimed", "sold_out", "limit_reached", ""}
    return (*[what for what, is_so in found.items() if is_so], *[f"somebody was told {code}" for code in strange])


def _result(
    sale: Sale,
    *,
    opens_at: datetime,
    skew: timedelta,
    presses: list[dict[str, Any]],
    rows: list[asyncpg.Record],
    used: tuple[dict[str, int], int],
    problems: tuple[str, ...],
) -> Result:
    opened_s = (opens_at - skew).timestamp()
    waits_ms = sorted((press["answered_s"] - press["pressed_s"]) * 1000 for press in presses)
    sold_s = [(row["created_at"] - opens_at).total_seconds() for row in rows]
    return Result(
        sale=sale,
        opens_at=opens_at.isoformat(),
        told=dict(Counter(press["code"] or "nothing" for press in presses)),
        told_to_come_again=dict(Counter(code for press in presses for code in press["refused"])),
        sold=len(rows),
        first_sold_s=round(min(sold_s, default=-1.0), 3),
        last_sold_s=round(max(sold_s, default=-1.0), 3),
        last_answer_s=round(max(press["answered_s"] for press in presses) - opened_s, 3),
        answer_ms={f"p{share}": round(waits_ms[(len(waits_ms) - 1) * share // 100], 1) for share in (50, 95, 99, 100)},
        cpu_s={name: round(spent_us / 1e6, 2) for name, spent_us in used[0].items()},
        others_cpu_s=round(used[1] / 1e6, 2),
        cores=os.cpu_count() or 1,
        problems=problems,
    )


def _show(result: Result) -> None:
    print(f"{result.sold} of {result.sale.stock} sold, the first {result.first_sold_s:.3f} s after the set second,")
    print(f"the last after {result.last_sold_s:.2f} s; the last answer after {result.last_answer_s:.2f} s"
          f" (target {TARGET_S:.0f} s, {result.cores} cores)")  # fmt: skip
    print(f"  told: {result.told}; told to come again: {result.told_to_come_again}")
    print(f"  from press to answer: {result.answer_ms} ms")
    print(f"  CPU seconds: {result.cpu_s}; others on this machine: {result.others_cpu_s}")
    print("\n".join(result.problems) or "exactly the stock, none twice, and everybody was told what the database says")


if __name__ == "__main__":
    typer.run(main)
