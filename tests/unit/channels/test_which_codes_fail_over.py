"""Every code of every channel: which refusals prove that the customer's code was not looked at, and why.

What stands here may be tried at another account.  A code that is added to a table has to be judged here first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final

import pytest

from gateway.kernel.failures import FailureCode
from gateway.payments.failing_over import may_fail_over
from routing.channels import alipay_codes, qra_codes, unionpay_codes, wechat_codes
from routing.channels.base import ChannelError, ChannelRejected, ChannelUnknown, ChannelUnsent
from routing.channels.wire import Authenticity, Refusal, rejected

TABLES: Final[Mapping[str, ModuleType]] = {
    "wechat": wechat_codes,
    "alipay": alipay_codes,
    "unionpay": unionpay_codes,
    "qra": qra_codes,
}
WHY: Final = {
    "wechat": {
        "SIGNERROR": "our signature is checked before the body is read",
        "NOAUTH": "the merchant has no contract for this kind of payment: nothing is looked up for it",
        "APPIDMCHIDNOTMATCH": "who asks is checked before what is asked",
        "MCHNOTEXISTS": "there is no such merchant",
        "OPENIDMISMATCH": "the payer's id is of another app: no order was opened, and no bar code is concerned",
    },
    "alipay": {
        "20001": "the gateway refused the authorisation token; the business behind it was not asked",
        "40001": "a parameter of the envelope is missing, said by the gateway",
        "40002": "a parameter of the envelope is wrong (signature, app id, time), said by the gateway",
        "40003": "a condition on the caller is not met, said by the gateway",
        "40006": "the app may not call this interface, said by the gateway",
        "ACCESS_FORBIDDEN": "the merchant has no contract for this product",
        "PARTNER_ERROR": "the partner's standing is wrong: no trade is made for it",
    },
    "unionpay": {
        "11": "our signature did not verify",
        "31": "the merchant's state does not allow the transaction",
        "32": "the merchant has no right to this kind of transaction",
    },
    "qra": {
        "SIGNATUREERROR": "our signature did not verify: the request was not read any further",
        "PARSEXMLERROR,PLEASEUSEUTF-8ENCODED": "the request was not read at all",
        "REQUIREPOSTMETHOD": "the request was not read at all",
        "NOAUTH": "the merchant has no contract",
        "AUTHVALIDFAIL": "the merchant has no contract for this kind of payment",
        "SIGNERROR": "our signature did not verify",
        "MCHIDNOTEXIST": "there is no such merchant",
        "APPIDNOTEXIST": "there is no such app",
        "APPIDMCHIDNOTMATCH": "who asks is checked before what is asked",
    },
}


def refusals(channel: str) -> Iterator[tuple[str, str, Refusal]]:
    """Table, code and row of every table of refusals, and the rows that stand for all other codes."""
    for name, found in vars(TABLES[channel]).items():
        if isinstance(found, Refusal) and not name.startswith("_"):
            yield name, "any other", found
        elif isinstance(found, Mapping) and not name.startswith("_"):
            for code, row in found.items():
                if isinstance(row, Refusal):
                    yield name, str(code), row


ALL: Final = [(channel, *each) for channel in TABLES for each in refusals(channel)]


def test_there_are_tables_to_go_through() -> None:
    assert {channel for channel, *_ in ALL} == set(TABLES)
    assert len(ALL) > 150


@pytest.mark.parametrize(("channel", "table", "code", "refusal"), ALL)
def test_a_code_fails_over_where_it_is_known_why_and_nowhere_else(
    channel: str, table: str, code: str, refusal: Refusal
) -> None:
    assert refusal.may_fail_over is (code in WHY[channel]), f"{code} in {table}"


def test_every_code_that_may_fail_over_is_in_use() -> None:
    found = {(channel, code) for channel, _, code, refusal in ALL if refusal.may_fail_over}
    assert found == {(channel, code) for channel, codes in WHY.items() for code in codes}


@pytest.mark.parametrize(("channel", "table", "code", "refusal"), [each for each in ALL if each[3].may_fail_over])
def test_what_fails_over_is_a_fault_of_our_own_set_up_and_never_the_customers_or_his_codes(
    channel: str, table: str, code: str, refusal: Refusal
) -> None:
    assert refusal.failure is FailureCode.CHANNEL_MISCONFIGURED, (channel, table, code)


@pytest.mark.parametrize("authenticity", Authenticity)
def test_only_a_signed_refusal_is_a_reason_to_fail_over(authenticity: Authenticity) -> None:
    error = rejected("NO_AUTH", Refusal(FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True), authenticity)
    assert may_fail_over(error) is (authenticity is Authenticity.VERIFIED)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ChannelUnsent("connect_failed"), True),
        (ChannelUnsent("pool_full"), True),
        (ChannelUnsent("send_before_passed"), True),
        (ChannelRejected("X", FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True), True),
        (ChannelRejected("X", FailureCode.CHANNEL_MISCONFIGURED), False),
        (ChannelUnknown("answer_timeout"), False),
        (ChannelError("whatever"), False),
        (object(), False),
        (None, False),
    ],
)
def test_only_two_kinds_of_answers_prove_that_nothing_can_have_been_charged(answer: object, *, expected: bool) -> None:
    assert may_fail_over(answer) is expected
