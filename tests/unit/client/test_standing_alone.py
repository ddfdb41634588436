"""The client works in a project that has nothing of this repository but its folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import gateway.client

FOLDER = Path(gateway.client.__file__).parent
PROGRAM = """
import json, sys
import gateway.client
with gateway.client.Client("http://127.0.0.1:1", api_key="sk_test_1"):
    print(json.dumps([gateway.client.__file__, sorted(sys.modules)]))
"""


def test_a_copy_of_the_folder_needs_httpx_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "gateway" / "client")
    (tmp_path / "gateway" / "__init__.py").touch()
    shown = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    place, modules = json.loads(shown.stdout)
    assert Path(place).is_relative_to(tmp_path)
    ours = {name for name in modules if name.partition(".")[0] in {"gateway", "routing", "promotions", "risk"}}
    assert {name for name in ours if not name.startswith("gateway.client")} == {"gateway"}
    assert not {"pydantic", "fastapi", "asyncpg", "orjson"} & set(modules)
