"""What stands in a Markdown file: fenced blocks with markers, links, headings, code: what the docs' tests need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FENCE: Final = re.compile(r"^(?P<indent> *)```(?P<language>\w*) *$")
NOT_RUN: Final = re.compile(r"^<!-- not run: (?P<why>.+) -->$")
LINK: Final = re.compile(r"!?\[[^\]\[]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
SPAN: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
HEADING: Final = re.compile(r"^#{1,6} (.+?)\s*$")
ANCHOR: Final = re.compile(r'<a (?:id|name)="([^"]+)">')
SHELLS: Final = frozenset({"bash", "sh"})
SHOWN: Final = frozenset({"text", "json"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.  `line` is that of its first line of text; `shown` is the output that stands right behind it."""

    path: Path
    line: int
    language: str
    text: str
    not_run: str | None
    shown: str | None = None

    @property
    def place(self) -> str:
        return f"{name_of(self.path)}:{self.line}"


def name_of(path: Path) -> str:
    """The file as one names it from the top of the repository."""
    return str(path.relative_to(ROOT))


def documents() -> list[Path]:
    """Every Markdown file that is read as documentation."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a file, each with the output that the next one shows of it."""
    found: list[Block] = []
    behind: list[str] = []
    lines = iter(enumerate(path.read_text("utf-8").splitlines(), 1))
    for number, line in lines:
        fence = FENCE.match(line)
        if fence is None:
            behind = [*behind, line] if line.strip() else behind
            continue
        indent = len(fence["indent"])
        text = "\n".join(_until_the_end(lines, indent))
        marker = NOT_RUN.match(behind[-1].strip()) if behind else None
        block = Block(path, number + 1, fence["language"], text, marker["why"] if marker else None)
        if found and not behind and block.language in SHOWN and found[-1].language in SHELLS:
            last = found[-1]
            found[-1] = Block(last.path, last.line, last.language, last.text, last.not_run, text)
        found.append(block)
        behind = []
    return found


def _until_the_end(lines: Iterator[tuple[int, str]], indent: int) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == "```":
            return
        yield line[indent:]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines outside of fences."""
    fenced = False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if FENCE.match(line) or line.strip() == "```":
            fenced = not fenced
        elif not fenced:
            yield number, line


def links(path: Path) -> Iterator[tuple[int, str]]:
    """Where each link and picture of a file points, with its line."""
    for number, line in prose(path):
        for found in LINK.finditer(SPAN.sub("", line)):
            yield number, (found[1] or found[2]).split()[0]


def anchors(path: Path) -> set[str]:
    """What can follow a # behind the file's name, by GitHub's rule."""
    found: set[str] = set()
    for _, line in prose(path):
        found |= set(ANCHOR.findall(line))
        if heading := HEADING.match(line):
            slug = _slug(heading[1])
            times = sum(1 for one in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", one))
            found.add(slug if slug not in found else f"{slug}-{times}")
    return found


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return "".join(letter for letter in plain if letter.isalnum() or letter in " -_").replace(" ", "-")


def commands(path: Path) -> Iterator[tuple[int, str]]:
    """Whatever is written as code, with its line: in spans of prose, and in fences that are no other language."""
    for number, line in prose(path):
        for span in SPAN.findall(line):
            yield number, span
    for block in blocks(path):
        if block.language in {"", *SHELLS}:
            for offset, line in enumerate(block.text.splitlines()):
                yield block.line + offset, line
