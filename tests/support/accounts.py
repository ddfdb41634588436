"""Channel accounts for tests: settings with which the simulated ones open."""

from __future__ import annotations

from typing import Any, Final

from tests.support.channels import QUICK_RHYTHM
from tests.support.gateway import GatewayStack

ACCOUNTS: Final = "/admin/v1/channel_accounts"


def settings_of(stack: GatewayStack, account_id: str, **changes: Any) -> dict[str, Any]:
    """The settings with which that simulated account opens, with changes."""
    [seed] = [seed for seed in stack.simulators.accounts if seed.id == account_id]
    return {**seed.settings, "rhythm": {**QUICK_RHYTHM, "after_shown_s": [0.5]}, **changes}
