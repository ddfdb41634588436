"""Before a process of the service starts: whether it can sign as the settings ask it to."""

from __future__ import annotations

from gateway.kernel.rsa.choice import RsaChoice
from gateway.kernel.rsa.choosing import find_way
from gateway.kernel.rsa.crypto_mb import CryptoMbUnavailableError
from gateway.processes.errors import StackError
from gateway.settings import Settings


def require_rsa(settings: Settings) -> None:
    """Raises StackError where the settings want the multi-buffer library and it does not work here."""
    if settings.rsa is not RsaChoice.MULTIBUFFER:
        return
    try:
        find_way(settings.rsa, settings.crypto_mb_library)
    except CryptoMbUnavailableError as error:
        raise StackError(f"MASHANG_RSA=multibuffer cannot be kept to: {error}.") from None
