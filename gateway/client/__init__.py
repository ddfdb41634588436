"""A small typed client of the payment API, for tills and merchants' servers; needs httpx only.

    with Client("https://pay.example", api_key="sk_…") as mashang:
        payment = mashang.pay(merchant_order_no="POS7-1", amount=2599, auth_code="1345…")

calls.py       every call of the API as a typed value      client.py   Client and AsyncClient, which run them
objects.py     what the API answers                        retries.py  what is safe to send again, and when
signing.py     signed requests                             webhooks.py verifies what the gateway sends
errors.py      what can go wrong
"""

from gateway.client.client import AsyncClient, Client
from gateway.client.errors import ApiError, MashangError, OutcomeUnknown, WebhookRefused
from gateway.client.objects import Code, Event, EventList, Payment, PaymentList, Refund, RefundList, WebhookEndpoint
from gateway.client.webhooks import verify_webhook

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Code",
    "Event",
    "EventList",
    "MashangError",
    "OutcomeUnknown",
    "Payment",
    "PaymentList",
    "Refund",
    "RefundList",
    "WebhookEndpoint",
    "WebhookRefused",
    "verify_webhook",
]
