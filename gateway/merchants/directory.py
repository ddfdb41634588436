"""The holders of the keys in use, kept in memory so that authentication costs no query; who changes is asked anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN, database_away
from gateway.kernel.errors import NotAuthenticated, NotPermitted
from gateway.kernel.secrets import Vault, secret_hash
from gateway.merchants.changes import MerchantChanges
from gateway.merchants.remembered import Remembered
from gateway.merchants.store import KeyHolder, Merchant, Scope, Signer, find_holder, find_signer

_KEPT_MAX: Final = 100_000
"""Keys of each kind, some 800 bytes each."""
_UNKNOWN_MAX: Final = 20_000
_KEY_LENGTH_MAX: Final = 128


class Directory:
    """Answers who presents a bearer key.  Unknown keys are remembered too, so that guessing costs no query either."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._changes = MerchantChanges(pool)
        self._holders = Remembered[bytes, KeyHolder](_KEPT_MAX)
        """By the header that they present."""
        self._signers = Remembered[str, Signer](_KEPT_MAX)
        self._unknown: dict[bytes | str, None] = {}  # apart, so that guessing does not push out a holder
        self._generation = 0

    async def forget(self) -> None:
        """Something changed: ask the database again for those whom it is about, and for everyone who was unknown."""
        changed = await self._changes.read()
        if changed is not None and not changed:
            return
        self._holders.forget(changed)
        self._signers.forget(changed)
        self._unknown.clear()
        self._generation += 1

    def presented(self, headers: Mapping[bytes, bytes]) -> tuple[Merchant | None, str]:
        """Whose request that is, as far as it can be told at once and without the body; and a name to count it under.

        The merchant is None where it is not proved: a key that nobody has used since the last change, or a signature
        that is yet to be verified, which counts under a name of its own, so that a forged one takes nothing of his.
        """
        holder = self._holders.get(headers.get(b"authorization", b""))
        if (
            holder is not None
            and not holder.merchant.signing_required
            and b"mashang-signature" not in headers
            and b"mashang-key" not in headers
        ):
            return holder.merchant, holder.merchant.id
        signer = self._signers.get(headers.get(b"mashang-key", b"").decode("latin-1"))
        return None, "" if signer is None else f"?{signer.holder.merchant.id}"

    async def authenticate(self, authorization: str | None, scope: Scope) -> KeyHolder:
        """Raises NotAuthenticated without a valid key, NotPermitted where the key lacks the scope."""
        presented = (authorization or "").encode("latin-1", "replace")
        holder = self._holders.get(presented)
        if holder is None:
            holder = await self._find(authorization or "", presented)
        if holder.merchant.signing_required:
            raise NotAuthenticated("signature_required", "This merchant takes signed requests only.")
        return _permitted(holder, scope)

    async def signer(self, key_id: str, scope: Scope) -> Signer:
        """Who signs with that key; the signature is yet to be verified.  Raises like `authenticate`."""
        signer = self._signers.get(key_id)
        if signer is None:
            signer = await self._find_signer(key_id)
        _permitted(signer.holder, scope)
        return signer

    async def _find_signer(self, key_id: str) -> Signer:
        if key_id in self._unknown:
            raise _unknown_signer()
        generation = self._generation
        try:
            found = await find_signer(self._pool, self._vault, key_id)
        except BROKEN:
            raise database_away() from None
        if generation != self._generation:  # a key that was revoked while it was read must not sign
            return await self._find_signer(key_id)
        if found is None:
            self._note_unknown(key_id)
            raise _unknown_signer()
        self._signers.keep(key_id, found, found.holder.merchant.id)
        return found

    async def _find(self, authorization: str, presented: bytes) -> KeyHolder:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret or len(secret) > _KEY_LENGTH_MAX:
            raise NotAuthenticated("missing_key", "Send your key as: Authorization: Bearer sk_…")
        if presented in self._unknown:
            raise _unknown_key()
        generation = self._generation
        try:
            holder = await find_holder(self._pool, secret_hash(secret))
        except BROKEN:
            raise database_away() from None
        if generation == self._generation:  # what was read before a change must not outlive it
            if holder is None:
                self._note_unknown(presented)
            else:
                self._holders.keep(presented, holder, holder.merchant.id)
        if holder is None:
            raise _unknown_key()
        return holder

    def _note_unknown(self, key: bytes | str) -> None:
        self._unknown[key] = None
        if len(self._unknown) > _UNKNOWN_MAX:
            del self._unknown[next(iter(self._unknown))]


def _unknown_key() -> NotAuthenticated:
    return NotAuthenticated("invalid_key", "This key is unknown or revoked.")


def _unknown_signer() -> NotAuthenticated:
    return NotAuthenticated("invalid_key", "This key is unknown or revoked.", param="Mashang-Key")


def _permitted(holder: KeyHolder, scope: Scope) -> KeyHolder:
    if scope not in holder.scopes:
        raise NotPermitted("scope_missing", f"This key may not do that: it lacks the scope “{scope}”.")
    return holder
