"""Whose customers, devices or tills a command is about: the same id is another customer at another merchant."""

from __future__ import annotations

from typing import NamedTuple

from gateway.commandline.admin import AdminTarget
from gateway.devstack.options import ready_file_of
from gateway.devstack.ready import read_ready_file
from gateway.processes.errors import StackError


class Owner(NamedTuple):
    """Whose they are: a merchant's or a realm's, as they were named."""

    merchant_id: str | None
    realm: str | None

    def of(self, target: AdminTarget) -> dict[str, str]:
        """As the API takes it; the demo merchant where nobody is named.  Raises StackError where two are."""
        if self.realm is None:
            return {"merchant_id": self.merchant_id or read_ready_file(ready_file_of(target.state)).merchant.id}
        if self.merchant_id is not None:
            raise StackError("--realm does not go with --merchant.")
        return {"realm": self.realm}
