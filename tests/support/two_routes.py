"""Two routes for every wallet, for tests: the direct channels first, then UnionPay's front; a door before each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.payments.numbers import attempt_order_no
from tests.support.channels import CHANNELS, FRONT, Simulators
from tests.support.doors import Door, Doors
from tests.support.gateway import GatewayStack, start_gateway
from tests.support.policies import in_force, put
from tests.support.proxy import Mode

FRONT_ACCOUNT: Final = "unionpay_front"
DIRECT_FIRST: Final = {
    "name": "direct-first",
    "when": "payment.amount > 0",
    "order": [*(f"{channel}_direct" for channel in CHANNELS), FRONT_ACCOUNT],
}


@dataclass(frozen=True, slots=True)
class Routes:
    """The running service and the doors to its channels."""

    stack: GatewayStack
    doors: Mapping[str, Door]

    @property
    def direct(self) -> Sequence[Door]:
        """The doors to the direct channels."""
        return [self.doors[channel] for channel in CHANNELS]

    @property
    def front(self) -> Door:
        """The door to the front."""
        return self.doors[FRONT]

    def shut_direct(self) -> None:
        """Connections to the direct channels are refused."""
        for door in self.direct:
            door.shut()

    def mend(self) -> None:
        """Every channel can be reached, and behaves."""
        self.stack.simulators.clear_faults()
        for door in self.doors.values():
            door.unshut()
            door.reset()
            door.mode = Mode.PASS

    async def settled_policy(self) -> None:
        """Every gateway process asks the direct channels first."""
        async with self.stack.admin() as admin:
            published = await put(admin, DIRECT_FIRST)
        await in_force(self.stack, published["version"])

    async def detail(self, payment_id: str, *, gateway: int = 0) -> dict[str, Any]:
        """The payment as operations see it."""
        async with self.stack.admin(gateway=gateway) as admin:
            answer: httpx.Response = await admin.get(f"/admin/v1/payments/{payment_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def trades(self, payment: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """Channel, last letter of the number, and state of every order that any channel has of the payment."""
        return [
            (channel, str(seq), str(trade["status"]))
            for channel in self.doors
            for seq in range(1, 4)
            for trade in self.stack.simulators.trades(channel, attempt_order_no(payment["id"], seq))
        ]


@contextmanager
def two_routes(
    folder: Path, database_url: str, redis_url: str, simulators: Simulators, doors: Doors, **options: Any
) -> Iterator[Routes]:
    """Start the service on simulators that have the front, with a door before each channel."""
    channels, through = doors.before_simulators(simulators)
    with start_gateway(folder, database_url, redis_url, through, **options) as stack:
        yield Routes(stack, channels)
