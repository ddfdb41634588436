"""What the docs point at is there: files, headings, make targets, commands and their options."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from gateway.cli import app
from tests.support.markdown import ROOT, anchors, commands, documents, links, name_of

DOCUMENTS = {name_of(path): path for path in documents()}
every_document = pytest.mark.parametrize("path", DOCUMENTS.values(), ids=DOCUMENTS)
MAKE = re.compile(r"(?:^|[^\w-])make ([a-z][a-z0-9-]*)")
MASHANG = re.compile(r"(?:^|[\s(])(?:\.venv/bin/mashang|\$MASHANG|mashang) (.+)")
WORD = re.compile(r"[a-z][a-z-]*")
OPTION = re.compile(r"--[a-z][a-z-]*")


@cache
def _anchors(path: Path) -> set[str]:
    return anchors(path)


@every_document
def test_every_link_leads_somewhere(path: Path) -> None:
    dead = []
    for line, target in links(path):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
            dead.append(f"{name_of(path)}:{line}: {target}")
    assert dead == []


@cache
def _targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@every_document
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    named = [(line, target) for line, code in commands(path) for target in MAKE.findall(code)]
    assert [f"{name_of(path)}:{line}: make {target}" for line, target in named if target not in _targets()] == []


@every_document
def test_every_command_that_is_named_exists_with_its_options(path: Path) -> None:
    problems = []
    for line, code in commands(path):
        if found := MASHANG.search(code):
            problems += [f"{name_of(path)}:{line}: {problem}" for problem in _problems(found[1])]
    assert problems == []


@cache
def _mashang() -> Any:
    return typer.main.get_command(app)


def _problems(typed: str) -> list[str]:
    """What is wrong with the words behind `mashang`; alternatives and placeholders are passed over."""
    command = _mashang()
    if not WORD.match(typed):
        return []
    problems = []
    for word in _words(typed):
        if word.startswith("-"):
            option = word.partition("=")[0]
            if OPTION.fullmatch(option) and option not in _options(command):
                problems.append(f"`{command.name}` has no {option}")
        elif not hasattr(command, "commands"):
            continue
        elif not WORD.fullmatch(word):
            return problems
        elif word not in command.commands:
            return [f"`{command.name}` has no command {word}"]
        else:
            command = command.commands[word]
    return problems


def _words(typed: str) -> list[str]:
    text = re.split(r"\s\||;|&&|\s{2,}|\)\s|#|>", typed)[0]
    try:
        return [word.rstrip(",.:)") for word in shlex.split(text)]
    except ValueError:
        return [word.rstrip(",.:)") for word in text.split()]


def _options(command: Any) -> set[str]:
    named = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return named | {"--help"}


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("campaign show cam_… --stats .state", "`show` has no --stats"),
        ("routing acounts", "`routing` has no command acounts"),
        ("risk rules change cash_out.round --mode live --rollout 30", None),
        ("routing policy show | check FILE", None),
    ],
)
def test_a_misspelt_command_is_found(typed: str, problem: str | None) -> None:
    assert _problems(typed) == ([] if problem is None else [problem])


def test_a_link_and_a_heading_are_read_as_github_reads_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# I8: `logs` & [more](x.md)\n\n# Again\n\n# Again\n\n```sh\n# no heading\n```\n![p](a/b.svg)\n")
    assert anchors(page) == {"i8-logs--more", "again", "again-1"}
    assert [target for _, target in links(page)] == ["x.md", "a/b.svg"]
