"""What each word of a channel becomes: an outcome to commit, or nothing yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import is_id
from gateway.kernel.money import Money
from gateway.kernel.secrets import Vault
from gateway.ledger import postings
from gateway.payments import settle
from gateway.payments.payment import Payment
from gateway.payments.states import Event, Status, sources, target
from gateway.refunds.split import Paid, Parts, split, together
from routing.accounts.fees import Fee
from routing.accounts.terms import Terms
from routing.channels.base import ChannelRejected, ChannelUnsent
from routing.channels.reports import TradeReport, TradeState
from tests.unit.payments.payments import payment

VAULT = Vault(bytes(32))
FEE = Fee(3_800)
PAID_AT = datetime(2026, 11, 22, 4, 5, 9, tzinfo=UTC)


def captured(amount_fen: int | None = 2_599) -> TradeReport:
    return TradeReport(
        TradeState.CAPTURED,
        channel_trade_no="42",
        amount_fen=amount_fen,
        payer_paid_fen=2_000,
        paid_at=PAID_AT,
        payer_id="o1",
    )


def test_a_capture_of_our_amount_succeeds_with_its_postings_and_the_payer_only_as_a_hash() -> None:
    row = settle.outcome_of_report(payment(), FEE, captured(), VAULT)
    assert row is not None
    assert (row.event, row.to_status, row.from_states, row.attempt_state) == (
        Event.CAPTURED,
        Status.SUCCEEDED,
        "processing,requires_action",
        "captured",
    )
    assert is_id(row.event_id or "", "evt")
    assert (row.channel_trade_no, row.payer_paid, row.paid_at) == ("42", 2_000, PAID_AT)
    assert row.payer_hash == VAULT.keyed_hash(b"o1")
    assert [(posting.kind, posting.amount) for posting in row.transfers] == [("capture", 2_599), ("fee", 10)]
    assert row.failure_code is None


@given(st.integers(0, 10**10))
def test_another_amount_than_ours_is_a_mismatch_and_decides_nothing(amount_fen: int) -> None:
    report, ours = captured(amount_fen), amount_fen == 2_599
    assert settle.review_reason(payment(), report) == (None if ours else settle.AMOUNT_MISMATCH)
    assert (settle.outcome_of_report(payment(), FEE, report, VAULT) is not None) is ours


def test_the_wallets_own_coupon_is_no_mismatch() -> None:
    assert settle.review_reason(payment(), captured()) is None


def test_a_discount_of_ours_is_compared_on_the_payable() -> None:
    discounted = payment(payable=Money(2_000))
    assert settle.review_reason(discounted, captured(2_599)) == settle.AMOUNT_MISMATCH
    assert settle.review_reason(discounted, captured(2_000)) is None


def test_a_capture_that_does_not_say_its_amount_decides_nothing_yet() -> None:
    assert settle.review_reason(payment(), captured(None)) is None
    assert settle.outcome_of_report(payment(), FEE, captured(None), VAULT) is None


def test_a_refund_that_we_did_not_ask_for_is_for_a_person_to_look_at() -> None:
    report = TradeReport(TradeState.REFUNDED)
    assert settle.review_reason(payment(), report) == settle.REFUNDED_ELSEWHERE
    assert settle.outcome_of_report(payment(), FEE, report, VAULT) is None
    assert settle.review_reason(payment(reversal="pending"), report) is None


@pytest.mark.parametrize("state", [TradeState.PENDING, TradeState.NOT_FOUND])
def test_what_is_still_open_or_not_found_is_no_outcome(state: TradeState) -> None:
    assert settle.outcome_of_report(payment(), FEE, TradeReport(state), VAULT) is None


@pytest.mark.parametrize(
    ("state", "reversal", "event"),
    [
        (TradeState.REFUSED, None, Event.DECLINED),
        (TradeState.REFUSED, "pending", Event.DECLINED),
        (TradeState.CLOSED, None, Event.CLOSED),
        (TradeState.CLOSED, "pending", Event.REVERSED),
        (TradeState.REFUNDED, "pending", Event.REVERSED),
    ],
)
def test_what_the_channel_ended_is_over(state: TradeState, reversal: str | None, event: Event) -> None:
    row = settle.outcome_of_report(payment(reversal=reversal), FEE, TradeReport(state, channel_code="X"), VAULT)
    assert row is not None
    assert (row.event, row.to_status) == (event, target(event))
    assert row.transfers == ()


@pytest.mark.parametrize(
    ("failure", "expected"), [(None, FailureCode.CHANNEL_REFUSED), (FailureCode.CARD_DECLINED,) * 2]
)
def test_a_refusal_has_a_failure_code_even_where_the_channel_gives_none(
    failure: FailureCode | None, expected: FailureCode
) -> None:
    row = settle.outcome_of_report(payment(), FEE, TradeReport(TradeState.REFUSED, failure=failure), VAULT)
    assert row is not None
    assert row.failure_code == expected


def test_a_definite_refusal_keeps_the_channels_own_code() -> None:
    row = settle.outcome_of_refusal(payment(), ChannelRejected("NOTENOUGH", FailureCode.INSUFFICIENT_FUNDS))
    assert (row.event, row.attempt_state, row.failure_code, row.channel_code) == (
        Event.DECLINED,
        "refused",
        FailureCode.INSUFFICIENT_FUNDS,
        "NOTENOUGH",
    )


def test_a_charge_that_never_left_is_failed_as_unavailable() -> None:
    row = settle.outcome_of_unsent(payment(), ChannelUnsent("pool_full"))
    assert (row.event, row.attempt_state, row.failure_code) == (Event.UNSENT, "unsent", FailureCode.CHANNEL_UNAVAILABLE)


def test_an_order_that_was_never_created_fails_as_such() -> None:
    row = settle.not_created(payment())
    assert (row.event, row.attempt_state, row.failure_code) == (
        Event.NOT_CREATED,
        "not_created",
        FailureCode.NOT_CREATED,
    )


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.REQUIRES_ACTION, Status.SUCCEEDED])
def test_a_reversal_applies_only_to_the_payment_as_it_was_read(status: Status) -> None:
    assert settle.reversed_(payment(status=status)).from_states == status
    assert status in sources(Event.REVERSED).split(",")


def test_a_reversal_books_back_what_was_booked_whatever_the_rate_is_now() -> None:
    booked = postings.capture("mer_1", "wechat_direct", Money(2_599), Money(13))
    row = settle.reversed_(payment(status=Status.SUCCEEDED, reversal="pending"), booked)
    assert [(posting.kind, posting.amount) for posting in row.transfers] == [
        ("capture_reversed", 2_599),
        ("fee_reversed", 13),
    ]
    assert row.reversal == "succeeded"


@pytest.mark.parametrize("state", TradeState)
def test_every_outcome_is_of_the_payments_current_attempt(state: TradeState) -> None:
    report = TradeReport(state, amount_fen=2_599)
    row = settle.outcome_of_report(payment(attempt_seq=3), FEE, report, VAULT)
    assert row is None or (row.payment_id, row.merchant_id, row.seq) == (payment().id, "mer_1", 3)


CODE = payment(method="qrcode", status=Status.REQUIRES_ACTION, qr_code="weixin://x")
ANY_WALLET = CODE.with_(attempt_at=CODE.created_at, pay_until=CODE.expires_at)


@pytest.mark.parametrize("state", [TradeState.REFUSED, TradeState.CLOSED])
def test_a_code_whose_order_is_shut_is_closed_and_never_failed(state: TradeState) -> None:
    row = settle.outcome_of_report(CODE, FEE, TradeReport(state, channel_code="61"), VAULT)
    assert row is not None
    assert (row.event, row.to_status, row.attempt_state) == (Event.CLOSED, Status.CLOSED, "closed")
    assert (row.failure_code, row.channel_code) == (None, "61")


@pytest.mark.parametrize("state", [TradeState.REFUSED, TradeState.CLOSED])
def test_one_wallets_order_that_is_shut_leaves_the_code_to_the_others(state: TradeState) -> None:
    assert settle.outcome_of_report(ANY_WALLET, FEE, TradeReport(state), VAULT) is None


@pytest.mark.parametrize("state", [TradeState.REFUSED, TradeState.CLOSED, TradeState.REFUNDED])
def test_of_a_cancelled_code_only_the_worker_tells_how_it_ended(state: TradeState) -> None:
    """What Alipay calls closed may be what we have just given back."""
    assert settle.outcome_of_report(CODE.with_(reversal="pending"), FEE, TradeReport(state), VAULT) is None


@pytest.mark.parametrize("code", [CODE, ANY_WALLET])
def test_a_code_is_captured_like_any_payment(code: Payment) -> None:
    row = settle.outcome_of_report(code, FEE, captured(), VAULT)
    assert row is not None
    assert (row.event, row.seq) == (Event.CAPTURED, 1)


def test_a_refund_of_a_code_that_nobody_here_asked_for_is_for_a_person_to_look_at() -> None:
    assert settle.review_reason(CODE, TradeReport(TradeState.REFUNDED)) == settle.REFUNDED_ELSEWHERE


def test_a_code_that_never_came_fails_as_unavailable_and_its_order_stays_watched() -> None:
    row = settle.no_code(CODE.with_(status=Status.PROCESSING), "timeout")
    assert (row.event, row.to_status, row.attempt_state) == (Event.NOT_CREATED, Status.FAILED, "not_created")
    assert (row.failure_code, row.channel_code) == (FailureCode.CHANNEL_UNAVAILABLE, "timeout")


def test_money_that_a_cancelled_code_gave_back_is_booked_both_ways() -> None:
    row = settle.given_back(CODE.with_(reversal="pending"), FEE, "42")
    assert (row.event, row.to_status, row.from_states, row.reversal) == (
        Event.REVERSED,
        Status.REVERSED,
        Status.REQUIRES_ACTION,
        "succeeded",
    )
    assert [(posting.kind, posting.amount) for posting in row.transfers] == [
        ("capture", 2_599),
        ("fee", 10),
        ("capture_reversed", 2_599),
        ("fee_reversed", 10),
    ]
    assert row.channel_trade_no == "42"


TERMS = Terms.of(
    {
        "fee": {
            "rate_millionths": 6_000,
            "min_fen": 2,
            "cap_fen": 500,
            "bands": [{"up_to_fen": 1_000, "rate_millionths": 3_800}],
            "promotions": [
                {
                    "from": "2026-11-22T04:00:00Z",
                    "until": "2026-11-22T05:00:00Z",
                    "rate_millionths": 2_000,
                    "wallets": ["alipay"],
                }
            ],
        }
    },
    3_800,
)


@pytest.mark.parametrize(
    ("payable_fen", "wallet", "minutes", "fee"),
    [
        (2_599, "wechat", 0, [16]),  # 15.594
        (1_000, "wechat", 0, [4]),  # the band: 3.8
        (100, "wechat", 0, [2]),  # the minimum, for 0.38
        (1, "wechat", 0, [1]),  # never above what the customer paid
        (1_000_000, "wechat", 0, [500]),  # the cap, for 6,000
        (2_599, "alipay", 0, [5]),  # the promotion, by the moment of the payment: 5.198
        (2_599, "alipay", 60, [16]),  # it was over then
        (2_599, "alipay", -10, [16]),  # it had not begun
        (0, "wechat", 0, []),
    ],
)
def test_the_fee_is_what_the_terms_make_of_the_payable_the_wallet_and_the_moment_of_the_payment(
    payable_fen: int, wallet: str, minutes: int, fee: list[int]
) -> None:
    taken = payment(payable=Money(payable_fen), wallet=wallet)
    taken = taken.with_(created_at=taken.created_at + timedelta(minutes=minutes))
    for row in (
        settle.outcome_of_report(taken, TERMS.fee, captured(payable_fen), VAULT),
        settle.given_back(taken.with_(reversal="pending"), TERMS.fee, "42"),
    ):
        assert row is not None
        assert [posting.amount for posting in row.transfers if posting.kind == "fee"] == fee


@given(st.integers(1, 10**6), st.integers(0, 20_000), st.integers(0, 50), st.none() | st.integers(50, 3_000), st.data())
def test_refunds_give_back_of_the_booked_fee_exactly_their_share_however_many_there_are(
    payable_fen: int, rate_millionths: int, min_fen: int, cap_fen: int | None, data: st.DataObject
) -> None:
    """With a minimum and a cap the fee is no rate of the payable any more: what was booked is what is shared."""
    fee = Fee(rate_millionths, min_fen, cap_fen)
    row = settle.outcome_of_report(payment(payable=Money(payable_fen)), fee, captured(payable_fen), VAULT)
    assert row is not None
    booked = sum([posting.amount for posting in row.transfers if posting.kind == "fee"])
    paid, done = Paid(payable_fen, payable_fen, booked), list[Parts]()
    while left := payable_fen - sum([parts.goods for parts in done]):
        goods = left if len(done) == 6 else data.draw(st.integers(1, left))
        done.append(split(paid, together(done, 0), goods))
        given_back = sum([parts.customer for parts in done])
        assert sum([parts.fee for parts in done]) == booked * given_back // payable_fen
        assert done[-1].fee >= 0
    assert sum([parts.fee for parts in done]) == booked
