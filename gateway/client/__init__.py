"""A small typed client of the payment API, for tills and merchants' servers; needs httpx only.

    with Client("https://pay.example", api_key="sk_…") as mashang:
        payment = mashang.pay(merchant_order_no="POS7-1", amount=2599, auth_code="1345…")

client.py   Client and AsyncClient, which run the calls       calls.py, …_calls.py        every call as a typed value
call.py     how a call is written                             objects.py, reports.py      what the API answers
retries.py, tries.py  what is sent again, when, and how long  webhooks.py  verifies what the gateway sends
signing.py  signed requests                                   errors.py    what can go wrong
"""

from gateway.client import calls, coupon_calls, webhook_calls
from gateway.client.client import AsyncClient, Client
from gateway.client.errors import ApiError, MashangError, OutcomeUnknown, WebhookRefused
from gateway.client.objects import (
    Code,
    Coupon,
    Event,
    EventWithDeliveries,
    Message,
    NewWebhookEndpoint,
    Page,
    Payment,
    Receipt,
    Refund,
    WebhookEndpoint,
)
from gateway.client.quotes import Quote
from gateway.client.reports import ShiftReport
from gateway.client.retries import RetryPolicy
from gateway.client.webhooks import verify_webhook

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Code",
    "Coupon",
    "Event",
    "EventWithDeliveries",
    "MashangError",
    "Message",
    "NewWebhookEndpoint",
    "OutcomeUnknown",
    "Page",
    "Payment",
    "Quote",
    "Receipt",
    "Refund",
    "RetryPolicy",
    "ShiftReport",
    "WebhookEndpoint",
    "WebhookRefused",
    "calls",
    "coupon_calls",
    "verify_webhook",
    "webhook_calls",
]
