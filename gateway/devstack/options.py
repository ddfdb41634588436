"""What the person asked `mashang dev` for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_STATE: Final = Path(".state")


def ready_file_of(state: Path) -> Path:
    """Where the ready file of a state is unless told otherwise."""
    return state / "ready.json"


@dataclass(frozen=True, slots=True)
class StackOptions:
    """`port` is None where any free one from 8000 will do; paths are absolute."""

    port: int | None
    state: Path
    ready_file: Path
    demo: bool
    workers: int
