"""The best legal combination: held against trying every one, and the rules one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from promotions.campaigns.campaign import (
    CAMPAIGNS_MAX,
    Benefit,
    Campaign,
    CouponReward,
    FeeOff,
    FixedPrice,
    Mode,
    PercentOff,
    Stacking,
)
from promotions.pricing.stacking import Bid, combine
from tests.support.campaigns import bid_of, campaign, cascading, exclusive, off


def bids_of(campaigns: Sequence[Campaign], amount_fen: int) -> list[Bid]:
    return [bid_of(each, amount_fen) for each in campaigns]


def taken_of(campaigns: Sequence[Campaign], amount_fen: int) -> list[tuple[str, int]]:
    taken = combine(bids_of(campaigns, amount_fen), amount_fen)
    return [(each.bid.campaign.id, each.discount_fen) for each in taken]


def is_legal(campaigns: Sequence[Campaign]) -> bool:
    """As docs/campaigns.md says it, written down once more."""
    if len(campaigns) > CAMPAIGNS_MAX:
        return False
    modes: dict[str, list[Mode]] = {}
    for each in campaigns:
        modes.setdefault(each.stacking.group, []).append(each.stacking.mode)
    if any(Mode.EXCLUSIVE in found for found in modes.values()) and len(campaigns) > 1:
        return False
    return all(len(found) == 1 or Mode.BEST not in found for found in modes.values())


def total_of(bids: Sequence[Bid], group_places: dict[str, int], amount_fen: int) -> int:
    """What a combination comes to: one after the other by group and turn, cut to the lowest cap."""
    left_fen = amount_fen
    for bid in sorted(bids, key=lambda bid: (group_places.get(bid.campaign.stacking.group, 0), bid.terms.turn)):
        left_fen -= bid.discount_of(left_fen) if bid.discount_of else 0
    return min(amount_fen - left_fen, *[bid.cap_fen for bid in bids], amount_fen - 1)


def every_legal(bids: Sequence[Bid]) -> Iterator[tuple[Bid, ...]]:
    for number in range(1, CAMPAIGNS_MAX + 1):
        for chosen in combinations(bids, number):
            if is_legal([bid.campaign for bid in chosen]):
                yield chosen


def places_of(bids: Sequence[Bid]) -> dict[str, int]:
    """The order of the groups."""
    places: dict[str, int] = {}
    for bid in sorted(discounts_of(bids), key=lambda bid: bid.terms.turn):
        if bid.campaign.stacking.mode is not Mode.EXCLUSIVE:
            places.setdefault(bid.campaign.stacking.group, len(places))
    return places


def discounts_of(bids: Sequence[Bid]) -> list[Bid]:
    return [bid for bid in bids if bid.alone_fen > 0 and bid.cap_fen > 0]


def best_by_trying(bids: Sequence[Bid], amount_fen: int) -> int:
    """The largest total."""
    places = places_of(bids)
    return max((total_of(chosen, places, amount_fen) for chosen in every_legal(discounts_of(bids))), default=0)


benefits: st.SearchStrategy[Benefit] = st.one_of(
    st.integers(1, 60).map(off),
    st.builds(PercentOff, st.integers(1, 100).map(Decimal), st.none() | st.integers(1, 60)),
    st.integers(1, 120).map(FixedPrice),
    st.just(FeeOff(Decimal(50))),
    st.just(CouponReward("cam_z")),
)
stackings = st.builds(
    Stacking,
    st.sampled_from(["a", "a", "b", "c"]),
    st.sampled_from([Mode.BEST, Mode.CASCADING, Mode.CASCADING, Mode.EXCLUSIVE]),
    st.integers(0, 3),
    st.none() | st.none() | st.integers(1, 90),
    st.none() | st.none() | st.integers(1, 100).map(Decimal),
)
campaign_sets = st.lists(st.tuples(benefits, stackings), max_size=9).map(
    lambda found: [campaign(f"cam_{n}", benefit, stacking=stacking) for n, (benefit, stacking) in enumerate(found)]
)


@settings(max_examples=400, deadline=None)
@given(campaign_sets, st.integers(1, 150), st.randoms(use_true_random=False))
def test_it_finds_what_trying_every_combination_finds(
    campaigns: list[Campaign], amount_fen: int, chance: object
) -> None:
    bids = bids_of(campaigns, amount_fen)
    taken = combine(bids, amount_fen)
    chosen = [each.bid.campaign for each in taken]
    assert is_legal(chosen)
    total_fen = sum(each.discount_fen for each in taken)
    assert total_fen == best_by_trying(bids, amount_fen)
    discounts = [each.bid for each in taken if each.bid.discount_of is not None]
    for bid in discounts:
        others = [other for other in discounts if other is not bid]
        assert not others or total_of(others, places_of(bids), amount_fen) < total_fen, "none could be left out"
    assert all(each.discount_fen > 0 for each in taken if each.bid.discount_of is not None)
    assert total_fen <= min([amount_fen - 1, *[each.bid.cap_fen for each in taken]])
    chance.shuffle(bids)  # type: ignore[attr-defined]
    assert combine(bids, amount_fen) == taken


@given(campaign_sets, st.integers(2, 150))
def test_whoever_is_left_out_would_not_have_been_legal_or_gives_nothing_more(
    campaigns: list[Campaign], amount_fen: int
) -> None:
    taken = combine(bids_of(campaigns, amount_fen), amount_fen)
    total_fen = sum(each.discount_fen for each in taken)
    chosen = [each.bid.campaign for each in taken]
    for bid in bids_of(campaigns, amount_fen):
        if bid.discount_of is None and bid.campaign not in chosen and bid.cap_fen >= total_fen:
            assert not is_legal([*chosen, bid.campaign])


def test_of_a_group_of_best_ones_the_best_applies() -> None:
    campaigns = [campaign("cam_a", off(300)), campaign("cam_b", off(500)), campaign("cam_c", off(400))]
    assert taken_of(campaigns, 2_000) == [("cam_b", 500)]


def test_between_equals_priority_decides_and_then_the_id() -> None:
    equals = [campaign("cam_b", off(500)), campaign("cam_a", off(500))]
    assert taken_of(equals, 2_000) == [("cam_a", 500)]
    first = campaign("cam_c", off(500), stacking=Stacking(priority=1))
    assert taken_of([*equals, first], 2_000) == [("cam_c", 500)]


def test_groups_go_together_each_off_what_is_left() -> None:
    half = campaign("cam_a", PercentOff(Decimal(50)), stacking=Stacking("bank", Mode.BEST, 1))
    other = campaign("cam_b", PercentOff(Decimal(50)), stacking=Stacking("merchant"))
    assert taken_of([other, half], 2_000) == [("cam_a", 1_000), ("cam_b", 500)]


def test_cascading_ones_follow_one_another_by_priority() -> None:
    tenth = campaign("cam_a", PercentOff(Decimal(10)), stacking=cascading(1))
    three = campaign("cam_b", off(300), stacking=cascading(2))
    assert taken_of([tenth, three], 2_000) == [("cam_b", 300), ("cam_a", 170)]


def test_a_best_one_stands_alone_in_its_group_against_all_its_cascading_ones() -> None:
    small = [campaign(f"cam_{n}", off(200), stacking=cascading()) for n in range(3)]
    assert taken_of([*small, campaign("cam_x", off(599))], 2_000) == [("cam_0", 200), ("cam_1", 200), ("cam_2", 200)]
    assert taken_of([*small, campaign("cam_x", off(601))], 2_000) == [("cam_x", 601)]


def test_an_exclusive_one_applies_only_where_it_beats_all_others_together() -> None:
    others = [
        campaign("cam_a", off(300), stacking=Stacking("bank")),
        campaign("cam_b", off(300), stacking=Stacking("merchant")),
    ]
    assert taken_of([*others, campaign("cam_x", off(601), stacking=exclusive())], 2_000) == [("cam_x", 601)]
    assert len(taken_of([*others, campaign("cam_x", off(599), stacking=exclusive())], 2_000)) == 2
    assert taken_of([*others, campaign("cam_x", off(600), stacking=exclusive())], 2_000) == [("cam_x", 600)]


def test_five_campaigns_at_most_and_the_best_five() -> None:
    many = [campaign(f"cam_{n}", off(100 + n), stacking=cascading()) for n in range(8)]
    assert [id_ for id_, _ in taken_of(many, 2_000)] == ["cam_3", "cam_4", "cam_5", "cam_6", "cam_7"]


def test_the_last_discount_is_cut_to_the_lowest_cap() -> None:
    capped = campaign("cam_a", off(400), stacking=cascading(2, total_max_fen=700))
    other = campaign("cam_b", off(400), stacking=cascading(1))
    assert taken_of([capped, other], 2_000) == [("cam_a", 400), ("cam_b", 300)]


def test_a_campaign_whose_cap_would_cost_more_than_it_gives_is_left_out() -> None:
    capped = campaign("cam_a", off(100), stacking=cascading(2, total_max_percent=Decimal(10)))
    other = campaign("cam_b", off(400), stacking=cascading(1))
    assert taken_of([capped, other], 2_000) == [("cam_b", 400)]


def test_the_customer_pays_a_fen_at_least() -> None:
    assert taken_of([campaign(benefit=off(500))], 500) == [("cam_a", 499)]
    assert taken_of([campaign(benefit=off(500))], 1) == []


def test_rewards_and_fees_are_added_where_they_are_legal() -> None:
    discount = campaign("cam_a", off(300))
    same_group = campaign("cam_b", CouponReward("cam_z"))
    other_group = campaign("cam_c", CouponReward("cam_z"), stacking=Stacking("rewards"))
    fee = campaign("cam_d", FeeOff(Decimal(50)), stacking=Stacking("fees", total_max_fen=299))
    assert taken_of([discount, same_group, other_group, fee], 2_000) == [("cam_a", 300), ("cam_c", 0)]
    assert taken_of([same_group, other_group, fee], 2_000) == [("cam_b", 0), ("cam_c", 0), ("cam_d", 0)]


def adversarial() -> list[Campaign]:
    """A hundred campaigns of ten groups, each with a cap of its own."""
    return [
        campaign(
            f"cam_{n:03d}",
            PercentOff(Decimal(1 + n % 30), 90 + n % 17) if n % 2 else off(40 + n),
            stacking=cascading(n % 7, f"group_{n % 10}", total_max_fen=300 + 5 * n),
        )
        for n in range(100)
    ]


def test_a_hundred_campaigns_with_a_hundred_caps_take_no_longer_than_a_few_passes() -> None:
    bids = bids_of(adversarial(), 5_000)
    calls = 0

    def counted(bid: Bid) -> Bid:
        def discount(left_fen: int) -> int:
            nonlocal calls
            calls += 1
            assert bid.discount_of is not None
            return bid.discount_of(left_fen)

        return bid._replace(discount_of=discount)

    taken = combine([counted(bid) for bid in bids], 5_000)
    assert len(taken) == CAMPAIGNS_MAX
    assert calls <= 100 * CAMPAIGNS_MAX * 10
