"""Why the campaigns that a payment did not meet do not apply to it."""

from __future__ import annotations

from datetime import timedelta

from promotions.campaigns.campaign import Stacking, Status
from promotions.campaigns.fields import condition
from promotions.campaigns.matching import set_of
from promotions.campaigns.passing_over import passed_over
from promotions.offer import Reason
from tests.support.campaigns import NOON, campaign, payment


def test_each_campaign_has_its_reason() -> None:
    campaigns = set_of(
        [
            campaign("cam_a", condition=condition("payment.hour < 7")),
            campaign("cam_b", status=Status.PAUSED),
            campaign("cam_c", starts_at=NOON + timedelta(seconds=1)),
            campaign("cam_d", ends_at=NOON, condition=condition("payment.hour < 7")),
            campaign("cam_e"),
        ]
    )
    assert [(each.campaign_id, each.reason, each.detail) for each in passed_over(campaigns, payment())] == [
        ("cam_d", Reason.NOT_NOW, "It was over at 2026-11-22T04:00:00.000Z."),
        ("cam_c", Reason.NOT_NOW, "It begins at 2026-11-22T04:00:01.000Z."),
        ("cam_b", Reason.NOT_NOW, "It is paused."),
        ("cam_a", Reason.CONDITION, "“payment.hour < 7” is not true: payment.hour is 12."),
    ]


def test_campaigns_of_high_priority_come_first_and_those_told_already_not_at_all() -> None:
    campaigns = set_of(
        [campaign(f"cam_{n}", status=Status.PAUSED, stacking=Stacking(priority=n % 3)) for n in range(6)]
    )
    found = passed_over(campaigns, payment(), told={"cam_5"}, most=3)
    assert [each.campaign_id for each in found] == ["cam_2", "cam_4", "cam_1"]
