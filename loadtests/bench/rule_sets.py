"""The risk rules that are in force while the gateway is measured: none, or a thousand live ones over twenty velocities.

They are published and taken out of force over the admin API, as an analyst does it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Final

import httpx
import orjson

from gateway.devstack.ready import ReadyFile
from loadtests.traffic.orders import WALLETS, Orders
from loadtests.traffic.risk_rules import NOON, TYPICAL_VELOCITIES, document_of
from risk.decision import Action
from risk.facts import CodeType, Facts
from risk.rules.compiled import CompiledSet
from risk.rules.document import parse
from risk.rules.rule import RULES_MAX
from risk.values import values_of

RULES: Final = 1_000
_DRAWN_FOR_ONE: Final = 1.6
"""Of so many one is left, without those that hit payments of the load which nothing is wrong with."""
_TRIED: Final = 2_000
_MERCHANT: Final = "mer_0"
"""One of the drawn merchants stands for the one whose till is measured."""
_SCORED_SHARE_MAX: Final = 0.05
_COUNTED: Final = re.compile(r"(velocity\([^)]*\) >= )(\d+)(?![.\d])")
_SINCE: Final = re.compile(r"(velocity\('seconds_since_last'[^)]*\) < )\d+")
_BUSY: Final = "000000"
"""A till of a thousand payments a second is suspicious by every bound that was written for a shop."""
_OWN: Final = (
    {"code": "ABOVE_AVERAGE", "when": "payment.amount > 10000", "action": "score", "score": 5},
    {"code": "LARGE", "when": "payment.amount > 20000", "action": "review", "priority": 100},
    {"code": "LARGEST", "when": "payment.amount > 20094", "action": "decline", "priority": 100},
)
"""Half of the load's payments hit a rule, one in two hundred is reviewed, one in 4,000 declined: for the audit, too."""
_IN_FORCE: Final = re.compile(r"^mashang_risk_rule_set_version (\d+)", re.MULTILINE)
_IN_FORCE_S_MAX: Final = 120.0
_POLL_S: Final = 0.1
_ADMIN_S: Final = 300.0


def rules_for(merchant_id: str, number: int = RULES) -> dict[str, Any]:
    """So many live rules that ask for twenty velocities, and that an ordinary payment of the load is no case for."""
    document = document_of(int(number * _DRAWN_FOR_ONE), TYPICAL_VELOCITIES, all_live=True)
    rules = [_of_this_till(rule, merchant_id) for rule in document["rules"]]
    hits = _hits({**document, "rules": rules}, merchant_id)
    sound = (rule for rule in rules if hits[rule["code"]] <= _hits_max(rule))
    return {**document, "note": "benchmark", "rules": [*_OWN, *islice(sound, number - len(_OWN))]}


def _of_this_till(rule: dict[str, Any], merchant_id: str) -> dict[str, Any]:
    when = re.sub(rf"\b{_MERCHANT}\b", merchant_id, rule["when"])
    when = _SINCE.sub(r"\g<1>1", _COUNTED.sub(rf"\g<1>\g<2>{_BUSY}", when))
    merchants = [merchant_id if each == _MERCHANT else each for each in rule.get("merchants", ())]
    return {**rule, "when": when, "merchants": merchants}


def _hits_max(rule: dict[str, Any]) -> float:
    """What would stop or change good payments was never published; a score may be small and frequent."""
    return _TRIED * _SCORED_SHARE_MAX if rule["action"] == Action.SCORE else 0


def _hits(document: dict[str, Any], merchant_id: str) -> Counter[str]:
    """How often each rule hits payments of the load, at any time of the day."""
    found: Counter[str] = Counter()
    for first in range(0, len(document["rules"]), RULES_MAX):  # more are drawn than a set may have
        part = {**document, "rules": document["rules"][first : first + RULES_MAX]}
        compiled = CompiledSet.of(parse(part, lists=None, models=None), 1)
        for facts in islice(ordinary_payments(merchant_id), _TRIED):
            found.update(compiled.codes[each] for each in compiled.matcher.matches(values_of(compiled, facts, {})))
    return found


def ordinary_payments(merchant_id: str) -> Iterator[Facts]:
    """Those of loadtests/traffic/orders.py, at any time of the day."""
    for number, (_, body) in enumerate(Orders(0, list(WALLETS))):
        order = orjson.loads(body)
        yield Facts(
            merchant_id=merchant_id,
            order_key=f"{merchant_id}:{order['merchant_order_no']}",
            amount_fen=order["amount"],
            method=order["method"],
            code_type=CodeType.BARCODE,
            at=NOON + timedelta(minutes=7 * number),
            timezone="Asia/Shanghai",
            wallet=WALLETS[number % len(WALLETS)],
            store_id=order["store_id"],
            terminal_id=order["terminal_id"],
            customer=order["customer"]["id"],
            device=order["customer"]["device_id"],
            ip=order["customer"]["ip"],
            merchant_since=NOON,
        )


@dataclass
class RuleSets:
    """The rules of a stack that is measured: at first none are in force."""

    admin: httpx.Client
    gateway: str
    version: int
    now: int = 0

    def put_in_force(self, *, rules: bool) -> None:
        """Publish them, or end all rules, and wait until every process goes by that."""
        wanted = self.version if rules else 0
        if wanted == self.now:
            return
        step = "publish" if rules else "roll_back"
        self.admin.post(f"/rule_sets/{wanted}/{step}", json={"base_version": self.now}).raise_for_status()
        await_version(self.gateway, wanted)
        self.now = wanted


@contextmanager
def rule_sets(ready: ReadyFile, number: int = RULES) -> Iterator[RuleSets]:
    """Save so many rules, as a draft; at the end none are in force, whatever was before."""
    with httpx.Client(
        base_url=f"{ready.gateway}/admin/v1/risk",
        headers={"Authorization": f"Bearer {ready.admin_token}"},
        trust_env=False,
        timeout=_ADMIN_S,
    ) as admin:
        saved = admin.post("/rule_sets", json=rules_for(ready.merchant.id, number)).raise_for_status().json()
        in_force = admin.get("/rule_sets/live").raise_for_status().json()["version"]
        sets = RuleSets(admin, ready.gateway, saved["version"], in_force)
        try:
            yield sets
        finally:
            sets.put_in_force(rules=False)


def await_version(gateway: str, version: int) -> None:
    """Wait until the lowest version of all processes is this one.  Raises TimeoutError."""
    deadline_s = time.monotonic() + _IN_FORCE_S_MAX
    while time.monotonic() < deadline_s:
        found = _IN_FORCE.search(httpx.get(f"{gateway}/metrics", trust_env=False, timeout=10).text)
        if found is not None and int(found[1]) == version:
            return
        time.sleep(_POLL_S)
    raise TimeoutError(f"version {version} of the risk rules is not in force")
