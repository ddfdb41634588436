"""The steps of a rolling upgrade, one gateway after the other, as an operator or a cluster takes them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.processes.children import Child, describe_end
from gateway.processes.errors import StackError
from loadtests.upgrade.balancer import PROBE_S, Backend, Balancer
from loadtests.upgrade.load import Load
from loadtests.upgrade.town import Code, Town

Result = TypeVar("Result")

_READY_S: Final = 90.0
_GONE_S: Final = 90.0
_LOOK_S: Final = 0.05
_TURNED_AWAY_S: Final = 2.0
"""Between being taken out of the balancer and SIGTERM: a preStop's sleep."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway and what the balancer knows of it."""

    child: Child
    backend: Backend
    code: Code


@dataclass(slots=True)
class Rolling:
    """What an upgrade works on; `steps` has each step with its seconds."""

    town: Town
    balancer: Balancer
    load: Load
    say: Callable[[str], None]
    gateways: list[Gateway] = field(default_factory=list)
    worker: Child | None = None
    steps: list[tuple[str, float]] = field(default_factory=list)

    async def step(self, what: str, work: Awaitable[Result]) -> Result:
        """Do it, timed and told."""
        began = time.monotonic()
        result = await work
        took_s = time.monotonic() - began
        self.steps.append((what, took_s))
        failed = sum(bool(sold.failure) for sold in self.load.sold)
        self.say(f"  {what}: {took_s:.1f} s; {len(self.load.sold)} payments, {failed} failed so far")
        return result

    async def bring_up(self, code: Code, count: int) -> None:
        """So many gateways of that code beside what runs, one after the other, as soon as each is ready."""
        for _ in range(count):
            child, port = self.town.gateway(code)
            backend = self.balancer.add(Backend(child.command.name, port))
            self.gateways.append(Gateway(child, backend, code))
            await _ready(backend, child)

    async def drain(self, gateways: Sequence[Gateway]) -> None:
        """Stop them one after the other.  One that cannot turn its readiness off is taken out of the balancer first."""
        for gateway in gateways:
            if not gateway.code.drains:
                gateway.backend.withdraw()
                await asyncio.sleep(_TURNED_AWAY_S)
            gateway.child.send(signal.SIGTERM)
            await _gone(gateway.child)
            self.gateways.remove(gateway)
            self.balancer.remove(gateway.backend.name)

    async def swap_worker(self, code: Code) -> None:
        """A worker of that code beside the one that runs, which then stops: leases keep them apart."""
        before, self.worker = self.worker, self.town.worker(code)
        if before is not None:
            await asyncio.sleep(PROBE_S)
            before.send(signal.SIGTERM)
            await _gone(before)
        self.worker.require_running()

    async def migrate(self, code: Code) -> None:
        """`mashang migrate` of that code.  Raises StackError."""
        done = await asyncio.to_thread(self.town.command, code, "migrate")
        for line in (done.stderr + done.stdout).splitlines():
            self.say(f"    {line}")
        if done.returncode != 0:
            raise StackError(f"the migration failed with status {done.returncode}")

    async def go_on(self, seconds: float) -> None:
        """Nothing changes for so long."""
        await asyncio.sleep(seconds)


async def _ready(backend: Backend, child: Child) -> None:
    """The balancer has seen it ready.  Raises StackError."""
    deadline = time.monotonic() + _READY_S
    while not backend.is_ready:
        child.require_running()
        if time.monotonic() > deadline:
            raise StackError(f"{child.command.name} was not ready within {_READY_S:.0f} s; see {child.command.log}")
        await asyncio.sleep(_LOOK_S)


async def _gone(child: Child) -> None:
    """It has ended by the signal, after everything was put away.  Raises StackError."""
    deadline = time.monotonic() + _GONE_S
    while child.running:
        if time.monotonic() > deadline:
            raise StackError(f"{child.command.name} did not end within {_GONE_S:.0f} s; see {child.command.log}")
        await asyncio.sleep(_LOOK_S)
    if child.exit_status not in {0, -signal.SIGTERM}:
        raise StackError(f"{child.command.name} {describe_end(child.exit_status)}; see {child.command.log}")
