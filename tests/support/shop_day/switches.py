"""Simulators with other switches than their defaults: their configuration is copied and changed before they start."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from routing.simulators.provision import provision
from tests.support.channels import CHANNELS

EVENING: Final[Mapping[str, Mapping[str, Any]]] = {
    "wechat": {"statement_today": True, "refund_interval_s": 0, "notify_retry_s": [0.5] * 20},
    "alipay": {"statement_today": True, "refund_interval_s": 0, "notify_retry_s": [0.5] * 20},
    "unionpay": {"statement_today": True, "notify_retry_s": [0.5] * 20},
}
"""Statements of the day itself; whoever lets a minute pass between two refunds at the gateway need not do so here."""


def switched(keys: Path, folder: Path, switches: Mapping[str, Mapping[str, Any]] = EVENING) -> Path:
    """A folder of keys for start_simulators: those under `keys` (made there if need be), with these switches."""
    provision(keys, dict.fromkeys(CHANNELS, "http://127.0.0.1"))
    shutil.copytree(keys, folder)
    for channel, changes in switches.items():
        path = folder / f"{channel}.json"
        config = json.loads(path.read_text("utf-8"))
        config["settings"] = {**config.get("settings", {}), **changes}
        path.write_text(json.dumps(config), "utf-8")
    return folder
