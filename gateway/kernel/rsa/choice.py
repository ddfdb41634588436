"""What can make RSA signatures, by name; the settings read it, so nothing else is imported with it."""

from __future__ import annotations

from enum import StrEnum


class RsaChoice(StrEnum):
    """What makes RSA signatures."""

    AUTO = "auto"
    OPENSSL = "openssl"
    MULTIBUFFER = "multibuffer"
