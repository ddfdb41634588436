"""What is wrong with a condition, where, and what to do about it."""

from __future__ import annotations


class ExpressionError(ValueError):
    """A condition that cannot be taken.

    `line` and `column` count from 1, in characters; `message` says what is wrong and `hint` (may be empty) what to do.
    """

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message, line, column, hint)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint

    def __str__(self) -> str:
        said = f"line {self.line}, column {self.column}: {self.message}"
        return f"{said} ({self.hint})" if self.hint else said
