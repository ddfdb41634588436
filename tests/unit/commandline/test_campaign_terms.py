"""How `mashang campaign show` puts a campaign's rules."""

from __future__ import annotations

from typing import Any

from gateway.commandline.campaigns.tables import runs_of
from gateway.commandline.campaigns.terms import terms_of

PLAIN: dict[str, Any] = {
    "limits": {"budget": 1000, "per_customer": None},
    "coupon": None,
    "pacing": None,
    "stacking": None,
    "on_refund": {"budget": "return", "limits": "keep"},
    "when_exhausted": "charge_full",
}


def test_a_campaign_without_rules_says_only_what_a_refund_does() -> None:
    assert dict(terms_of(PLAIN)) == {"a refund": "gives the budget back"}


def test_limits_of_one_customer_are_told_with_their_numbers() -> None:
    limits = {"lifetime": 3, "day": 1, "amount": 10_000, "amount_per_day": None}
    told = dict(terms_of(PLAIN | {"limits": {"budget": None, "per_customer": limits}}))
    assert told["per customer"] == "3 payments, 1 a day, at most ¥100.00"


def test_a_flash_sale_says_how_its_coupons_are_had() -> None:
    coupon = {"stock": 1000, "per_customer": 1, "claim_from": "2030-06-18T10:00:00.000Z", "bins": ["622202"]}
    told = dict(terms_of(PLAIN | {"coupon": coupon, "when_exhausted": "decline"}))
    assert told["coupon"] == (
        "claimed by customers; 1,000 in stock; 1 per customer; from 2030-06-18T10:00:00.000Z; cards 622202"
    )
    assert told["when gone"] == "the payment is declined"


def test_the_rest_is_told_where_it_is_there() -> None:
    stacking = {"group": "bank", "mode": "cascading", "priority": 5, "total_max": None, "total_max_percent": "30"}
    told = dict(
        terms_of(
            PLAIN
            | {
                "coupon": {"code": "SPRING5"},
                "pacing": {"curve": "even"},
                "stacking": stacking,
                "on_refund": {"budget": "keep", "limits": "return_on_full"},
            }
        )
    )
    assert told["coupon"] == "whoever sends “SPRING5”"
    assert told["pacing"] == "evenly over the day"
    assert told["stacking"] == "group bank, cascading, priority 5, at most 30 % of the amount"
    assert told["a refund"] == "gives the budget nothing back, a full one the limits too"


def test_a_campaign_runs_from_its_activation_where_nothing_else_is_said() -> None:
    draft = {"starts_at": None, "ends_at": None, "timezone": "Asia/Shanghai"}
    assert runs_of(draft) == "from its activation until it is ended; days in Asia/Shanghai"
    ended = draft | {"activated_at": "2030-01-01T00:00:00.000Z", "ended_at": "2030-02-01T00:00:00.000Z"}
    assert runs_of(ended).startswith("from 2030-01-01T00:00:00.000Z until 2030-02-01T00:00:00.000Z")
