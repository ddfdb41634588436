"""Installs the public SDKs under .venv-sdk, each in an environment of its own: `python -m tests.sdk.install`.

Two of them share the top-level module `alipay`, and none belongs beside the gateway.  What is there already is kept
while its pinned versions and our Python stay the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ENVIRONMENTS: Final = HERE.parents[1] / ".venv-sdk"
PYTHON_SDKS: Final = ("wechat", "alipay", "alipay-official", "webhooks")
NODE_MIN: Final = (20, 18, 1)
NPM_SDKS: Final = "alipay-sdk 4.14.0, wechatpay-axios-plugin 0.9.6, standardwebhooks 1.1.1"
STAMP: Final = ".ready"
"""Lies in an environment that is whole."""


class InstallError(Exception):
    """An SDK could not be had; the text is for the person at the terminal."""


def why_no_npm() -> str | None:
    """Why the npm SDKs are left out on this machine; None where they can run."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return f"npm is not installed; left out: {NPM_SDKS}"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if found < NODE_MIN:
        wanted = ".".join(str(number) for number in NODE_MIN)
        return f"Node.js {version.strip() or '(unknown)'} is older than {wanted}; left out: {NPM_SDKS}"
    return None


def _fingerprint(pins: Path) -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor} {hashlib.sha256(pins.read_bytes()).hexdigest()}"


def _is_ready(folder: Path, pins: Path) -> bool:
    stamp = folder / STAMP
    return stamp.exists() and stamp.read_text("utf-8") == _fingerprint(pins)


def _run(command: Sequence[str], folder: Path, where_from: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise InstallError(f"make test-sdk needs {where_from}, and could not install from there:\n{said}")


def install_python(name: str) -> None:
    """One virtual environment with exactly the pinned packages, every file checked against its hash."""
    folder, pins = ENVIRONMENTS / name, HERE / "requirements" / f"{name}.txt"
    if _is_ready(folder, pins):
        return
    uv = str(Path(sys.executable).with_name("uv"))
    shutil.rmtree(folder, ignore_errors=True)
    where_from = "PyPI (or a mirror of it, named by UV_DEFAULT_INDEX)"
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], ENVIRONMENTS, where_from)
    python = str(folder / "bin" / "python")
    sync = [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(pins)]
    try:
        _run(sync, ENVIRONMENTS, where_from)
    except InstallError:  # a network with certificates of its own has them in the system's store
        _run([*sync, "--system-certs"], ENVIRONMENTS, where_from)
    (folder / STAMP).write_text(_fingerprint(pins), "utf-8")


def install_npm() -> None:
    """The npm SDKs at their locked versions; no package's own scripts are run."""
    folder, pins = ENVIRONMENTS / "npm", HERE / "npm" / "package-lock.json"
    if _is_ready(folder, pins):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in (pins, pins.with_name("package.json")):
        shutil.copy(file, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    _run(command, folder, "the npm registry (npm is installed here, so its SDKs are not left out)")
    (folder / STAMP).write_text(_fingerprint(pins), "utf-8")


def main() -> None:
    """Install what is missing.  Leaves with 1 and a message where a registry cannot be reached."""
    os.environ.pop("VIRTUAL_ENV", None)
    ENVIRONMENTS.mkdir(exist_ok=True)
    # Linters and version control are to see nothing of what was installed.
    (ENVIRONMENTS / ".gitignore").write_text("*\n", "utf-8")
    try:
        for name in PYTHON_SDKS:
            install_python(name)
        reason = why_no_npm()
        if reason is None:
            install_npm()
        else:
            sys.stdout.write(f"{reason}\n")
    except InstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
