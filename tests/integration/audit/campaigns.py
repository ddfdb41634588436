"""The campaign of a small world: its budget, what was taken of it, its coupons and its customer, free to be changed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

import orjson

from promotions.facts import EVER

Row = dict[str, Any]
CAMPAIGN: Final = "cam_01JD5ZV8W3M0Q9C6R1T2X4Y7KB"
BANK, MERCHANT_SHARE = 350, 150
DISCOUNT: Final = BANK + MERCHANT_SHARE
CUSTOMER: Final = b"\x01" * 16
IN_A_SEGMENT: Final = b"\x02" * 16
"""A customer who was put in one and has not paid anything."""
TABLES: Final = (
    "campaigns",
    "campaign_versions",
    "campaign_slices",
    "campaign_uses",
    "coupons",
    "coupon_stock",
    "customers",
)


class Campaigns:
    """One campaign, ¥5 off, funded by a bank and the merchant; with a budget, a number, and limits of each customer."""

    def __init__(self, now: datetime) -> None:
        self.day = now.date()
        limits = {"budget": 1_000_000, "budget_per_day": 50_000, "count": 900, "count_per_day": 90}
        per_customer = {"lifetime": 30, "day": 30, "amount": 15_000, "amount_per_day": 15_000}
        document = {"limits": {**limits, "per_customer": per_customer}, "coupon": {"stock": 20}}
        text = orjson.dumps(document).decode()
        before = now - timedelta(days=30)
        self.campaign: Row = {"id": CAMPAIGN, "status": "active", "document": text, **limits, "timezone": "UTC"}
        self.version: Row = {"campaign_id": CAMPAIGN, "version": 1, "document": text, "created_at": before}
        self.slice: Row = {
            "campaign_id": CAMPAIGN,
            "day": self.day,
            "slice": 0,
            "granted": 50_000,
            "used": 0,
            "granted_count": 90,
            "used_count": 0,
        }
        self.uses: dict[date, Row] = {
            day: {
                "key": CUSTOMER.hex(),
                "campaign_id": CAMPAIGN,
                "scope": "customer",
                "day": day,
                "used_count": 0,
                "used": 0,
            }
            for day in (EVER, self.day)
        }
        self.coupons: list[Row] = []
        self.stock: Row = {"campaign_id": CAMPAIGN, "taken": 0}
        self.customer: Row = {"customer": CUSTOMER, "orders": 0, "spent": 0}
        self.versions = [self.version]
        self.slices = [self.slice]
        self.customers = [self.customer, {"customer": IN_A_SEGMENT, "orders": 0, "spent": 0}]

    def rows(self, table: str) -> list[Row]:
        """What stands in a table."""
        return {
            "campaigns": [self.campaign],
            "campaign_versions": self.versions,
            "campaign_slices": self.slices,
            "campaign_uses": [row for row in self.uses.values() if row["used_count"]],
            "coupons": self.coupons,
            "coupon_stock": [self.stock],
            "customers": self.customers,
        }[table]

    def redemption(self, payment: Row, *, coupon: bool = False, returns_limits: bool = False) -> Row:
        """A payment of the customer takes its discount."""
        payment.update(customer=CUSTOMER, promoted=True)
        self._count(DISCOUNT, 1)
        coupon_id = self._coupon(payment) if coupon else None
        return {
            "payment_id": payment["id"],
            "merchant_id": payment["merchant_id"],
            "seq": 1,
            "campaign_id": CAMPAIGN,
            "campaign_version": 1,
            "name": "¥5 off",
            "day": self.day,
            "slice": 0,
            "discount": DISCOUNT,
            "funding": orjson.dumps(
                [{"sponsor": "bank", "amount": BANK}, {"sponsor": "merchant", "amount": MERCHANT_SHARE}]
            ).decode(),
            "uses": orjson.dumps([["customer", CUSTOMER.hex(), str(day)] for day in self.uses]).decode(),
            "coupon_id": coupon_id,
            "returns_budget": True,
            "returns_limits": returns_limits,
            "created_at": payment["created_at"],
        }

    def pay(self, amount: int) -> None:
        """The customer has paid."""
        self.customer["orders"] += 1
        self.customer["spent"] += amount

    def give_back(self) -> None:
        """A payment came to nothing."""
        self._count(-DISCOUNT, -1)

    def _count(self, fen: int, number: int) -> None:
        self.slice["used"] += fen
        self.slice["used_count"] += number
        for row in self.uses.values():
            row["used"] += fen
            row["used_count"] += number

    def _coupon(self, payment: Row) -> str:
        self.stock["taken"] += 1
        coupon_id = f"cpn_{len(self.coupons)}"
        row = {"id": coupon_id, "campaign_id": CAMPAIGN, "customer": CUSTOMER, "merchant_id": payment["merchant_id"]}
        taken = {"realm": "r", "source": "claimed", "created_at": payment["created_at"], "payment_id": payment["id"]}
        self.coupons.append(row | taken)
        return coupon_id
