"""Which requests to pay are refused before anything else looks at them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from gateway.payments.schemas import PaymentRequest
from routing.channels.base import Wallet

CODE: dict[str, Any] = {"merchant_order_no": "POS7-1", "amount": 1, "currency": "CNY", "method": "qrcode"}


def problems(fields: dict[str, Any]) -> list[str]:
    """Which fields are refused, and why; none for a request that is taken."""
    try:
        PaymentRequest.model_validate_json(orjson.dumps(fields))
    except ValidationError as error:
        return [f"{item['loc'][0]}: {item['msg']}" for item in error.errors()]
    return []


@pytest.mark.parametrize("wallet", [None, Wallet.WECHAT, Wallet.ALIPAY, Wallet.UNIONPAY])
def test_a_code_can_be_asked_for_of_any_wallet_or_of_those_that_scan_one(wallet: Wallet | None) -> None:
    assert problems(CODE | {"wallet": wallet}) == []


@pytest.mark.parametrize("wallet", [Wallet.DIGITAL_RMB, Wallet.JD, Wallet.BEST_PAY, Wallet.QQ])
def test_a_code_of_a_wallet_that_no_channel_shows_is_refused_by_name(wallet: Wallet) -> None:
    [problem] = problems(CODE | {"wallet": wallet})
    assert problem.startswith("wallet: ")
    assert problem.endswith("only of alipay, unionpay, wechat")


def test_the_wallet_of_a_bar_code_is_read_from_it_and_not_told() -> None:
    barcode = CODE | {"method": "barcode", "auth_code": "134567890123456789"}
    assert problems(barcode) == []
    assert [problem.partition(":")[0] for problem in problems(barcode | {"wallet": "wechat"})] == ["wallet"]
