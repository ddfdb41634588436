"""The holders of the keys in use, kept in memory so that authentication costs no query; emptied with every change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import asyncpg

from gateway.database.batches import BROKEN, database_away
from gateway.kernel.errors import NotAuthenticated, NotPermitted
from gateway.kernel.secrets import Vault, secret_hash
from gateway.merchants.store import KeyHolder, Merchant, Scope, Signer, find_holder, find_signer

_KEPT_MAX: Final = 20_000
_KEY_LENGTH_MAX: Final = 128


class Directory:
    """Answers who presents a bearer key.  Unknown keys are remembered too, so that guessing costs no query either."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault
        self._holders: OrderedDict[bytes, KeyHolder] = OrderedDict()
        self._unknown: OrderedDict[bytes, None] = OrderedDict()  # apart, so that guessing does not push out a holder
        self._presented: dict[bytes, KeyHolder] = {}
        self._signers: OrderedDict[str, Signer | None] = OrderedDict()
        self._generation = 0

    async def forget(self) -> None:
        """Something changed: ask the database again for everyone."""
        self._holders.clear()
        self._presented.clear()
        self._unknown.clear()
        self._signers.clear()
        self._generation += 1

    def presented(self, headers: Mapping[bytes, bytes]) -> tuple[Merchant | None, str]:
        """Whose request that is, as far as it can be told at once and without the body; and a name to count it under.

        The merchant is None where it is not proved: a key that nobody has used since the last change, or a signature
        that is yet to be verified, which counts under a name of its own, so that a forged one takes nothing of his.
        """
        holder = self._presented.get(headers.get(b"authorization", b""))
        if holder is not None and b"mashang-signature" not in headers and b"mashang-key" not in headers:
            return holder.merchant, holder.merchant.id
        signer = self._signers.get(headers.get(b"mashang-key", b"").decode("latin-1"))
        return None, "" if signer is None else f"?{signer.holder.merchant.id}"

    async def authenticate(self, authorization: str | None, scope: Scope) -> KeyHolder:
        """Raises NotAuthenticated without a valid key, NotPermitted where the key lacks the scope."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret or len(secret) > _KEY_LENGTH_MAX:
            raise NotAuthenticated("missing_key", "Send your key as: Authorization: Bearer sk_…")
        generation = self._generation
        holder = await self._find(secret_hash(secret))
        if holder is None:
            raise NotAuthenticated("invalid_key", "This key is unknown or revoked.")
        if holder.merchant.signing_required:
            raise NotAuthenticated("signature_required", "This merchant takes signed requests only.")
        if generation == self._generation:
            if len(self._presented) >= _KEPT_MAX:
                self._presented.clear()
            self._presented[(authorization or "").encode("latin-1")] = holder
        return _permitted(holder, scope)

    async def signer(self, key_id: str, scope: Scope) -> Signer:
        """Who signs with that key; the signature is yet to be verified.  Raises like `authenticate`."""
        if key_id not in self._signers:
            generation = self._generation
            try:
                found = await find_signer(self._pool, self._vault, key_id)
            except BROKEN:
                raise database_away() from None
            if generation != self._generation:
                return await self.signer(key_id, scope)
            self._signers[key_id] = found
            if len(self._signers) > _KEPT_MAX:
                self._signers.popitem(last=False)
        signer = self._signers[key_id]
        if signer is None:
            raise NotAuthenticated("invalid_key", "This key is unknown or revoked.", param="Mashang-Key")
        _permitted(signer.holder, scope)
        return signer

    async def _find(self, hashed: bytes) -> KeyHolder | None:
        if (known := self._holders.get(hashed)) is not None or hashed in self._unknown:
            return known
        generation = self._generation
        try:
            holder = await find_holder(self._pool, hashed)
        except BROKEN:
            raise database_away() from None
        if generation == self._generation:  # what was read before a change must not outlive it
            if holder is None:
                self._unknown[hashed] = None
            else:
                self._holders[hashed] = holder
            for kept in (self._holders, self._unknown):
                if len(kept) > _KEPT_MAX:
                    kept.popitem(last=False)
        return holder


def _permitted(holder: KeyHolder, scope: Scope) -> KeyHolder:
    if scope not in holder.scopes:
        raise NotPermitted("scope_missing", f"This key may not do that: it lacks the scope “{scope}”.")
    return holder
