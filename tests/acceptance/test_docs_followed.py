"""The commands of README and guides run as they stand there, one after the other, and show what is shown there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.devstack.ready import ReadyFile
from gateway.reference.document import openapi_document
from tests.support.guides import FAILED, FOLLOWED, Shell, checkout_with_a_stack, follow, shows
from tests.support.markdown import ROOT, Block, blocks, documents, name_of

pytestmark = pytest.mark.slow

QUICK = "README.md"
"""The one that is followed in the default run; the others take their time."""
NO_GUIDES = {ROOT / "docs" / name for name in ("api", "decisions", "runbooks")}
"""The reference's calls are held against the schemas; a run-book's commands are for an incident: checked by name."""


def _followed(path: Path) -> bool:
    return not NO_GUIDES & set(path.parents) and any(_runs(block) for block in blocks(path))


def _runs(block: Block) -> bool:
    return block.language in FOLLOWED and block.not_run is None


GUIDES = {name_of(path): path for path in documents() if _followed(path)}


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[tuple[Path, ReadyFile]]:
    """A reader's folder, with the stack of `make run` in it."""
    with checkout_with_a_stack(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == QUICK else pytest.mark.long) for name in GUIDES]
)
def test_every_command_runs_and_shows_what_the_guide_shows(name: str, checkout: tuple[Path, ReadyFile]) -> None:
    folder, ready = checkout
    problems = follow(GUIDES[name], folder, ready)
    assert problems == [], "\n".join(problems)
    if name == QUICK:
        served = httpx.get(f"{ready.gateway}/openapi.json", timeout=60, trust_env=False).json()
        assert served == openapi_document(), "the reference is made from another document than the gateway serves"


def test_the_guides_of_every_reader_are_followed() -> None:
    names = ("integrating", "campaigns", "risk", "routing", "load-tests", "operating")
    wanted = {"README.md", *(f"docs/{name}.md" for name in names)}
    assert wanted <= set(GUIDES)


def test_who_leaves_a_block_out_says_why() -> None:
    left_out = [block for path in documents() for block in blocks(path) if block.not_run is not None]
    assert [block.place for block in left_out if len((block.not_run or "").split()) < 3] == []


@pytest.mark.parametrize(
    ("output", "shown", "does"),
    [
        ('{"id":"pay_01M","status":"succeeded","amount":2599}', '{"id": "pay_…", "status": "succeeded", …}', True),
        ('{"id":"pay_01M","status":"failed"}', '{"id": "pay_…", "status": "succeeded", …}', False),
        ("│ amount │ ¥25.99 │\n│ payable │ ¥20.99 │", "amount    ¥25.99\n…\npayable   ¥20.99", True),
        ("│ payable │ ¥20.99 │\n│ amount │ ¥25.99 │", "amount    ¥25.99\n…\npayable   ¥20.99", False),
        ("answered at 20:41:07 in 89 ms", "answered at 09:00:00 in 12 ms", True),
        ("answered in 89 fen", "answered in 12 fen", False),
    ],
)
def test_what_is_shown_is_compared_loosely_but_compared(output: str, shown: str, *, does: bool) -> None:
    assert shows(output, shown) is does


def test_a_command_that_fails_is_told_with_its_line_and_a_shell_keeps_what_was_set(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        assert FAILED.search(shell.run("NAME=till\necho first")) is None
        output = shell.run('echo "second $NAME"\n\nls /nowhere-at-all\necho third')
    finally:
        shell.close()
    assert "second till" in output
    failed = FAILED.search(output)
    assert failed is not None
    assert failed[1] == "3"
