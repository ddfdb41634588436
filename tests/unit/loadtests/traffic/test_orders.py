"""The load's orders are all new, valid, and of the wallets that were asked for."""

from collections import Counter

import orjson
import pytest

from gateway.payments.schemas import PaymentRequest
from loadtests.traffic.orders import MIX, WALLETS, Orders, spread
from routing.channels.codes import wallet_of
from routing.simulators.magic import magic_act
from routing.simulators.till import payer_of


@pytest.mark.parametrize("wallet", WALLETS)
def test_every_order_is_a_valid_request_of_its_wallet(wallet: str) -> None:
    for order_no, body in Orders(7_654_321, [wallet]).first(300):
        request = PaymentRequest.model_validate_json(body)
        assert request.merchant_order_no == order_no.decode()
        assert wallet_of(request.auth_code) == wallet


def test_no_order_number_and_no_payment_code_comes_twice_over_runs_and_sources() -> None:
    bodies = [
        orjson.loads(body)
        for run_number, source in ((1, 0), (1, 1), (2, 0))
        for _, body in Orders(run_number, list(WALLETS), source).first(2_000)
    ]
    for field in ("merchant_order_no", "auth_code"):
        assert len({body[field] for body in bodies}) == len(bodies)


def test_no_payment_code_or_amount_is_a_magic_one() -> None:
    bodies = [orjson.loads(body) for _, body in Orders(9_001_901, list(WALLETS)).first(20_000)]
    assert not [body for body in bodies if magic_act(body["auth_code"], body["amount"])]


def test_orders_come_from_different_payers() -> None:
    bodies = [orjson.loads(body) for _, body in Orders(1, ["wechat"]).first(1_000)]
    assert len({payer_of(body["auth_code"]) for body in bodies}) == 1_000


def test_the_mix_holds_in_every_stretch_of_twenty() -> None:
    wallets = spread(MIX)
    assert Counter(wallets) == MIX == {"wechat": 60, "alipay": 30, "unionpay": 10}
    for start in range(0, 100, 20):
        stretch = Counter(wallets[start : start + 20])
        assert all(abs(stretch[wallet] - share / 5) <= 1 for wallet, share in MIX.items())


def test_a_merchant_has_as_many_stores_as_were_asked_for() -> None:
    assert len({orjson.loads(body)["store_id"] for _, body in Orders(1, ["wechat"]).first(500)}) == 50
    assert {orjson.loads(body)["store_id"] for _, body in Orders(1, ["wechat"], stores=1).first(500)} == {"s-0"}
