"""The ready file: what scripts rely on to find a running stack (PRODUCT.md "Commands")."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

from gateway.devstack.files import write_private
from gateway.devstack.secrets import MerchantSecrets
from gateway.processes.errors import StackError


class Processes(BaseModel):
    """Process ids; None where a server of the user's own is used."""

    gateway: list[int]
    worker: list[int]
    postgres: int | None
    valkey: int | None
    simulators: list[int]


class ReadyFile(BaseModel):
    """The content; `simulators` holds the credentials of each channel under the names that its protocol uses."""

    gateway: str
    admin_token: str
    merchant: MerchantSecrets
    simulators: dict[str, dict[str, str]]
    database_url: str
    redis_url: str
    processes: Processes

    def write(self, path: Path) -> None:
        """Put the file in place in one step."""
        write_private(path, self.model_dump_json(indent=2) + "\n")


def read_ready_file(path: Path) -> ReadyFile:
    """Read a stack's ready file.  Raises StackError when no stack runs there."""
    try:
        return ReadyFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise StackError(f"No stack runs here: there is no {path}. Start one with: make run") from None
    except ValidationError as error:
        raise StackError(f"{path} is not a ready file: {error}") from error
