"""What the server that test processes are forked from has loaded: imported by it alone (preloaded.py)."""

from __future__ import annotations

import gc
import importlib
import os
import tempfile

# Counters made before the fork are nobody's: a forked process opens files of its own in the folder that it is given.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="mashang-preloaded-")

for module in (
    *("gateway.app", "gateway.cli", "gateway.processes.serving", "gateway.workers.main"),
    *("routing.simulators.__main__", "routing.simulators.app"),
):
    importlib.import_module(module)

del os.environ["PROMETHEUS_MULTIPROC_DIR"]
gc.freeze()
