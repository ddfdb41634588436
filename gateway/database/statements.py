"""Takes SQL apart into its statements: to run them one at a time, and to look at what each of them does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<body>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<text>(?<=[eE])(?<!\w[eE])'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*")
    |(?P<end>;)
    |(?P<other>[^-/$'";]+|.)""",
    re.DOTALL | re.VERBOSE,
)


_OPEN: Final = re.compile(r"['\"]|\$\w*\$")
_NO_LETTER: Final = re.compile(r"\W")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    `text` is what was written, the comments before it too; `bare` has lower case, single spaces, no comments, nothing
    in its quotes, and names without theirs; `bodies` is what stood between its dollars, as code of a function or of
    a DO block does.
    """

    text: str
    bare: str
    bodies: str

    def has_note(self, note: str) -> bool:
        """Whether a comment line of it is just this."""
        return re.search(rf"^-- {re.escape(note)}$", self.text, re.MULTILINE) is not None


def without_comments(sql: str) -> str:
    """The same SQL, with a space for each comment."""
    return "".join(" " if token["comment"] is not None else token[0] for token in _TOKEN.finditer(sql))


def split(sql: str) -> Iterator[Statement]:
    """The statements in their order; comments alone are none.  Raises ValueError where a quote is never closed."""
    text: list[str] = []
    bare: list[str] = []
    bodies: list[str] = []
    for token in _TOKEN.finditer(sql + ";"):
        kind = token.lastgroup
        if kind == "end":
            statement = _statement(text, bare, bodies)
            if statement.bare:
                yield statement
            text, bare, bodies = [], [], []
            continue
        text.append(token[0])
        if token["body"] is not None:
            bodies.append(token["body"])
        bare.append(_bare(token))


def _bare(token: re.Match[str]) -> str:
    if token["comment"] is not None:
        return " "
    if token["body"] is not None or token["text"] is not None:
        return "''"
    if token["name"] is not None:
        return _NO_LETTER.sub("_", token["name"][1:-1]).lower()
    return token[0].lower()


def _statement(text: list[str], bare: list[str], bodies: list[str]) -> Statement:
    shown = " ".join("".join(bare).split())
    if _OPEN.search(shown.replace("''", "")):
        raise ValueError(f"a quote is never closed: {shown[:80]}")
    return Statement("".join(text).strip(), shown, "\n".join(bodies))
