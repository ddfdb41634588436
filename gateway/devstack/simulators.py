"""The channel simulators of a stack: their sockets, their keys and accounts, their processes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.devstack.folders import StateLock, private_folder
from gateway.devstack.readiness import wait_until_answers
from gateway.devstack.screen import Screen
from gateway.processes.children import Child, Command
from gateway.processes.interrupts import Interrupted, Interrupts
from gateway.processes.sockets import listen_exactly, listen_first_free, port_of
from gateway.processes.supervisor import Hooks, Supervisor, stop_together
from routing.simulators.provision import AccountSeed, Provision, provision

PORTS: Final = {"wechat": 8101, "alipay": 8102, "unionpay": 8103, "qra": 8104}
STOP_S: Final = 5.0
_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the simulators listen, and the name of the host by which the gateway calls them.

    Other machines must know the ports: off the loopback there are only the usual ones.
    """

    host: str = _LOOPBACK
    reached_as: str = _LOOPBACK

    def listen(self, name: str) -> socket.socket:
        """A simulator's socket.  Raises StackError where its usual port has to be had and is taken."""
        if (self.host, self.reached_as) == (_LOOPBACK, _LOOPBACK):
            return listen_first_free([PORTS[name]])
        return listen_exactly(PORTS[name], self.host)

    def address(self, port: int) -> str:
        """What the gateway calls."""
        return f"http://{self.reached_as}:{port}"


class SimulatorSet:
    """Simulators on sockets of ours: on their usual ports, or on free ones where those are taken."""

    def __init__(self, state: Path, names: tuple[str, ...] = tuple(PORTS), doors: Doors | None = None) -> None:
        self._state = state
        self._doors = doors or Doors()
        self._listeners: dict[str, socket.socket] = {name: self._doors.listen(name) for name in names}
        self._provision: Provision | None = None
        self.children: list[Child] = []

    @property
    def base_urls(self) -> dict[str, str]:
        """Each simulator's address."""
        return {name: self._doors.address(port_of(listener)) for name, listener in self._listeners.items()}

    def provide_keys(self) -> Provision:
        """The keys of both sides, made at the first start; addresses are those of this start."""
        if self._provision is None:
            self._provision = provision(self._state / "keys", self.base_urls)
        return self._provision

    @property
    def accounts(self) -> tuple[AccountSeed, ...]:
        """The channel accounts that the gateway needs."""
        return self.provide_keys().accounts

    def start(self, environment: Mapping[str, str]) -> None:
        """Start a process for each; `wait_ready` says when they answer."""
        books = private_folder(self._state / "simulators")
        for name, listener in self._listeners.items():
            command = (
                sys.executable, "-m", "routing.simulators", name,
                "--config", str(self.provide_keys().simulators[name]), "--books", str(books / f"{name}.sqlite"),
                "--fd", str(listener.fileno()),
            )  # fmt: skip
            log = self._state / "logs" / f"{name}.log"
            child = Child(Command(f"{name} simulator", command, log, environment, (listener.fileno(),)))
            child.start()
            self.children.append(child)

    async def wait_ready(self) -> None:
        """Wait until each answers.  Raises StackError."""
        here = _LOOPBACK if self._doors.host == "0.0.0.0" else self._doors.host  # noqa: S104 - told apart, not listened on
        for listener, child in zip(self._listeners.values(), self.children, strict=True):
            await wait_until_answers(f"http://{here}:{port_of(listener)}/_simulator/health", child)

    def close(self) -> None:
        """Give the ports back."""
        for listener in self._listeners.values():
            listener.close()


async def run_simulators(state: Path, names: tuple[str, ...], doors: Doors) -> None:
    """Run simulators alone until Ctrl-C, with the keys and books of the state folder."""
    screen, interrupts = Screen(), Interrupts()
    interrupts.install()
    lock = StateLock(private_folder(state))
    lock.acquire()
    simulators = SimulatorSet(state, names, doors)
    supervisor = Supervisor(Hooks(say=screen.say, died=lambda _: None, restarted=lambda: None))
    try:
        simulators.start(os.environ)
        await interrupts.guard(simulators.wait_ready())
        for name, child in zip(names, simulators.children, strict=True):
            supervisor.keep(child)
            screen.say(f"  {name:<10} {simulators.base_urls[name]}")
        await interrupts.guard(supervisor.watch())
    except Interrupted:
        pass
    finally:
        simulators.close()
        await stop_together(simulators.children, STOP_S, asyncio.Event())
        lock.release()
