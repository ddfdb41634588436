"""The whole development stack in the foreground: start in order, show a first payment, serve, stop in order."""

from __future__ import annotations

import os
import shutil
import sys

from gateway.database.migrate import migrate
from gateway.devstack.campaign import NAME as CAMPAIGN
from gateway.devstack.campaign import seed_campaign
from gateway.devstack.demo import example_command, take_demo_payments, take_hunting_payments
from gateway.devstack.folders import StateLock, private_folder
from gateway.devstack.options import DEFAULT_STATE, StackOptions
from gateway.devstack.readiness import ReadyPipe, wait_until_answers
from gateway.devstack.ready import Processes, ReadyFile
from gateway.devstack.screen import Screen
from gateway.devstack.secrets import MerchantSecrets, StateSecrets, load_secrets
from gateway.devstack.seed import seed, seed_kiosk
from gateway.devstack.simulators import STOP_S as SIMULATORS_STOP_S
from gateway.devstack.simulators import SimulatorSet
from gateway.devstack.stores import Stores
from gateway.kernel.secrets import Vault
from gateway.processes.children import Child, Command
from gateway.processes.errors import StackError
from gateway.processes.interrupts import Interrupted, Interrupts
from gateway.processes.serving import forget_metrics_of, gateway_command, stop_s
from gateway.processes.sockets import GATEWAY_PORT, listen_gateway, port_of
from gateway.processes.supervisor import Hooks, Supervisor, stop_together
from gateway.settings import Settings

_STOP_MARGIN_S = 5.0


async def run_stack(options: StackOptions) -> None:
    """Run the stack until Ctrl-C.  Raises StackError when it cannot start; whatever was started is stopped again."""
    screen = Screen()
    interrupts = Interrupts()
    interrupts.install()
    lock = StateLock(private_folder(options.state))
    lock.acquire()
    options.ready_file.unlink(missing_ok=True)
    stack = Stack(options, screen, interrupts)
    try:
        await interrupts.guard(stack.start())
        stack.announce()
        if options.demo:
            await interrupts.guard(stack.show_demo())
        stack.show_addresses()
        await stack.serve()
    except Interrupted:
        pass
    finally:
        options.ready_file.unlink(missing_ok=True)
        await stack.stop()
        lock.release()


