"""Every snippet of docs/integrating.md runs as it stands there, one after the other, and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.doors import free_port
from tests.support.gateway import GatewayStack
from tests.support.ready import write_ready_file
from tests.support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

GUIDE = Path(__file__).parents[2] / "docs" / "integrating.md"
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PRINTED = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def stack_options() -> dict[str, Any]:
    """The guide's receiver listens on loopback."""
    return {"settings": {"MASHANG_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}}


async def test_every_snippet_of_the_guide_runs_and_prints_what_it_says(
    stack: GatewayStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".state").mkdir()
    write_ready_file(tmp_path / ".state", stack, stack.new_shop())
    monkeypatch.chdir(tmp_path)
    port = str(free_port())
    names: dict[str, Any] = {"__name__": "guide"}
    for number, snippet in enumerate(SNIPPET.findall(GUIDE.read_text("utf-8")), 1):
        exec(compile(snippet.replace("9000", port), f"docs/integrating.md, snippet {number}", "exec"), names)
        assert capsys.readouterr().out.splitlines() == PRINTED.findall(snippet), snippet
    heard = names["newest"]
    try:
        await until(lambda: heard.get(names["payment"]["id"], {}).get("type") == "refund.succeeded")
        await until(lambda: heard.get(names["oops"]["id"], {}).get("type") == "payment.reversed")
    finally:
        names["server"].should_exit = True
    assert (tmp_path / "code.svg").exists()
