"""What the doctor says of channel accounts, of the hosts they call, and of the public address."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from gateway.doctor.finding import Finding, Standing
from gateway.doctor.judging.address import AddressFacts, judge_address
from gateway.doctor.judging.channels import AccountFacts, Certificate, ChannelFacts, judge_channels
from gateway.doctor.judging.tls import Reached

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
YEAR: Final = NOW + timedelta(days=365)
ACCOUNT: Final = AccountFacts(
    "acc_1", "unionpay", "enabled", None, (), (Certificate("signing_certificate_pem", YEAR),), ("https://a.cn",)
)
HOST: Final = Reached("a.cn", until=YEAR, clock_offset_s=0.4)
PUBLIC: Final = AddressFacts("https://pay.bank.cn", Reached("pay.bank.cn", until=YEAR), 200, 404, 404, NOW)


def of_channels(check: str, account: AccountFacts = ACCOUNT, host: Reached = HOST) -> Finding:
    found = judge_channels(ChannelFacts([account], {host.host: host}, NOW))
    [wanted] = [finding for finding in found if finding.check == check]
    return wanted


def of_address(check: str, **changes: Any) -> Standing | None:
    found = [finding for finding in judge_address(replace(PUBLIC, **changes)) if finding.check == check]
    return found[0].standing if found else None


def test_a_good_account_at_a_good_host_is_all_ok() -> None:
    found = judge_channels(ChannelFacts([ACCOUNT], {"a.cn": HOST}, NOW))
    assert [(finding.check, finding.standing) for finding in found] == [
        ("account.acc_1", Standing.OK),
        ("account.acc_1.signing_certificate_pem", Standing.OK),
        ("host.a.cn", Standing.OK),
    ]


def test_without_an_account_nothing_can_be_paid() -> None:
    [found] = judge_channels(ChannelFacts([], {}, NOW))
    assert found.standing is Standing.PROBLEM


@pytest.mark.parametrize(
    ("days", "standing", "told"),
    [
        (31, Standing.OK, "31 more days"),
        (29, Standing.WARNING, "29 more days"),
        (6, Standing.PROBLEM, "6 more days"),
        (-2, Standing.PROBLEM, "ended 2 days ago"),
    ],
)
def test_a_certificate_is_judged_by_the_days_it_has_left(days: int, standing: Standing, told: str) -> None:
    certificate = Certificate("signing_certificate_pem", NOW + timedelta(days=days))
    found = of_channels("account.acc_1.signing_certificate_pem", replace(ACCOUNT, certificates=(certificate,)))
    assert found.standing is standing
    assert told in found.told
    host = of_channels("host.a.cn", host=replace(HOST, until=certificate.until))
    assert host.standing is standing


def test_an_account_that_does_not_open_or_leads_inside_is_a_problem() -> None:
    broken = of_channels("account.acc_1", replace(ACCOUNT, problem="unionpay.mer_id must be a non-empty string"))
    assert (broken.standing, "mer_id" in broken.told) == (Standing.PROBLEM, True)
    inner = of_channels("account.acc_1", replace(ACCOUNT, inner=("back_trans_url",)))
    assert (inner.standing, "back_trans_url" in inner.told) == (Standing.PROBLEM, True)


def test_what_cannot_be_known_of_a_merchants_certificate_is_said() -> None:
    wechat = replace(ACCOUNT, channel="wechat", certificates=())
    assert of_channels("account.acc_1.expiry", wechat).standing is Standing.NOT_CHECKED


@pytest.mark.parametrize(
    ("offset_s", "standing"), [(45.0, Standing.WARNING), (-45.0, Standing.WARNING), (300.0, Standing.PROBLEM)]
)
def test_a_hosts_clock_is_judged(offset_s: float, standing: Standing) -> None:
    found = of_channels("host.a.cn.clock", host=replace(HOST, clock_offset_s=offset_s))
    assert found.standing is standing


def test_a_host_that_does_not_answer_is_a_problem() -> None:
    found = of_channels("host.a.cn", host=Reached("a.cn", "its certificate is not believed: certificate has expired"))
    assert (found.standing, "has expired" in found.told) == (Standing.PROBLEM, True)


def test_a_good_public_address_is_ok_and_nothing_else_is_said() -> None:
    assert [finding.standing for finding in judge_address(PUBLIC)] == [Standing.OK]


@pytest.mark.parametrize(
    ("check", "changes", "standing"),
    [
        ("public_url", {"reached": Reached("pay.bank.cn", "refused")}, Standing.PROBLEM),
        ("public_url", {"reached": Reached("pay.bank.cn")}, Standing.PROBLEM),
        ("gateway", {"live": 502}, Standing.PROBLEM),
        ("gateway", {"live": 404}, None),
        ("metrics", {"metrics": 200}, Standing.WARNING),
        ("metrics", {"metrics": 403}, None),
        ("admin", {"admin": 401}, Standing.WARNING),
        ("admin", {"admin": 405}, Standing.WARNING),
    ],
)
def test_a_public_address_is_judged(check: str, changes: dict[str, Any], standing: Standing | None) -> None:
    assert of_address(check, **changes) is standing
