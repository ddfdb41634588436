"""A development stack whose processes somebody else starts, in containers: its secrets, and what its database needs."""

from __future__ import annotations

import os
import secrets
import shlex
from pathlib import Path
from typing import Final

from gateway.devstack.campaign import seed_campaign
from gateway.devstack.files import write_private
from gateway.devstack.folders import private_folder
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import Processes, ReadyFile
from gateway.devstack.secrets import StateSecrets, load_secrets
from gateway.devstack.seed import seed, seed_kiosk
from gateway.devstack.simulators import PORTS, Doors
from gateway.kernel.secrets import Vault
from gateway.processes.errors import StackError
from gateway.settings import Environment, Settings
from routing.simulators.provision import Provision, provision

ENVIRONMENT_FILE: Final = "demo.env"
_NO_PROCESSES: Final = Processes(gateway=[], worker=[], postgres=None, valkey=None, simulators=[])


def make_secrets(state: Path, password_file: Path) -> Path:
    """Make what the stack keeps secret, where it is not there: `demo.env` in the state for Mashang's own processes, and
    a password for PostgreSQL in a file that its image can read.  Returns the former's path.

    MASHANG_DATABASE_URL is the database's address with {password} in place of it.  Raises StackError in production.
    """
    refuse_production(os.environ.get("MASHANG_ENV", Environment.DEVELOPMENT))
    kept = load_secrets(private_folder(state))
    named = {
        "MASHANG_DATABASE_URL": _variable("MASHANG_DATABASE_URL").format(password=_password(password_file)),
        "MASHANG_REDIS_URL": _variable("MASHANG_REDIS_URL"),
        "MASHANG_MASTER_KEY": kept.master_key,
        "MASHANG_ADMIN_TOKEN": kept.admin_token,
    }
    path = state / ENVIRONMENT_FILE
    write_private(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in named.items()))
    return path


async def seed_demo(settings: Settings, state: Path, reached_as: str, gateway: str) -> StateSecrets:
    """Give the database the demo's merchants, campaign and rules, and the simulators as channel accounts.

    The simulators find their keys in the state, and `--state` of the other commands finds `gateway` and its keys there.
    What is there already stays.  Raises StackError in production.
    """
    refuse_production(settings.environment)
    kept = load_secrets(private_folder(state))
    simulators = _simulators(state, reached_as)
    database_url = settings.database_url.get_secret_value()
    kept = await seed(settings, state, kept, simulators.accounts)
    await seed_campaign(database_url)
    kept, _ = await seed_kiosk(database_url, Vault(settings.master_key_bytes), state, kept)
    _ready_file(settings, kept, simulators, gateway).write(ready_file_of(state))
    return kept


def refuse_production(environment: str) -> None:
    """Raise StackError there: the demo's wallets move no money, and its keys are shown to whoever looks."""
    if environment == Environment.PRODUCTION:
        raise StackError("The demo's merchants and simulators are not for production (MASHANG_ENV=production).")


def _simulators(state: Path, reached_as: str) -> Provision:
    doors = Doors(reached_as=reached_as)
    return provision(private_folder(state / "keys"), {name: doors.address(port) for name, port in PORTS.items()})


def _ready_file(settings: Settings, kept: StateSecrets, simulators: Provision, gateway: str) -> ReadyFile:
    if kept.merchant is None:
        raise StackError("the demo merchant has not been made")
    return ReadyFile(
        gateway=gateway,
        admin_token=kept.admin_token,
        merchant=kept.merchant,
        simulators=simulators.ready,
        database_url=settings.database_url.get_secret_value(),
        redis_url=settings.redis_url.get_secret_value(),
        processes=_NO_PROCESSES,
    )


def _variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise StackError(f"{name} is not set") from None


def _password(path: Path) -> str:
    """The password in the file; made there, for everybody to read, where there is none."""
    if not path.exists():
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        path.chmod(0o644)
    return path.read_text("utf-8")
