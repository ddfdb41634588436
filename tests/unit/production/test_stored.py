"""What production refuses of the database, by what was read of it."""

from __future__ import annotations

from gateway.production.stored import DemoMerchant, Stored, StoredAccount, stored_reasons

PUBLIC = StoredAccount("acc_1", "wechat", {"base_url": "https://api.mch.weixin.qq.com", "mchid": "190"})
SIMULATED = StoredAccount("wechat_direct", "wechat", {"base_url": "http://127.0.0.1:8101", "notify_url": "http://a/b"})
SEALED = StoredAccount("acc_2", "alipay", None)


def test_a_database_for_production_has_nothing_against_it() -> None:
    assert stored_reasons(Stored()) == []
    assert stored_reasons(Stored([PUBLIC])) == []


def test_simulators_are_named_with_the_settings_that_lead_to_them() -> None:
    [reason] = stored_reasons(Stored([PUBLIC, SIMULATED]))
    assert reason.subject == "channel account wechat_direct"
    assert "base_url, notify_url" in reason.told
    assert "mashang routing disable wechat_direct" in reason.remedy


def test_a_key_that_opens_nothing_is_the_wrong_one_and_one_broken_account_is_not() -> None:
    [reason] = stored_reasons(Stored([SEALED]))
    assert reason.subject == "MASHANG_MASTER_KEY"
    assert stored_reasons(Stored([SEALED, PUBLIC])) == []


def test_merchants_of_the_demo_are_named() -> None:
    [reason] = stored_reasons(Stored(demo_merchants=[DemoMerchant("mer_1", "demo", 2)]))
    assert (reason.subject, reason.is_refusal) == ("merchant mer_1", True)
