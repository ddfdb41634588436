"""Spells a call for the checker by the type of its result, which CEL itself cannot tell from a literal argument.

`velocity('count', …)` is an int and `velocity('fraud_share', …)` a double: the checker is given a second function for
the second one, whose name is as long, so that every position it complains of is that of the text as it was written.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.kernel.expressions.complaints import closest, position_at
from gateway.kernel.expressions.errors import ExpressionError
from gateway.kernel.expressions.fields import Fields

_TOKEN: Final = re.compile(
    r"""
    [rR][bB]?(?:'''.*?(?:'''|\Z)|\"\"\".*?(?:\"\"\"|\Z)|'[^'\n]*'?|"[^"\n]*"?)
    | '''(?:\\.|[^\\])*?(?:'''|\Z) | '(?:\\.|[^'\\\n])*'?
    | \"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z) | "(?:\\.|[^"\\\n])*"?
    | //[^\n]*
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    """,
    re.VERBOSE | re.DOTALL,
)
"""What may look like a call and is none (texts, comments), and names.  A text without an end is a token too: so that it
is looked at once."""
_FIRST_ARGUMENT: Final = re.compile(r"""\s*\(\s*(?P<quote>['"])(?P<text>[^'"\\\n]*)(?P=quote)""")


def spelled(text: str, fields: Fields) -> str:
    """The condition as the checker is to see it, of the same length.

    Raises ExpressionError where the author has written one of the checker's names.
    """
    if not any(word in text for word in fields.telling):
        return text

    def respelled(token: re.Match[str]) -> str:
        name = token["name"]
        if name is None:
            return token[0]
        if name in fields.spellings and name not in fields.functions:
            line, column = position_at(text, token.start())
            raise ExpressionError(f"unknown: {name}", line, column, closest(name, fields.functions))
        function = fields.functions.get(name)
        argument = _FIRST_ARGUMENT.match(text, token.end())
        if function is None or argument is None:
            return name
        return function.spelling(function.type_of(argument["text"]))

    return _TOKEN.sub(respelled, text)
