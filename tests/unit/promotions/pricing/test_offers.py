"""One offer for all accounts, and others where a campaign holds on one account only."""

from __future__ import annotations

from collections.abc import Sequence

from promotions.campaigns.campaign import Campaign
from promotions.facts import Facts
from promotions.offer import Offer
from promotions.pricing import offers_of, price
from tests.support.campaigns import SECRET, campaign, off, payment

USUAL = campaign("cam_a", off(100))
ONLY_DIRECT = campaign("cam_b", off(300))


def matched(facts: Facts) -> list[Campaign]:
    """cam_b has the condition `payment.channel == 'wechat_direct'`."""
    return [USUAL, ONLY_DIRECT] if facts.channel == "wechat_direct" else [USUAL]


def priced(candidates: Sequence[Campaign], facts: Facts) -> Offer:
    return price(candidates, facts, SECRET)


def test_only_accounts_whose_campaigns_differ_have_an_offer_of_their_own() -> None:
    offers = offers_of(payment(), matched, priced, ["wechat_direct", "wechat_reserve"])
    assert offers.everywhere.discount.amount_fen == 100
    assert set(offers.on_account) == {"wechat_direct"}
    assert offers.on("wechat_direct").discount.amount_fen == 300
    assert offers.on("wechat_reserve") is offers.everywhere


def test_without_accounts_there_is_one_offer() -> None:
    offers = offers_of(payment(), matched, priced)
    assert offers.on("wechat_direct") is offers.everywhere
    assert offers.on_account == {}
