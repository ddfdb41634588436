"""The market's sales: valid, new, in the proportions that the mix says, with a few large shops and many small ones."""

import random
from collections import Counter

import orjson
import pytest

from gateway.payments.schemas import PaymentRequest
from gateway.quotes.schemas import QuoteRequest
from loadtests.load.market import Market, Sale, Zipf
from loadtests.load.mix import BARCODE_ENDINGS, JOURNEYS, WALLETS, Drawer, Ending, Wallet
from loadtests.load.plan import Plan, read_plan, write_plan
from routing.channels.codes import wallet_of
from routing.simulators.magic import magic_act

_MANY = 20_000


@pytest.fixture
def sales(plan: Plan) -> list[Sale]:
    market = Market(plan, random.Random(5))
    return [market.sale() for _ in range(_MANY)]


def test_every_sale_is_a_valid_request_of_its_wallet(sales: list[Sale]) -> None:
    for sale in sales[:500]:
        request = PaymentRequest.model_validate_json(orjson.dumps(sale.body()))
        QuoteRequest.model_validate_json(orjson.dumps(sale.priced()))
        assert (request.wallet if request.auth_code is None else wallet_of(request.auth_code)) == sale.wallet


def test_wallets_and_methods_come_in_their_proportions(sales: list[Sale]) -> None:
    wallets = Counter(sale.wallet for sale in sales)
    for wallet, percent in WALLETS.items():
        assert 100 * wallets[wallet] / _MANY == pytest.approx(percent, abs=1.5)
    displayed = sum(sale.auth_code is None for sale in sales)
    assert 100 * displayed / _MANY == pytest.approx(15, abs=1)
    assert dict(WALLETS) == {Wallet.WECHAT: 60, Wallet.ALIPAY: 30, Wallet.UNIONPAY: 10}


def test_every_ending_comes_in_its_proportion_and_only_by_its_magic_code(sales: list[Sale]) -> None:
    shown = [sale for sale in sales if sale.auth_code is not None]
    endings = Counter(sale.ending for sale in shown)
    for ending, percent in BARCODE_ENDINGS.items():
        assert 100 * endings[ending] / len(shown) == pytest.approx(percent, abs=0.8)
        assert endings[ending] > 0
    for sale in shown:
        assert (magic_act(sale.auth_code or "", sale.amount_fen) is None) == (sale.ending is Ending.PAID)


def test_only_codes_of_wechat_are_left_unscanned(sales: list[Sale]) -> None:
    left = Counter(sale.wallet for sale in sales if sale.ending is Ending.CODE_LEFT)
    assert left[Wallet.WECHAT] > 0
    assert set(left) == {Wallet.WECHAT}


def test_no_number_and_no_code_comes_twice_in_processes_of_one_seed(plan: Plan) -> None:
    markets = [Market(plan, random.Random(1)) for _ in range(3)]
    sales = [market.sale() for market in markets for _ in range(3_000)]
    assert len({sale.order_no for sale in sales}) == len(sales)
    codes = [sale.auth_code for sale in sales if sale.auth_code is not None]
    assert len(set(codes)) == len(codes)


def test_the_trade_of_shops_and_customers_falls_by_zipfs_law(sales: list[Sale]) -> None:
    shops = Counter(sale.shop.id for sale in sales)
    assert shops["mer_0"] / shops["mer_1"] == pytest.approx(2, rel=0.15)
    assert shops["mer_0"] / shops["mer_4"] == pytest.approx(5, rel=0.2)
    customers = Counter(sale.customer for sale in sales)
    assert customers[0] / customers[3] == pytest.approx(4, rel=0.25)
    assert min(customers) == 0
    assert max(customers) < 1_000


def test_zipfs_ranks_are_all_drawn_and_none_beyond() -> None:
    zipf, chooser = Zipf(5), random.Random(2)
    drawn = Counter(zipf.draw(chooser) for _ in range(60_000))
    total = sum(1 / (rank + 1) for rank in range(5))
    for rank in range(5):
        assert drawn[rank] / 60_000 == pytest.approx(1 / (rank + 1) / total, rel=0.05)
    assert len(drawn) == 5


def test_every_journey_is_drawn_in_its_proportion() -> None:
    drawer, chooser = Drawer(JOURNEYS), random.Random(9)
    drawn = Counter(drawer.draw(chooser) for _ in range(50_000))
    assert sum(JOURNEYS.values()) == 100
    for journey, percent in JOURNEYS.items():
        assert 100 * drawn[journey] / 50_000 == pytest.approx(percent, abs=0.8)


def test_the_plan_is_read_as_it_was_written_and_is_private(plan: Plan) -> None:
    path = plan.folder / "plan.json"
    write_plan(plan, path)
    assert read_plan(path) == plan
    assert path.stat().st_mode & 0o077 == 0
