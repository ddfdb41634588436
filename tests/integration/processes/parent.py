"""A parent process for the tests to kill: starts PostgreSQL, Valkey and a sleeper, prints their ids, and waits."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from gateway.processes.children import Child, Command
from tests.support.servers import start_servers

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with start_servers(folder, durable=True) as servers:
        sleeper = Child(Command("sleeper", ("/bin/sleep", "600")))
        sleeper.start()
        facts = {
            "postgres": servers.postgres.child.pid,
            "valkey": servers.valkey.child.pid,
            "sleeper": sleeper.pid,
            "database_url": servers.admin_url,
            "redis_url": servers.redis_url,
        }
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM})
        sleeper.stop(signal.SIGTERM, timeout_s=5)
