"""Follows a guide as its reader would: commands in one shell, Python in one interpreter, against `mashang dev`."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.devstack.ready import ReadyFile, read_ready_file
from tests.support.doors import free_port
from tests.support.markdown import ROOT, SHELLS, Block, blocks

FOLLOWED: Final = SHELLS | {"python"}
START_S: Final = 60.0
BLOCK_S: Final = 120.0
ENDED: Final = "@@ended@@"
FAILED: Final = re.compile(r"^@@failed@@ (\d+) (\d+)$", re.MULTILINE)
PRINTED: Final = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)
ID: Final = re.compile(r"\b([a-z]{2,5})_([0-9A-Z]{26})\b")
UNFINISHED_ID: Final = re.compile(r"\b([a-z]{2,5})_…")
HOOK: Final = re.compile(r"(?<!\d)9000(?!\d)")
"""The port of the reader's own server, where a guide needs one."""
WHITE: Final = re.compile(r"[\s│┃┌┐└┘├┤┬┴┼─━┏┓┗┛┳┻╇┡┩╭╮╰╯]+")
WILD: Final = re.compile(r"…|(?<![\d.])\d{4}-\d\d-\d\d|\d\d:\d\d(?::\d\d(?:\.\d+)?)?|\d+(?:\.\d+)?(?=ms)")
"""What differs from run to run: what the guide leaves out, dates, times of day, milliseconds."""


class Shell:
    """One bash for all blocks of a guide, in a folder that looks like a checkout with a running stack."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=ordinary_environment(folder),
            text=True,
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send("trap 'echo \"@@failed@@ $LINENO $?\"' ERR")

    def run(self, text: str) -> str:
        """What the block's commands wrote; `@@failed@@ LINE STATUS` stands where one of them failed."""
        script = self._folder / ".block.sh"
        script.write_text(text + "\n")
        self._send(f". {script} < /dev/null; echo; echo {ENDED}")
        output: list[str] = []
        until = time.monotonic() + BLOCK_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return "".join([*output, "\n@@failed@@ 1 timeout: no end within two minutes\n@@failed@@ 1 124\n"])
            if line.strip() == ENDED:
                return "".join(output)
            output.append(line)

    def close(self) -> None:
        """End it with everything that its blocks started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join()
        _close(self._process)

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)


class Interpreter:
    """One Python for all snippets of a guide."""

    def __init__(self, folder: Path) -> None:
        session = ROOT / "tests" / "support" / "python_session.py"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", str(session)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=ordinary_environment(folder) | {"PYTHONPATH": str(ROOT)},
            text=True,
        )

    def run(self, block: Block, text: str) -> tuple[str, str | None]:
        """What it printed, and the traceback if it raised."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"name": block.place, "code": text}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["printed"], answer["problem"]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        _close(self._process)


def _close(process: subprocess.Popen[str]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()


def ordinary_environment(folder: Path) -> dict[str, str]:
    """What a user's shell has, and nothing of the tests'; wide, so that tables have a line for each row."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "COLUMNS": "400"}


@contextmanager
def checkout_with_a_stack(folder: Path) -> Iterator[tuple[Path, ReadyFile]]:
    """A folder that has everything a fresh clone has after `make run`, and the stack that runs in it."""
    for entry in ROOT.iterdir():
        if entry.name not in {".git", ".state", "results"}:
            (folder / entry.name).symlink_to(entry)
    output = folder / "dev.out"
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "dev", "--port", str(free_port())],
            stdout=written,
            stderr=written,
            cwd=folder,
            env=ordinary_environment(folder),
        )
    ready_file = folder / ".state" / "ready.json"
    try:
        until = time.monotonic() + START_S
        while not ready_file.exists():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < until, output.read_text()
            time.sleep(0.05)
        yield folder, read_ready_file(ready_file)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def follow(path: Path, folder: Path, ready: ReadyFile) -> list[str]:
    """Run every block of a guide that is not marked; returns what went otherwise than it says, with file and line."""
    shell, interpreter = Shell(folder), Interpreter(folder)
    ids: dict[str, str] = {}
    hook = str(free_port())
    problems: list[str] = []
    try:
        for block in blocks(path):
            if block.language not in FOLLOWED or block.not_run is not None:
                continue
            text = HOOK.sub(hook, _for_this_stack(block.text, ready, ids))
            if block.language == "python":
                output, problem = interpreter.run(block, text)
                problems += _python_problems(block, output, problem)
            else:
                output = shell.run(text)
                problems += _shell_problems(block, output)
            ids.update(ID.findall(output))
            if problems:
                return problems
    finally:
        shell.close()
        interpreter.close()
    return problems


def _for_this_stack(text: str, ready: ReadyFile, ids: Mapping[str, str]) -> str:
    """The gateway of `make run` replaced by this stack's, and `pay_…` by the payment that was shown last."""
    text = text.replace("http://127.0.0.1:8000", ready.gateway)
    return UNFINISHED_ID.sub(lambda found: f"{found[1]}_{ids.get(found[1], '…')}", text)


def _python_problems(block: Block, output: str, problem: str | None) -> list[str]:
    if problem is not None:
        return [f"{block.place}: {problem}"]
    if output.splitlines() != PRINTED.findall(block.text):
        return [f"{block.place}: printed\n{output}instead of what its comments say"]
    return []


def _shell_problems(block: Block, output: str) -> list[str]:
    failed = FAILED.search(output)
    if failed is not None:
        line = block.line + int(failed[1]) - 1
        return [f"{block.path.relative_to(ROOT)}:{line}: ended with {failed[2]}:\n{output}"]
    if block.shown is not None and not shows(output, block.shown):
        return [f"{block.place}: does not show\n{block.shown}\nbut\n{output}"]
    return []


def shows(output: str, shown: str) -> bool:
    """Whether the lines that a guide shows stand in an output, in their order, `…`, times and blanks aside."""
    lines = [_pattern(line) for line in shown.splitlines() if line.strip(" …")]
    return re.search(".*?".join(lines), WHITE.sub("", output), re.DOTALL) is not None


def _pattern(line: str) -> str:
    bare = WHITE.sub("", line)
    parts, end = [], 0
    for found in WILD.finditer(bare):
        parts.append(re.escape(bare[end : found.start()]))
        parts.append({"…": ".*?"}.get(found[0], r"[\d:.-]+"))
        end = found.end()
    return "".join([*parts, re.escape(bare[end:])])
