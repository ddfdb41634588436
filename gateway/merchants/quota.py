"""How many payments a merchant may begin a second, and have in flight at once; over all processes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

QUOTA_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Quota:
    """None is no limit of the merchant's own: then the installation's default holds, if there is one."""

    payments_per_s: int | None = None
    payments_burst: int | None = None
    payments_in_flight_max: int | None = None

    def over(self, default: Quota) -> Quota:
        """With the default's where this one has none.  A rate of one's own brings its own burst: a second's worth."""
        own_rate = self.payments_per_s is not None
        rate = self.payments_per_s if own_rate else default.payments_per_s
        burst = self.payments_burst or (None if own_rate else default.payments_burst) or rate
        in_flight_max = self.payments_in_flight_max
        return Quota(rate, burst, default.payments_in_flight_max if in_flight_max is None else in_flight_max)

    @property
    def is_limit(self) -> bool:
        """Whether anything is limited at all."""
        return self.payments_per_s is not None or self.payments_in_flight_max is not None


NO_QUOTA: Final = Quota()
