"""The secrets of one development state: made once, kept in a file for the owner's eyes only."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from pydantic import BaseModel

from gateway.devstack.files import write_private


class MerchantSecrets(BaseModel):
    """A merchant of the demo and what its till holds."""

    id: str
    api_key: str
    key_id: str
    signing_secret: str
    webhook_secret: str


class StateSecrets(BaseModel):
    """What the stack must know again at the next start; the database holds only hashes and ciphertexts."""

    master_key: str
    admin_token: str
    merchant: MerchantSecrets | None = None
    kiosk: MerchantSecrets | None = None


def load_secrets(state: Path) -> StateSecrets:
    """Read the state's secrets, or make and keep them.  MASHANG_MASTER_KEY and MASHANG_ADMIN_TOKEN go first."""
    path = state / "secrets.json"
    if path.exists():
        kept = StateSecrets.model_validate_json(path.read_bytes())
    else:
        kept = StateSecrets(
            master_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            admin_token=f"adm_test_{secrets.token_urlsafe(24)}",
        )
    named = {
        field: os.environ[variable]
        for field, variable in (("master_key", "MASHANG_MASTER_KEY"), ("admin_token", "MASHANG_ADMIN_TOKEN"))
        if os.environ.get(variable)
    }
    kept = kept.model_copy(update=named)
    save_secrets(state, kept)
    return kept


def save_secrets(state: Path, kept: StateSecrets) -> None:
    """Write the secrets in one step."""
    write_private(state / "secrets.json", kept.model_dump_json(indent=2))
