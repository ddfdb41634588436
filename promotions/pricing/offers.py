"""The offers of a payment over the accounts that could take it: one for all, others where a condition asks which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from promotions.campaigns.campaign import Campaign
from promotions.facts import Facts
from promotions.offer import Offer

MatchedBy: TypeAlias = Callable[[Facts], Sequence[Campaign]]
PricedBy: TypeAlias = Callable[[Sequence[Campaign], Facts], Offer]
_NOWHERE: Final[Mapping[str, Offer]] = MappingProxyType({})


class Offers(NamedTuple):
    """The offer on any account, and by account where it is another one."""

    everywhere: Offer
    on_account: Mapping[str, Offer] = _NOWHERE

    def on(self, account_id: str) -> Offer:
        """The offer on that account."""
        return self.on_account.get(account_id, self.everywhere)


def offers_of(facts: Facts, matched: MatchedBy, priced: PricedBy, accounts: Iterable[str] = ()) -> Offers:
    """Price a payment without an account, and on each of `accounts` whose campaigns are others.

    Name accounts only where a condition in force looks at `payment.channel`: without an account that field is null.
    """
    candidates = matched(facts)
    everywhere = priced(candidates, facts)
    on_account: dict[str, Offer] = {}
    for account_id in accounts:
        there = facts._replace(channel=account_id)
        own = matched(there)
        if [campaign.id for campaign in own] != [campaign.id for campaign in candidates]:
            on_account[account_id] = priced(own, there)
    return Offers(everywhere, on_account)
