"""Whether this process has been told to stop: then it is not ready any more, and asks its clients to go elsewhere.

The signal is the process's own, and so is this; the server sets it, the protocol and the probes look at it.
"""

from __future__ import annotations

from typing import Final


class Draining:
    """Off until the stop is asked for, and never off again."""

    __slots__ = ("is_on",)

    def __init__(self) -> None:
        self.is_on = False

    def begin(self) -> None:
        """The stop was asked for."""
        self.is_on = True


DRAINING: Final = Draining()
"""Of this process."""
