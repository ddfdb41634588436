"""A process that makes a version of a large document: `python -m risk.rules.maker FOLDER` (risk/rules/apart.py).

The folder holds `given.json` and `known.json`; it leaves `made.json` and the pieces there, or `refused.json`.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import orjson

from risk.rules.document import RuleSetError
from risk.rules.making import Known, Made, NoDocument, make

GIVEN: Final = "given.json"
KNOWN: Final = "known.json"
MADE: Final = "made.json"
REFUSED: Final = "refused.json"
NO_DOCUMENT: Final = "no_document.txt"
RULES: Final = "rules"
ARTEFACT: Final = "artefact"
_NICENESS: Final = 5
"""Payments go first."""


def main(folder: Path) -> None:
    """Make what the folder holds."""
    os.nice(_NICENESS)
    gc.disable()  # everything that is made here stays until the end
    told = orjson.loads((folder / KNOWN).read_bytes())
    known = None if told is None else Known(**told)
    try:
        made = make((folder / GIVEN).read_bytes(), known)
    except NoDocument as error:
        (folder / NO_DOCUMENT).write_text(str(error), encoding="utf-8")
    except RuleSetError as error:
        (folder / REFUSED).write_bytes(orjson.dumps([*error.problems]))
    else:
        _leave(folder, made)


def _leave(folder: Path, made: Made) -> None:
    for name, pieces in ((RULES, made.pieces), (ARTEFACT, made.artefact)):
        _write(folder / name, pieces)
    counts = {"rule_count": made.rule_count, "test_count": made.test_count}
    told = {"head": made.head, **counts, "failures": made.failures, "lists": made.lists}
    (folder / MADE).write_bytes(orjson.dumps(told))


def _write(folder: Path, pieces: Iterable[bytes]) -> None:
    folder.mkdir()
    for number, piece in enumerate(pieces):
        (folder / f"{number:06}").write_bytes(piece)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
