"""What a caller asks for in headers: how long the answer may take, and the key under which a repetition is known."""

from __future__ import annotations

import re
from typing import Final

from gateway.kernel.errors import InvalidRequest
from gateway.settings import Settings

_PREFER_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*([^,;\s]*)")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def wait_s(settings: Settings, prefer: str | None) -> float:
    """The caller's wait from `Prefer: wait=N`; other preferences are ignored, as RFC 7240 asks."""
    found = _PREFER_WAIT.search(prefer or "")
    if found is None:
        return settings.wait_default_s
    if not re.fullmatch(r"[0-9]{1,4}", found[1]):
        raise InvalidRequest("invalid_header", "Prefer: wait=N takes whole seconds.", param="Prefer")
    return min(float(found[1]), settings.wait_max_s)


def idempotency_key(value: str | None) -> str | None:
    """The key, checked."""
    if value is not None and not _KEY.fullmatch(value):
        raise InvalidRequest(
            "invalid_header", "Idempotency-Key takes 1 to 255 visible ASCII characters.", param="Idempotency-Key"
        )
    return value
