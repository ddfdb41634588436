"""Which gateway a command talks to, and as whom: named on the command line, or the stack that runs on a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.client import ApiError, Client, OutcomeUnknown
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.processes.errors import StackError


@dataclass(frozen=True, slots=True)
class Target:
    """The gateway's address and an API key; without them, those of the stack that runs on `state`."""

    url: str | None
    key: str | None
    state: Path


@contextmanager
def connected(target: Target) -> Iterator[Client]:
    """A client of that gateway; what goes wrong becomes a sentence.  Raises StackError."""
    url, key = target.url, target.key
    if url is None or key is None:
        ready = read_ready_file(ready_file_of(target.state))
        url, key = url or ready.gateway, key or ready.merchant.api_key
    try:
        with Client(url, api_key=key) as client:
            yield client
    except ApiError as error:
        raise StackError(f"{error.message} ({error.code}, see {error.docs_url})") from error
    except OutcomeUnknown as error:
        raise StackError(f"{error}. Whether it was carried out is open: the same command again tells.") from error
