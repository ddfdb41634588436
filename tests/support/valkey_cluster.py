"""A Valkey cluster of three masters and three replicas, on ports of its own."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import redis
from redis.exceptions import RedisError

from gateway.devstack.valkey import program
from gateway.processes.children import Child, Command

MASTERS: Final = 3
_SLOTS: Final = 16_384
_NODE_TIMEOUT_MS: Final = 1_000
_READY_S: Final = 30.0


class ClusterNode:
    """One server."""

    def __init__(self, folder: Path, port: int, bus_port: int) -> None:
        folder.mkdir(parents=True)
        self.port = port
        self.client = redis.Redis("127.0.0.1", port, socket_timeout=5)
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "cluster-enabled": "yes",
            "cluster-port": str(bus_port),
            "cluster-node-timeout": str(_NODE_TIMEOUT_MS),
            "cluster-config-file": str(folder / "nodes.conf"),
            "cluster-replica-validity-factor": "0",
            "dir": str(folder),
            "save": "",
            "repl-diskless-sync-delay": "0",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self.child = Child(
            Command(f"node {port}", (str(program()), *arguments), log=folder / "log", death_signal=signal.SIGKILL)
        )

    def ask(self, *command: Any) -> Any:
        """One command."""
        return self.client.execute_command(*command)

    def slots(self) -> list[Any]:
        """The ranges of slots and who has them, as this node sees it."""
        return list(self.ask("CLUSTER", "SLOTS"))

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.client.ping())
        except RedisError:
            return False


class ValkeyCluster:
    """Six nodes; the first three begin as masters."""

    def __init__(self, folder: Path) -> None:
        ports = _free_ports(4 * MASTERS)
        self.nodes = [
            ClusterNode(folder / str(number), *ports[2 * number : 2 * number + 2]) for number in range(2 * MASTERS)
        ]

    @property
    def url(self) -> str:
        """Where the cluster is."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:MASTERS])

    def start(self) -> None:
        """Start the nodes and make them one cluster."""
        for node in self.nodes:
            node.child.start()
        _await(lambda: all(node.is_up() for node in self.nodes))
        bounds = [_SLOTS * number // MASTERS for number in range(MASTERS + 1)]
        for number, node in enumerate(self.nodes):
            if number < MASTERS:
                node.ask("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", first.port, _bus_port(first))
        _await(lambda: all(_knows(node) == len(self.nodes) for node in self.nodes))
        for number in range(MASTERS):
            master = self.nodes[number].ask("CLUSTER", "MYID").decode()
            self.nodes[MASTERS + number].ask("CLUSTER", "REPLICATE", master)
        _await(lambda: all(_is_whole(node) for node in self.nodes))

    def masters(self) -> list[ClusterNode]:
        """Who has slots now, as the last node sees it."""
        ports = {found[2][1] for found in next(node for node in self.nodes if node.is_up()).slots()}
        return [node for node in self.nodes if node.port in ports]

    def stop(self) -> None:
        """Stop what runs."""
        for node in self.nodes:
            node.child.stop(signal.SIGKILL, timeout_s=5)
            node.client.close()


@contextmanager
def valkey_cluster(folder: Path) -> Iterator[ValkeyCluster]:
    """A cluster that is there until the block ends."""
    cluster = ValkeyCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _bus_port(node: ClusterNode) -> int:
    return int(node.ask("CONFIG", "GET", "cluster-port")[b"cluster-port"])


def _info(node: ClusterNode, name: str) -> str:
    info = node.ask("CLUSTER", "INFO")
    text = info.decode() if isinstance(info, bytes) else str(info)
    return str(text.partition(f"{name}:")[2].split()[0])


def _knows(node: ClusterNode) -> int:
    return int(_info(node, "cluster_known_nodes"))


def _is_whole(node: ClusterNode) -> bool:
    slots = node.slots()
    is_complete = len(slots) == MASTERS and all(len(found) == 4 for found in slots)
    return is_complete and _info(node, "cluster_state") == "ok"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _await(condition: Any) -> None:
    deadline = time.monotonic() + _READY_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster is not ready")
        time.sleep(0.02)