class Stack:
    """The processes of one stack and what they share."""

    def __init__(self, options: StackOptions, screen: Screen, interrupts: Interrupts) -> None:
        self._options = options
        self._screen = screen
        self._interrupts = interrupts
        self._listener = listen_gateway(options.port)
        self._simulators = SimulatorSet(options.state)
        self._stores = Stores(options.state)
        self._kept = load_secrets(options.state)
        self._settings = self._make_settings(self._kept)
        self._ready_pipe = ReadyPipe()
        self._gateways: list[Child] = []
        self._workers: list[Child] = []
        self._announced = False
        self._campaign_id: str | None = None
        self._is_hunting_refused = False
        self._supervisor = Supervisor(
            Hooks(
                say=screen.say,
                died=lambda pid: forget_metrics_of(self._settings, pid),
                restarted=self._write_ready_file,
            )
        )

    @property
    def address(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{port_of(self._listener)}"

    async def start(self) -> None:
        """Start everything in order of need and wait until each part answers."""
        if self._options.port is None and port_of(self._listener) != GATEWAY_PORT:
            self._screen.say(
                f"  Port {GATEWAY_PORT} is taken; the gateway listens on {port_of(self._listener)} instead"
            )
        with self._screen.step("Starting PostgreSQL, Valkey and simulators"):
            self._stores.start()
            self._simulators.start(self._environment())
            await self._stores.wait_ready()
        with self._screen.step("Schema, merchant and channel accounts"):
            await migrate(self._stores.database_url)
            self._kept = await seed(self._settings, self._options.state, self._kept, self._simulators.accounts)
            if self._options.demo:
                self._campaign_id = await seed_campaign(self._stores.database_url)
                await self._seed_kiosk()
        with self._screen.step("Starting the gateway and its worker"):
            self._start_ours()
            await self._simulators.wait_ready()
            await self._ready_pipe.wait_for(self._gateways)
            await wait_until_answers(f"{self.address}/readyz", self._gateways[0])
            self._workers[0].require_running()
        self._keep_all()

    def announce(self) -> None:
        """Write the ready file; from now on it follows every restart."""
        self._announced = True
        self._write_ready_file()

    async def show_demo(self) -> None:
        """Take a payment on each wallet, show what became of it and what it drew from, and what the risk rules do."""
        elsewhere = self._options.state != DEFAULT_STATE.absolute()
        options = f" --state {self._options.state}" if elsewhere else ""
        try:
            self._screen.show_payments(await take_demo_payments(self.address, self._merchant.api_key))
            if self._campaign_id is not None:
                self._screen.show_campaign(CAMPAIGN, self._campaign_id, options)
            if self._is_hunting_refused and self._kept.kiosk is not None:
                hunting = await take_hunting_payments(self.address, self._kept.kiosk.api_key)
                self._screen.show_hunting(hunting, options)
        except StackError as error:
            self._screen.say(f"\n  {error}")

    async def _seed_kiosk(self) -> None:
        vault = Vault(self._settings.master_key_bytes)
        self._kept, self._is_hunting_refused = await seed_kiosk(
            self._stores.database_url, vault, self._options.state, self._kept
        )

    def show_addresses(self) -> None:
        """Show where to go from here."""
        addresses = {
            "gateway": self.address,
            "API docs": f"{self.address}/docs",
            "metrics": f"{self.address}/metrics",
            **{name: f"{url}/_simulator/trades" for name, url in self._simulators.base_urls.items()},
            "ready file": str(self._options.ready_file),
            "logs": str(self._options.state / "logs"),
        }
        self._screen.show_addresses(addresses, example_command(self.address, self._merchant.api_key))

    async def serve(self) -> None:
        """Restart what dies.  Raises Interrupted when a stop is asked for."""
        await self._interrupts.guard(self._supervisor.watch())

    async def stop(self) -> None:
        """Stop in order: the gateway drains, then the worker, the simulators, Valkey and PostgreSQL."""
        hurry = self._interrupts.hurry
        self._screen.say("\n  Stopping (Ctrl-C again to hurry) …")
        self._listener.close()
        await stop_together(self._gateways, stop_s(self._settings), hurry)
        await stop_together(self._workers, self._settings.recovery_lease_s + _STOP_MARGIN_S, hurry)
        await stop_together(self._simulators.children, SIMULATORS_STOP_S, hurry)
        self._simulators.close()
        await self._stores.stop(hurry)
        self._ready_pipe.close()

    @property
    def _merchant(self) -> MerchantSecrets:
        if self._kept.merchant is None:
            raise StackError("the demo merchant has not been made")
        return self._kept.merchant

    def _make_settings(self, kept: StateSecrets) -> Settings:
        """The settings that the children will read, with an empty folder for their metrics."""
        metrics = self._options.state / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        os.environ.setdefault("MASHANG_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")  # receivers run here too
        os.environ.update(
            MASHANG_DATABASE_URL=self._stores.database_url,
            MASHANG_REDIS_URL=self._stores.redis_url,
            MASHANG_MASTER_KEY=kept.master_key,
            MASHANG_ADMIN_TOKEN=kept.admin_token,
            MASHANG_METRICS_DIR=str(private_folder(metrics)),
            MASHANG_PUBLIC_URL=self.address,
        )
        return Settings()

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _start_ours(self) -> None:
        logs, environment = self._options.state / "logs", self._environment()
        fds = (self._listener.fileno(), self._ready_pipe.write_end)
        for number in range(1, self._options.workers + 1):
            arguments = gateway_command(self._listener, self._ready_pipe.write_end)
            name = f"gateway-{number}"
            self._gateways.append(Child(Command(name, arguments, logs / f"{name}.log", environment, fds)))
        worker = (sys.executable, "-m", "gateway.cli", "worker")
        self._workers.append(Child(Command("worker", worker, logs / "worker.log", environment)))
        for child in (*self._gateways, *self._workers):
            child.start()

    def _keep_all(self) -> None:
        stores = [store for store in (self._stores.postgres, self._stores.valkey) if store is not None]
        for child in (*self._gateways, *self._workers, *self._simulators.children, *stores):
            self._supervisor.keep(child)

    def _write_ready_file(self) -> None:
        if not self._announced:
            return
        postgres, valkey = self._stores.postgres, self._stores.valkey
        ReadyFile(
            gateway=self.address,
            admin_token=self._kept.admin_token,
            merchant=self._merchant,
            simulators=self._simulators.provide_keys().ready,
            database_url=self._stores.database_url,
            redis_url=self._stores.redis_url,
            processes=Processes(
                gateway=[child.pid for child in self._gateways],
                worker=[child.pid for child in self._workers],
                postgres=None if postgres is None else postgres.pid,
                valkey=None if valkey is None else valkey.pid,
                simulators=[child.pid for child in self._simulators.children],
            ),
        ).write(self._options.ready_file)
