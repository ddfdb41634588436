"""Parts of a statement that a batch has no rows for are left out: PostgreSQL sets up every part each time, used or not.

A part stands in the .sql file between the lines `-- part: NAME` and `-- end: NAME`, and the statement is whole without
it.
"""

from __future__ import annotations

import re


def without(statement: str, part: str) -> str:
    """The statement without a part; raises ValueError where it has none of that name."""
    name = re.escape(part)
    lean, found = re.subn(rf"^-- part: {name}\n.*?^-- end: {name}\n", "", statement, flags=re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"the statement has no part {part}")
    return lean
