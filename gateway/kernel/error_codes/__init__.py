"""The one table of the errors that an answer can carry; `/docs/errors` and docs/errors.md show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.kernel.error_codes.discounts import DISCOUNTS
from gateway.kernel.error_codes.meaning import ErrorMeaning
from gateway.kernel.error_codes.operations import OPERATIONS
from gateway.kernel.error_codes.requests import REQUESTS
from gateway.kernel.error_codes.sales import SALES

__all__ = ["ERRORS", "ErrorMeaning"]

ERRORS: Final[Mapping[str, ErrorMeaning]] = {**REQUESTS, **SALES, **DISCOUNTS, **OPERATIONS}
"""Every code with its meaning; a test holds that the code of the gateway answers them with these statuses."""
