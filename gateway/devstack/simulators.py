"""The channel simulators of a stack: their sockets, their keys and accounts, their processes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.devstack.folders import StateLock, private_folder
from gateway.devstack.readiness import wait_until_answers
from gateway.devstack.screen import Screen
from gateway.processes.children import Child, Command
from gateway.processes.interrupts import Interrupted, Interrupts
from gateway.processes.sockets import listen_first_free, port_of
from gateway.processes.supervisor import Hooks, Supervisor, stop_together
from routing.simulators.provision import AccountSeed, Provision, provision

PORTS: Final = {"wechat": 8101, "alipay": 8102, "unionpay": 8103, "qra": 8104}
STOP_S: Final = 5.0


class SimulatorSet:
    """Simulators on sockets of ours: on their usual ports, or on free ones where those are taken."""

    def __init__(self, state: Path, names: tuple[str, ...] = tuple(PORTS)) -> None:
        self._state = state
        self._listeners: dict[str, socket.socket] = {name: listen_first_free([PORTS[name]]) for name in names}
        self._provision: Provision | None = None
        self.children: list[Child] = []

    @property
    def base_urls(self) -> dict[str, str]:
        """Each simulator's address."""
        return {name: f"http://127.0.0.1:{port_of(listener)}" for name, listener in self._listeners.items()}

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
        for base_url, child in zip(self.base_urls.values(), self.children, strict=True):
            await wait_until_answers(f"{base_url}/_simulator/health", child)

    def close(self) -> None:
        """Give the ports back."""
        for listener in self._listeners.values():
            listener.close()


async def run_simulators(state: Path, names: tuple[str, ...]) -> None:
    """Run simulators alone until Ctrl-C, with the keys and books of the state folder."""
    screen, interrupts = Screen(), Interrupts()
    interrupts.install()
    lock = StateLock(private_folder(state))
    lock.acquire()
    simulators = SimulatorSet(state, names)
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
