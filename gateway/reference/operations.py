"""The endpoints of the OpenAPI document as values, and which page each stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

JsonObject = Mapping[str, Any]

_BODY_KINDS: Final = ("application/json", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class Area:
    """A page of the reference: its file, its title, and how the paths of its endpoints begin."""

    name: str
    title: str
    prefixes: tuple[str, ...]


AREAS: Final = (
    Area("payments", "Payments, refunds, quotes", ("/v1/payments", "/v1/refunds", "/v1/quotes")),
    Area("codes", "Codes and the cashier page", ("/v1/codes", "/q/")),
    Area("coupons", "Customers' coupons", ("/v1/coupons",)),
    Area("reports", "Shift reports and receipts", ("/v1/shift_report", "/r/")),
    Area("webhooks", "Webhooks and events", ("/v1/webhook_endpoints", "/v1/events")),
    Area("callbacks", "The channels' notifications", ("/callbacks/",)),
    Area("merchants", "Admin: merchants, keys, stores", ("/admin/v1/merchants",)),
    Area("channel-accounts", "Admin: channel accounts", ("/admin/v1/channel_accounts",)),
    Area(
        "oversight",
        "Admin: payments, reviews, audit trail",
        ("/admin/v1/payments", "/admin/v1/reviews", "/admin/v1/audit_trail"),
    ),
    Area("routing", "Admin: routing", ("/admin/v1/routing/",)),
    Area(
        "campaigns",
        "Admin: campaigns, coupons, segments",
        ("/admin/v1/campaigns", "/admin/v1/coupons", "/admin/v1/segments"),
    ),
    Area("risk-rules", "Admin: risk rules and models", ("/admin/v1/risk/rule_sets", "/admin/v1/risk/models")),
    Area("risk-lists", "Admin: risk lists", ("/admin/v1/risk/lists",)),
    Area("risk-cases", "Admin: risk decisions, cases, complaints, labels", ("/admin/v1/risk/",)),
    Area("operations", "Probes and metrics", ("/livez", "/readyz", "/metrics")),
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint."""

    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[JsonObject, ...]
    body: JsonObject | None
    """The schema of what is sent, None where nothing is."""
    is_public: bool
    responses: JsonObject

    @property
    def is_admin(self) -> bool:
        """Whether it takes the admin token instead of a merchant's key."""
        return self.path.startswith("/admin/")

    def answer(self) -> tuple[str, JsonObject | None]:
        """The status of success, and the schema of its JSON."""
        status = min(self.responses)
        content = self.responses[status].get("content", {}).get("application/json", {})
        return status, content.get("schema") or None


def operations(document: JsonObject) -> Iterator[tuple[Area, Operation]]:
    """Every endpoint with its page, in the document's order.  Raises LookupError for one that has none."""
    for path, item in document["paths"].items():
        for method, found in item.items():
            yield _area(path), _operation(method.upper(), path, found)


def _area(path: str) -> Area:
    for area in AREAS:
        if path.startswith(area.prefixes) and "receipt" not in path:
            return area
    if "receipt" in path:
        return next(area for area in AREAS if area.name == "reports")
    raise LookupError(f"no page of the reference is for {path}: name one in AREAS")


def _operation(method: str, path: str, found: JsonObject) -> Operation:
    content = found.get("requestBody", {}).get("content", {})
    return Operation(
        method=method,
        path=path,
        summary=found["summary"],
        description=found.get("description", ""),
        parameters=tuple(found.get("parameters", ())),
        body=next((content[kind]["schema"] for kind in _BODY_KINDS if kind in content), None),
        is_public=found.get("security", []) == [],
        responses=found["responses"],
    )
