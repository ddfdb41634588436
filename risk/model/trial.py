"""Tries a model in a process of its own: XGBoost, which gives the reasons, dies of some trees that are damaged.

`python -m risk.model.trial` reads the model from its standard input and ends with 0 where all is well.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

import orjson

from risk.model.model import Model, ModelError
from risk.model.scorer import Scorer

_TRY_S_MAX: Final = 60.0
_NICENESS: Final = 5
"""Payments go first."""
_OF_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""A process that only works for another one has no metrics."""
_one_at_a_time: Final = asyncio.Semaphore(1)


async def refuse_unexplainable(model: Model) -> None:
    """Raises ModelError for trees that can be walked here, and of which XGBoost can give no reasons."""
    environment = {name: value for name, value in os.environ.items() if name != _OF_METRICS}
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    async with _one_at_a_time:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=pipe, stdout=nothing, stderr=nothing, env=environment
        )
        try:
            async with asyncio.timeout(_TRY_S_MAX):
                await process.communicate(orjson.dumps(model.to_json()))
        except TimeoutError:
            raise ModelError("XGBoost does not come to an end with the trees.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        raise ModelError("XGBoost cannot read the trees, or finds no reasons in them.")


def main() -> None:
    """Try what comes."""
    os.nice(_NICENESS)
    Scorer(Model.of(orjson.loads(sys.stdin.buffer.read()))).try_reasons()


if __name__ == "__main__":
    main()
