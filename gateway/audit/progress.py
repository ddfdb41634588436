"""Shows how far a long audit has come: on standard error, and only in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Steps:
    """One bar per book."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @contextmanager
    def shown(self) -> Iterator[Steps]:
        """Draw until the block ends."""
        with self._progress:
            yield self

    def step(self, title: str, total: int | None = None) -> Callable[[int], None]:
        """Begin a bar; the result is called with how many more are done."""
        task = self._progress.add_task(title, total=total)
        return lambda done: self._progress.advance(task, done)
