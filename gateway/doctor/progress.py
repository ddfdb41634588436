"""One line on a terminal that says which areas the doctor still looks at; nothing where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from gateway.doctor.finding import Area


@contextmanager
def progress(areas: frozenset[Area] = frozenset(Area)) -> Iterator[Callable[[Area], None]]:
    """Gives what is to be called for each area that is done."""
    console = Console(stderr=True)
    waiting = set(areas)
    with console.status(_line(waiting)) as status:

        def done(area: Area) -> None:
            waiting.discard(area)
            status.update(_line(waiting))

        yield done


def _line(waiting: set[Area]) -> str:
    return f"Looking at {', '.join(sorted(waiting))} …" if waiting else "Writing the report …"
