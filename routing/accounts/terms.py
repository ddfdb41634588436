"""The terms of a channel account: what it charges, what it takes, when, and from whom; read from JSON.

Every part may be missing; docs/channel-accounts.md describes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, pairwise
from typing import Any, Final, Self

from routing.accounts.fees import Fee, FeeBand, FeePromotion
from routing.accounts.hours import EVERY_DAY, Hours, Maintenance, OpenTime
from routing.accounts.terms_reading import Given, TermsError
from routing.channels.base import Wallet
from routing.sale import Method

__all__ = ["BEGINNING", "END", "Limits", "Terms", "TermsError"]

BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)
END: Final = datetime(2900, 1, 1, tzinfo=UTC)
"""Nothing is known to change before and after."""
_MERCHANTS_MAX: Final = 1_000
_ENTRIES_MAX: Final = 100
_NOTE_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in fen of what the customer pays; None where there is none.

    `day_fen` and `month_fen` are judged by what all processes have captured, which is known about a second late: the
    channel's own limit is the truth.  `static_code_max_fen` is the regulator's for a printed code.
    """

    payment_min_fen: int = 1
    payment_max_fen: int | None = None
    day_fen: int | None = None
    month_fen: int | None = None
    static_code_max_fen: int | None = None

    @classmethod
    def of(cls, given: Given) -> Self:
        """Read them.  Raises TermsError."""
        parts = given.parts(*cls.__slots__)
        limits = cls(**{name: part.fen(at_least=1) for name, part in parts.items()})
        if limits.payment_max_fen is not None and limits.payment_min_fen > limits.payment_max_fen:
            raise TermsError(f"{given.path}.payment_max_fen", "must not be below payment_min_fen")
        return limits


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything agreed with the channel about one account.  `merchants` and `methods` narrow it; None: all."""

    fee: Fee
    limits: Limits = field(default_factory=Limits)
    hours: Hours | None = None
    maintenance: tuple[Maintenance, ...] = ()
    merchants: frozenset[str] | None = None
    methods: frozenset[Method] | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any] | None, fee_rate_millionths: int) -> Self:
        """Read the JSON of `channel_accounts.terms`; the plain rate holds where there is no `fee`.

        Raises TermsError.
        """
        parts = Given("terms", document or {}).parts(*cls.__slots__)
        return cls(
            fee=_fee(parts["fee"], fee_rate_millionths) if "fee" in parts else Fee(fee_rate_millionths),
            limits=Limits.of(parts["limits"]) if "limits" in parts else Limits(),
            hours=_hours(parts["hours"]) if "hours" in parts else None,
            maintenance=tuple(_maintenance(each) for each in _entries(parts, "maintenance")),
            merchants=parts["merchants"].names(_MERCHANTS_MAX) if "merchants" in parts else None,
            methods=parts["methods"].members(Method) if "methods" in parts else None,
        )

    def is_maintained(self, at: datetime) -> bool:
        """Whether maintenance was announced for that moment."""
        return any(each.covers(at) for each in self.maintenance)

    def is_open(self, at: datetime) -> bool:
        """Whether that moment is within the opening hours; an account without any is always open."""
        return self.hours is None or self.hours.is_open(at)

    def settled(self, at: datetime) -> tuple[datetime, datetime]:
        """From when until when nothing changes around that moment in what is open and what is charged."""
        hours = () if self.hours is None else self.hours.boundaries(at)
        windows = ((each.since, each.until) for each in self.maintenance)
        since, until = BEGINNING, END
        for boundary in chain(hours, *windows, self.fee.boundaries()):
            if boundary <= at:
                since = max(since, boundary)
            else:
                until = min(until, boundary)
        return since, until


def _fee(given: Given, fee_rate_millionths: int) -> Fee:
    parts = given.parts("rate_millionths", "min_fen", "cap_fen", "bands", "promotions")
    fee = Fee(
        rate_millionths=parts["rate_millionths"].rate() if "rate_millionths" in parts else fee_rate_millionths,
        min_fen=parts["min_fen"].fen() if "min_fen" in parts else 0,
        cap_fen=parts["cap_fen"].fen() if "cap_fen" in parts else None,
        bands=tuple(_band(each) for each in _entries(parts, "bands")),
        promotions=tuple(_promotion(each) for each in _entries(parts, "promotions")),
    )
    if fee.cap_fen is not None and fee.min_fen > fee.cap_fen:
        raise TermsError(f"{given.path}.cap_fen", "must not be below min_fen")
    for index, (lower, upper) in enumerate(pairwise(fee.bands)):
        if lower.up_to_fen >= upper.up_to_fen:
            raise TermsError(f"{given.path}.bands[{index + 1}].up_to_fen", "must be above that of the band before")
    return fee


def _band(given: Given) -> FeeBand:
    parts = given.parts("up_to_fen", "rate_millionths", "cap_fen", required=("up_to_fen", "rate_millionths"))
    cap_fen = parts["cap_fen"].fen() if "cap_fen" in parts else None
    return FeeBand(parts["up_to_fen"].fen(at_least=1), parts["rate_millionths"].rate(), cap_fen)


def _promotion(given: Given) -> FeePromotion:
    required = ("from", "until", "rate_millionths")
    parts = given.parts(*required, "wallets", required=required)
    since, until = _window(given, parts)
    wallets = parts["wallets"].members(Wallet) if "wallets" in parts else None
    return FeePromotion(since, until, parts["rate_millionths"].rate(), wallets)


def _maintenance(given: Given) -> Maintenance:
    parts = given.parts("from", "until", "note", required=("from", "until"))
    since, until = _window(given, parts)
    return Maintenance(since, until, parts["note"].text(_NOTE_LENGTH_MAX) if "note" in parts else "")


def _window(given: Given, parts: Mapping[str, Given]) -> tuple[datetime, datetime]:
    since, until = parts["from"].moment(), parts["until"].moment()
    if since >= until:
        raise TermsError(f"{given.path}.until", "must be later than from")
    return since, until


def _hours(given: Given) -> Hours:
    parts = given.parts("timezone", "open", required=("timezone", "open"))
    return Hours(parts["timezone"].zone(), tuple(_open_time(each) for each in _entries(parts, "open")))


def _open_time(given: Given) -> OpenTime:
    parts = given.parts("days", "from", "until", required=("from", "until"))
    days = parts["days"].weekdays() if "days" in parts else EVERY_DAY
    from_minute, until_minute = parts["from"].minute(), parts["until"].minute()
    if from_minute == until_minute:
        raise TermsError(f"{given.path}.until", "must differ from from; a whole day is 00:00 to 24:00")
    return OpenTime(days, from_minute, until_minute)


def _entries(parts: Mapping[str, Given], name: str) -> Iterator[Given]:
    return iter(parts[name].entries(_ENTRIES_MAX) if name in parts else ())
