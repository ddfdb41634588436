"""Channel accounts: do they open, do their channels answer, and how long are their certificates good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.doctor.finding import Area, Finding, Scribe
from gateway.doctor.judging.tls import Reached, judge_expiry, judge_reached

_SCRIBE: Final = Scribe(Area.CHANNELS)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that an account's settings hold."""

    setting: str
    until: datetime


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """`problem` is why it does not open (settings named, never quoted); `inner` are settings with a simulator's or an
    inner address; `hosts` are those it calls, as keys of ChannelFacts.reached.
    """

    id: str
    channel: str
    status: str
    problem: str | None
    inner: Sequence[str]
    certificates: Sequence[Certificate]
    hosts: Sequence[str]


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """The accounts that are not disabled, and what their hosts answered."""

    accounts: Sequence[AccountFacts]
    reached: Mapping[str, Reached]
    now: datetime


def judge_channels(facts: ChannelFacts) -> list[Finding]:
    """A finding or more for each account, and one for each host."""
    if not facts.accounts:
        return [
            _SCRIBE.problem("accounts", "no account is enabled: nothing can be paid", "Make one: docs/going-live.md")
        ]
    found = [finding for account in facts.accounts for finding in _account(account, facts.now)]
    for host, reached in sorted(facts.reached.items()):
        advice = f"Open the way out to {host}:443 (DNS, firewall, egress policy), and look at its certificate chain."
        found += judge_reached(_SCRIBE, f"host.{host}", reached, facts.now, advice)
    return found


def _account(account: AccountFacts, now: datetime) -> Iterator[Finding]:
    name = f"account.{account.id}"
    if account.problem is not None:
        advice = f"Put it right: mashang routing accounts, PATCH or rotate {account.id} (docs/channel-accounts.md)."
        yield _SCRIBE.problem(name, f"{account.channel}: does not open: {account.problem}", advice)
        return
    if account.inner:
        told = f"{account.channel}: {', '.join(account.inner)} no public https address: a simulator's, or inside"
        yield _SCRIBE.problem(
            name, told, "Production refuses it: use the channel's own addresses (docs/going-live.md)."
        )
    else:
        yield _SCRIBE.ok(name, f"{account.channel}, {account.status}: opens, at public addresses")
    for certificate in account.certificates:
        advice = "Get the next one from the channel and rotate: docs/channel-accounts.md, “Rotate credentials”."
        what = certificate.setting
        yield judge_expiry(_SCRIBE, f"{name}.{what}", f"{account.id}: {what}", certificate.until - now, advice)
    if account.channel == "wechat":
        why = "the merchant API certificate's end is not known here: only its serial is stored"
        yield _SCRIBE.not_checked(f"{name}.expiry", why, "Note its end from the merchant platform (five years).")
