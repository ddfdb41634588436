"""A Python process that runs snippets one after the other, as in one interpreter: JSON lines in and out."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback


def main() -> None:
    """Answer each `{"name", "code"}` with `{"printed", "problem"}`."""
    answers = sys.stdout
    names: dict[str, object] = {"__name__": "guide"}
    for line in sys.stdin:
        asked = json.loads(line)
        printed, problem = io.StringIO(), None
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(asked["code"], asked["name"], "exec"), names)
            except Exception:
                problem = traceback.format_exc()
        answers.write(json.dumps({"printed": printed.getvalue(), "problem": problem}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
