"""What `mashang routing explain` prints: each decision with its candidates, a bar for what each was worth."""

from __future__ import annotations

from typing import Any, Final

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from gateway.commandline.admin import AdminTarget, call_admin
from gateway.commandline.till.shown import print_json
from gateway.devstack.screen import yuan

_PATH: Final = "/admin/v1/routing/explain"
_BAR_WIDTH: Final = 24
_WHY: Final = {
    "best_value": "it is worth most",
    "exploring": "to learn how it does",
    "probe": "to see whether its outage is over",
    "order": "the policy orders so",
    "preference": "the policy prefers it",
    "split": "its turn in the policy's split",
    "none": "no account can take it",
}


def explain(target: AdminTarget, given: dict[str, Any], *, as_json: bool) -> None:
    """Print why a payment went where it went, and where it would go now."""
    found = call_admin(target, "POST", _PATH, json=given)
    if as_json:
        print_json(found)
        return
    console = Console()
    for attempt in found["attempts"]:
        code = f" ({attempt['channel_code']})" if attempt["channel_code"] else ""
        head = f"Attempt {attempt['seq']} of {attempt['created_at']}: {attempt['account']} {attempt['state']}{code}"
        _print_decision(console, head, attempt["decision"])
    sale = found["sale"]
    if sale is None:
        console.print("Nobody has paid it yet: any wallet can.", markup=False)
        return
    head = f"{yuan(sale['amount'])} by {sale['wallet']} {sale['method']} at {sale['at']}"
    _print_decision(console, f"Now: {head}" if found["attempts"] else head, found["now"])


def _print_decision(console: Console, head: str, decision: dict[str, Any] | None) -> None:
    console.print(head, markup=False, style="bold", highlight=False)
    if decision is None:
        console.print("  Why is not kept.\n", markup=False)
        return
    rules = ", ".join(decision["rules"]) or "none"
    console.print(
        f"  {decision['account'] or 'no account'}: {_WHY.get(decision['why'], decision['why'])}; policy version "
        f"{decision['policy_version']}, rules that match: {rules}",
        markup=False,
        highlight=False,
    )
    console.print(_candidates(decision["candidates"]), markup=False)


def _candidates(candidates: list[dict[str, Any]]) -> Table:
    table = Table()
    for heading in ("account", "success", "fee", "subsidy", "value", "", "ruled out"):
        table.add_column(heading, justify="right" if heading in {"success", "fee", "subsidy", "value"} else "left")
    best = max((each["value"] for each in candidates if each["value"] is not None), default=0)
    for each in candidates:
        if each["value"] is None:
            table.add_row(each["account"], "", "", "", "", "", each["reason"])
            continue
        bar = Bar(max(best, 0.01), 0, max(each["value"], 0), width=_BAR_WIDTH)
        money = (yuan(each["fee"]), yuan(each["subsidy"]), f"¥{each['value'] / 100:.4f}")
        table.add_row(each["account"], f"{each['success']:.2%}", *money, bar, "")
    return table
