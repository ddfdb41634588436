"""What an error code tells the caller: when it comes, what to do, its HTTP status, whether to send the same again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_TYPES: Final = {
    401: "authentication",
    403: "permission",
    409: "conflict",
    429: "rate_limited",
    500: "internal",
    503: "unavailable",
}
_NOT_BEGUN: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """One row of the error table.  `status` is the HTTP status that it is answered with, `other_status` a rarer one."""

    when: str
    remedy: str
    status: int
    other_status: int | None = None
    again: bool = False
    """That the same request can end otherwise, where the status does not tell."""

    @property
    def statuses(self) -> tuple[int, ...]:
        """The usual one first."""
        return (self.status,) if self.other_status is None else (self.status, self.other_status)

    @property
    def type(self) -> str:
        """The `type` that stands beside the code in an answer with the usual status."""
        return _TYPES.get(self.status, "invalid_request")

    @property
    def retryable(self) -> bool:
        """Whether the same request, unchanged, can succeed: after `Retry-After` seconds where the answer has it."""
        return self.again or self.status in _NOT_BEGUN
