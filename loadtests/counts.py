"""What the gateway's own metrics say of a stretch of load: rows per batch, signed calls and decisions per payment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from gateway.kernel.rsa.choice import RsaChoice

KEYED_ACCOUNTS: Final = frozenset({"unionpay_keyed", "unionpay_front"})
"""The accounts of a stack whose calls are not signed with RSA."""


@dataclass(frozen=True, slots=True)
class Signing:
    """How RSA signatures were made: `alone` by OpenSSL, `together` by `calls` of the multi-buffer library."""

    alone: float = 0.0
    together: float = 0.0
    calls: float = 0.0

    def __add__(self, other: Signing) -> Signing:
        return Signing(self.alone + other.alone, self.together + other.together, self.calls + other.calls)

    def __sub__(self, earlier: Signing) -> Signing:
        return self + earlier * -1.0

    def __mul__(self, times: float) -> Signing:
        return Signing(self.alone * times, self.together * times, self.calls * times)

    @property
    def per_call(self) -> float:
        """The mean number of signatures that a call of the library made; 0 without calls."""
        return self.together / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals since the gateway started; the difference of two is what happened in between."""

    payments: float
    signed_calls: float
    decisions: float = 0.0
    missed: float = 0.0
    """Decisions without some features: they had not come by the deadline, or nobody could be asked."""
    rows: Counter[str] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    signing: Signing = field(default_factory=Signing)

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(
            self.payments - earlier.payments,
            self.signed_calls - earlier.signed_calls,
            self.decisions - earlier.decisions,
            self.missed - earlier.missed,
            self.rows - earlier.rows,
            self.batches - earlier.batches,
            self.signing - earlier.signing,
        )

    @property
    def rows_per_batch(self) -> dict[str, float]:
        """The mean size of each kind of batch."""
        return {name: self.rows[name] / batches for name, batches in self.batches.items()}

    @property
    def signed_calls_per_payment(self) -> float:
        """Calls with a signature of ours and one of the channel's: UnionPay asks for the result, so it takes two."""
        return self.signed_calls / self.payments if self.payments else 0.0

    @property
    def signing_per_payment(self) -> Signing:
        """Signatures of requests, by the way in which they were made."""
        return self.signing * (1 / self.payments) if self.payments else Signing()

    @property
    def decisions_per_payment(self) -> float:
        """One where risk rules are in force."""
        return self.decisions / self.payments if self.payments else 0.0

    @property
    def missed_share(self) -> float:
        """Of the decisions."""
        return self.missed / self.decisions if self.decisions else 0.0


def read_counts(exposition: str) -> Counts:
    """Read them from what /metrics answers."""
    payments = signed_calls = decisions = missed = 0.0
    rows: Counter[str] = Counter()
    batches: Counter[str] = Counter()
    signing = Signing()
    for name, labels, value in _samples(exposition):
        match name:
            case "mashang_payments_total":
                payments += value
            case "mashang_channel_calls_total" if labels["account"] not in KEYED_ACCOUNTS:
                signed_calls += value
            case "mashang_risk_decisions_total":
                decisions += value
            case "mashang_risk_features_missed_total":
                missed += value
            case "mashang_batch_rows_sum":
                rows[labels["batch"]] += value  # type: ignore[assignment]  # whole numbers, as floats
            case "mashang_batch_rows_count":
                batches[labels["batch"]] += value  # type: ignore[assignment]
            case "mashang_rsa_signatures_total" if labels["way"] == RsaChoice.OPENSSL:
                signing += Signing(alone=value)
            case "mashang_rsa_signatures_total":
                signing += Signing(together=value)
            case "mashang_rsa_calls_total":
                signing += Signing(calls=value)
    return Counts(payments, signed_calls, decisions, missed, rows, batches, signing)


def _samples(exposition: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
