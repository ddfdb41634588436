"""Asks the Mashang process of this container whether it is ready: `python -m gateway.processes.health [URL]`.

Exit status 0 where it is.  A container has no curl, and importing the command line at each check would cost more than
the check itself: this is the standard library alone.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Final

_TIMEOUT_S: Final = 3.0
_GATEWAY_PORT: Final = 8000
_SIMULATOR_PORT: Final = 8101
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy stands before the loopback


def addresses(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where a gateway, a worker or the simulators would answer, in that order."""
    worker = environment.get("MASHANG_WORKER_PORT")
    return (
        f"http://127.0.0.1:{_GATEWAY_PORT}/readyz",
        *([f"http://127.0.0.1:{worker}/readyz"] if worker else []),
        f"http://127.0.0.1:{_SIMULATOR_PORT}/_simulator/health",
    )


def is_ready(urls: Sequence[str]) -> bool:
    """What the first process found answers; False where nobody listens."""
    for url in urls:
        try:
            with _OPENER.open(url, timeout=_TIMEOUT_S) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False
        except OSError:
            continue
    return False


if __name__ == "__main__":
    sys.exit(0 if is_ready(sys.argv[1:] or addresses(os.environ)) else 1)
