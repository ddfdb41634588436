"""What a claim is told without the database, and when only the database can say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from gateway.database.group_commit import GroupCommit
from promotions.campaigns.campaign import CouponTerms, Status
from promotions.coupons.campaigns import CouponCampaign
from promotions.coupons.claiming import Claim, Claimed, Claiming, ClaimRefusal, Refused, fits_card
from promotions.coupons.taking import Receiver, Refusal, TakeResult, TakeRow

NOW: Final = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
CAMPAIGN: Final = "cam_1"


class Clock:
    """The database's time, as far as this process knows."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def heard(self, at: datetime) -> None:
        self.at = at


class Known:
    """What the process knows of campaigns: one after the other, each until it is forgotten."""

    def __init__(self, *campaigns: CouponCampaign | None) -> None:
        self.clock: Any = Clock()
        self._campaigns = list(campaigns)

    async def find(self, campaign_id: str) -> CouponCampaign | None:
        return self._campaigns[0]

    def forget_one(self, campaign: CouponCampaign) -> None:
        if len(self._campaigns) > 1:
            self._campaigns.pop(0)


class Database:
    """Answers rows as it is told to, and remembers them."""

    def __init__(self, answer: Callable[[TakeRow], TakeResult]) -> None:
        self.rows: list[TakeRow] = []
        self._answer = answer

    async def flush(self, rows: Sequence[TakeRow]) -> Sequence[TakeResult | Exception]:
        self.rows += rows
        return [self._answer(row) for row in rows]


def campaign(version: int = 1, status: Status = Status.ACTIVE, **terms: Any) -> CouponCampaign:
    return CouponCampaign(CAMPAIGN, version, status, "满20减5", CouponTerms(**terms))


def taken(row: TakeRow) -> TakeResult:
    return TakeResult(None, False, row.id, row.campaign_id, NOW, None, NOW)


def refused(reason: Refusal) -> Callable[[TakeRow], TakeResult]:
    return lambda _: TakeResult(reason, False, None, None, None, None, NOW)


def claiming(known: Known, database: Database) -> Claiming:
    takes = GroupCommit("test", database.flush, rows_max=8, queue_max=64, linger_ms_max=0)
    return Claiming(known, takes)  # type: ignore[arg-type]  the book is played


def claim(customer: int = 1, **more: Any) -> Claim:
    return Claim(CAMPAIGN, Receiver(b"%d" % customer, "mer_1", "mer_1"), **more)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (None, ClaimRefusal.NO_COUPONS),
        (campaign(status=Status.DRAFT), ClaimRefusal.NO_COUPONS),
        (campaign(status=Status.PAUSED), ClaimRefusal.PAUSED),
        (campaign(status=Status.ENDED), ClaimRefusal.OVER),
        (campaign(claimable=False), ClaimRefusal.NOT_CLAIMABLE),
        (campaign(bins=("622202",)), ClaimRefusal.WRONG_CARD),
        (campaign(claim_from=NOW + timedelta(seconds=2.1)), ClaimRefusal.NOT_OPEN_YET),
    ],
)
async def test_some_claims_never_reach_the_database(known: CouponCampaign | None, reason: ClaimRefusal) -> None:
    database = Database(taken)
    told = await claiming(Known(known), database).claim(claim(card_bin="400000"))
    assert isinstance(told, Refused)
    assert (told.reason, database.rows) == (reason, [])


async def test_near_the_set_second_the_database_decides_and_says_how_long_it_is() -> None:
    opens_at = NOW + timedelta(seconds=1.9)
    database = Database(refused(Refusal.NOT_OPEN_YET))
    told = await claiming(Known(campaign(claim_from=opens_at)), database).claim(claim())
    assert told == Refused(ClaimRefusal.NOT_OPEN_YET, opens_at, 1.9)
    assert len(database.rows) == 1


async def test_sold_out_is_remembered_until_the_campaigns_next_version() -> None:
    database = Database(refused(Refusal.SOLD_OUT))
    known = Known(campaign(1), campaign(2))
    desk = claiming(known, database)
    for customer in range(3):
        told = await desk.claim(claim(customer))
        assert isinstance(told, Refused)
        assert told.reason is ClaimRefusal.SOLD_OUT
    assert len(database.rows) == 1
    known.forget_one(campaign(1))
    await desk.claim(claim(4))
    assert [row.version for row in database.rows] == [1, 2]


async def test_a_claim_with_a_key_is_looked_up_even_when_all_is_sold_out() -> None:
    database = Database(refused(Refusal.SOLD_OUT))
    desk = claiming(Known(campaign()), database)
    await desk.claim(claim(1))
    await desk.claim(claim(2, key="again"))
    assert [row.claim_key for row in database.rows] == [None, "again"]


async def test_a_campaign_that_changed_is_read_again() -> None:
    database = Database(
        lambda row: taken(row) if row.version == 2 else TakeResult(Refusal.CHANGED, False, *[None] * 4, NOW)
    )
    told = await claiming(Known(campaign(1), campaign(2)), database).claim(claim())
    assert isinstance(told, Claimed)
    assert [row.version for row in database.rows] == [1, 2]


async def test_a_campaign_that_changes_faster_than_it_is_read_is_given_up() -> None:
    database = Database(refused(Refusal.CHANGED))
    told = await claiming(Known(campaign()), database).claim(claim())
    assert told == Refused(ClaimRefusal.BUSY)
    assert len(database.rows) == 4


async def test_a_row_that_was_sent_twice_is_no_repetition_and_one_under_another_id_is() -> None:
    own = Database(lambda row: taken(row)._replace(replayed=True))
    other = Database(lambda row: taken(row)._replace(replayed=True, id="cpn_before"))
    first = await claiming(Known(campaign()), own).claim(claim(key="k"))
    second = await claiming(Known(campaign()), other).claim(claim(key="k"))
    assert isinstance(first, Claimed)
    assert isinstance(second, Claimed)
    assert (first.replayed, second.replayed, second.coupon_id) == (False, True, "cpn_before")


async def test_a_key_that_got_another_campaigns_coupon_is_refused() -> None:
    database = Database(lambda row: taken(row)._replace(replayed=True, id="cpn_2", campaign_id="cam_2"))
    assert await claiming(Known(campaign()), database).claim(claim(key="k")) == Refused(ClaimRefusal.KEY_REUSED)


@pytest.mark.parametrize(
    ("bins", "card_bin", "fits"),
    [
        ((), "400000", True),
        (("622202",), "622202", True),
        (("622202",), "62220201", True),
        (("62220201",), "622202", True),
        (("62220201",), "62220202", False),
        (("622202", "621700"), "621700", True),
        (("622202",), "400000", False),
    ],
)
def test_a_card_fits_by_as_many_digits_as_are_known(bins: tuple[str, ...], card_bin: str, fits: bool) -> None:
    assert fits_card(bins, card_bin) is fits
