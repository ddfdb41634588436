"""Every check finds the error that is planted for it; a check without a planted error fails the first test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from gateway.audit.checks import Check
from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_id, new_ulid
from gateway.payments.payment import attempt_order_no, give_back_no
from tests.integration.audit.world import MERCHANT, Row, Story, World

Plant = Callable[[World], object]
_PLANTS: list[tuple[Check, Plant]] = []


def plants(check: Check) -> Callable[[Plant], Plant]:
    """The function plants an error that this check must find."""

    def register(plant: Plant) -> Plant:
        _PLANTS.append((check, plant))
        return plant

    return register


def stray_trade(world: World, order_no: str) -> None:
    world.strays["trades"].append(
        {
            "channel": "wechat",
            "order_no": order_no,
            "amount": 100,
            "refunded": 0,
            "status": "captured",
            "captured_at": rfc3339(world.now),
        }
    )


def second_attempt(world: World, story: Story, channel: str) -> Row:
    story.attempts.append(story.attempts[0] | {"seq": 2, "account_id": f"{channel}_direct"})
    return world.trade(story, channel=channel, seq=2)


@plants(Check.ONE_CAPTURE)
def a_payment_captured_on_two_channels(world: World) -> None:
    second_attempt(world, world.succeeded("wechat"), "alipay")


@plants(Check.ONE_CAPTURE)
def a_payment_under_review_captured_twice(world: World) -> None:
    second_attempt(world, world.under_review("unionpay"), "alipay")


@plants(Check.ONE_CAPTURE)
def one_order_number_captured_twice_by_a_channel(world: World) -> None:
    world.trade(world.succeeded("unionpay"))


@plants(Check.UNKNOWN_TRADE)
def an_order_of_a_payment_that_does_not_exist(world: World) -> None:
    stray_trade(world, attempt_order_no(new_id("pay"), 1))


@plants(Check.UNKNOWN_TRADE)
def an_order_of_an_attempt_that_does_not_exist(world: World) -> None:
    stray_trade(world, attempt_order_no(world.succeeded().id, 2))


@plants(Check.UNKNOWN_TRADE)
def an_order_number_of_another_form(world: World) -> None:
    stray_trade(world, "somebody-elses")


@plants(Check.UNKNOWN_TRADE)
def an_order_older_than_every_payment(world: World) -> None:
    stray_trade(world, f"{new_ulid(0)}A1")


@plants(Check.SUCCEEDED_WITHOUT_CAPTURE)
def a_success_that_the_channel_does_not_know(world: World) -> None:
    world.succeeded().trades.clear()


@plants(Check.SUCCEEDED_WITHOUT_CAPTURE)
def a_success_that_the_channel_refused(world: World) -> None:
    world.succeeded().trades[0].update(status="refused", captured_at=None)


@plants(Check.UNRETURNED_CAPTURE)
def a_declined_payment_that_was_captured(world: World) -> None:
    story = world.begin("alipay")
    world.trade(story)
    story.event("declined", "failed", story.payment["created_at"])


@plants(Check.UNRETURNED_CAPTURE)
def a_reversed_payment_whose_money_was_kept(world: World) -> None:
    story = world.reversed_unseen()
    story.refunds.clear()
    story.trades[0].update(status="captured", refunded=0)


@plants(Check.UNRETURNED_CAPTURE)
def a_returned_success_of_which_a_fen_is_kept(world: World) -> None:
    story = world.cancelled()
    story.trades[0]["refunded"] -= 1
    story.refunds[0]["amount"] -= 1


@plants(Check.UNRETURNED_CAPTURE)
def a_watched_capture_that_no_worker_looks_for(world: World) -> None:
    story = world.not_created()
    world.trade(story)
    story.recovery_tasks[0]["next_at"] = world.ago(200)


@plants(Check.UNRETURNED_CAPTURE)
def a_watched_capture_that_every_look_missed(world: World) -> None:
    story = world.begin("alipay", age_s=4_000)
    world.trade(story)
    story.event("not_created", "failed", story.payment["created_at"] + timedelta(seconds=125))
    story.task("watch", story.payment["created_at"], world.now + timedelta(seconds=60))


@plants(Check.AMOUNT)
def a_success_of_which_the_channel_took_more(world: World) -> None:
    world.succeeded("alipay").trades[0]["amount"] += 1


@plants(Check.CHANNEL)
def an_order_at_another_channel_than_its_attempt(world: World) -> None:
    world.succeeded("wechat").trades[0]["channel"] = "alipay"


@plants(Check.LATE_CAPTURE)
def a_late_capture_said_to_be_returned_and_kept(world: World) -> None:
    story = world.late()
    story.refunds.clear()
    story.trades[0].update(status="captured", refunded=0)


@plants(Check.LATE_CAPTURE)
def a_late_capture_of_another_amount(world: World) -> None:
    story = world.late()
    story.trades[0]["amount"] += 5
    story.trades[0]["refunded"] += 5
    story.refunds[0]["amount"] += 5


@plants(Check.LATE_CAPTURE)
def a_late_capture_that_the_payment_does_not_count(world: World) -> None:
    world.late().payment["late_captures"] = 0


@plants(Check.ACKNOWLEDGED_LOST)
def a_payment_that_only_the_client_knows(world: World) -> None:
    story = world.begin()
    story.told("succeeded")
    world.stories.remove(story)
    world.strays["answers"] += story.answers


@plants(Check.ACKNOWLEDGED_LOST)
def an_answer_of_201_without_a_payment(world: World) -> None:
    world.succeeded().answers[0]["answer"] = {"ok": True}


@plants(Check.ACKNOWLEDGED_CHANGED)
def an_answer_with_another_amount(world: World) -> None:
    world.succeeded().answers[0]["answer"]["amount"] -= 1


@plants(Check.ACKNOWLEDGED_CHANGED)
def a_payment_of_another_amount_than_asked(world: World) -> None:
    world.succeeded().answers[0]["request"]["amount"] += 1


@plants(Check.ACKNOWLEDGED_CHANGED)
def an_answer_with_another_order_number(world: World) -> None:
    world.succeeded().answers[0]["answer"]["merchant_order_no"] = "another"


@plants(Check.ACKNOWLEDGED_CHANGED)
def an_answer_without_an_amount(world: World) -> None:
    del world.succeeded().answers[0]["answer"]["amount"]


@plants(Check.WENT_BACK)
def a_success_that_became_a_failure(world: World) -> None:
    world.declined().told("succeeded")


@plants(Check.WENT_BACK)
def a_failure_that_became_a_success(world: World) -> None:
    world.succeeded().told("failed")


@plants(Check.WENT_BACK)
def a_success_that_became_unresolved(world: World) -> None:
    world.unresolved().told("succeeded", http_status=200)


@plants(Check.WENT_BACK)
def a_success_reversed_without_a_cancel(world: World) -> None:
    world.cancelled().payment["reversal"] = None


@plants(Check.WENT_BACK)
def a_refund_that_was_told_and_is_gone(world: World) -> None:
    world.succeeded().answers[0]["answer"]["amount_refunded"] = 100


@plants(Check.GAPLESS)
def a_missing_event(world: World) -> None:
    world.succeeded().events.pop(0)


@plants(Check.GAPLESS)
def a_missing_last_event(world: World) -> None:
    world.late().events.pop()


@plants(Check.GAPLESS)
def a_version_without_an_event(world: World) -> None:
    world.succeeded().payment["version"] = 3


@plants(Check.TRANSITION)
def a_success_after_a_failure(world: World) -> None:
    story = world.declined()
    story.event("captured", "succeeded", story.payment["created_at"])


@plants(Check.TRANSITION)
def an_event_that_leads_elsewhere(world: World) -> None:
    story = world.declined()
    story.events[-1]["to_status"] = story.payment["status"] = "closed"


@plants(Check.TRANSITION)
def an_event_that_starts_elsewhere(world: World) -> None:
    world.succeeded().events[-1]["from_status"] = "requires_action"


@plants(Check.TRANSITION)
def an_event_of_no_known_type(world: World) -> None:
    story = world.declined()
    story.event("smiled_at", "failed", story.payment["created_at"])


@plants(Check.TRANSITION)
def a_late_capture_that_changes_the_status(world: World) -> None:
    story = world.late()
    story.events[-1]["to_status"] = story.payment["status"] = "succeeded"


@plants(Check.STATUS)
def a_status_without_its_event(world: World) -> None:
    world.declined().payment["status"] = "closed"


@plants(Check.ORPHAN_ROW)
def an_event_of_no_payment(world: World) -> None:
    world.strays["events"].append(world.succeeded().events[0] | {"payment_id": new_id("pay")})


@plants(Check.ORPHAN_ROW)
def a_posting_of_another_merchant(world: World) -> None:
    world.strays["transfers"].append(world.succeeded().transfers[0] | {"merchant_id": "mer_other"})


@plants(Check.ORPHAN_ROW)
def a_task_of_no_payment(world: World) -> None:
    row = {"payment_id": new_id("pay"), "merchant_id": MERCHANT, "purpose": "resolve"}
    world.strays["recovery_tasks"].append(row | {"next_at": world.now, "created_at": world.now})


@plants(Check.AMOUNT_REFUNDED)
def more_refunded_than_the_amount(world: World) -> None:
    story = world.succeeded()
    story.payment["amount_refunded"] = story.payment["amount"] + 1


@plants(Check.REFUNDS_WITHIN_CAPTURE)
def more_given_back_than_captured(world: World) -> None:
    story = world.cancelled()
    story.trades[0]["refunded"] += 1
    story.refunds[0]["amount"] += 1


@plants(Check.REFUNDS_WITHIN_CAPTURE)
def money_given_back_of_an_order_never_paid(world: World) -> None:
    world.declined().trades[0]["refunded"] = 1


@plants(Check.REFUNDS_KNOWN)
def a_success_given_back_without_our_knowing(world: World) -> None:
    story = world.succeeded()
    story.give_back("refund", give_back_no(story.id, 1), world.ago(600))


@plants(Check.REFUNDS_KNOWN)
def a_return_under_a_number_that_is_not_ours(world: World) -> None:
    world.cancelled().refunds[0]["refund_no"] = "another"


@plants(Check.REFUNDS_KNOWN)
def a_refund_of_an_order_that_is_not_ours(world: World) -> None:
    world.strays["refunds"].append(world.cancelled().refunds[0] | {"order_no": attempt_order_no(new_id("pay"), 1)})


@plants(Check.REFUNDS_ADD_UP)
def a_refund_that_its_order_does_not_count(world: World) -> None:
    story = world.cancelled()
    story.refunds.append(story.refunds[0] | {"amount": 1})


@plants(Check.ORDER_NUMBER)
def an_order_number_that_leads_nowhere(world: World) -> None:
    row = {"merchant_id": MERCHANT, "merchant_order_no": "nowhere", "payment_id": new_id("pay")}
    world.strays["order_numbers"].append(row)


@plants(Check.ORDER_NUMBER)
def a_payment_without_its_order_number(world: World) -> None:
    world.succeeded().order_numbers.clear()


@plants(Check.ORDER_NUMBER)
def two_payments_with_one_order_number(world: World) -> None:
    first, second = world.succeeded(), world.succeeded()
    second.order_numbers.clear()
    second.payment["merchant_order_no"] = first.payment["merchant_order_no"]
    second.answers.clear()


@plants(Check.ORDER_NUMBER)
def a_second_order_number_of_one_payment(world: World) -> None:
    story = world.succeeded()
    story.order_numbers.append(story.order_numbers[0] | {"merchant_order_no": "second"})


@plants(Check.IDEMPOTENCY_KEY)
def a_key_that_leads_nowhere(world: World) -> None:
    world.bind_key(world.succeeded(), "k-9")["payment_id"] = new_id("pay")


@plants(Check.IDEMPOTENCY_KEY)
def a_key_that_leads_to_another_merchants_payment(world: World) -> None:
    world.bind_key(world.succeeded(), "k-9")["merchant_id"] = "mer_other"


@plants(Check.SAME_ORDER_SAME_PAYMENT)
def one_order_answered_with_two_payments(world: World) -> None:
    first, second = world.succeeded(), world.succeeded()
    second.answers[0]["merchant_order_no"] = first.payment["merchant_order_no"]


@plants(Check.DIFFERENT_REQUEST)
def another_request_accepted_under_a_number(world: World) -> None:
    story = world.succeeded()
    story.told("succeeded")
    story.answers[1]["request"]["description"] = "another thing"


@plants(Check.CONFLICT_SHAPE)
def a_conflict_of_another_shape(world: World) -> None:
    story = world.succeeded()
    story.told("succeeded", http_status=409)
    story.answers[1]["answer"] = {"detail": "conflict"}


@plants(Check.OVERDUE)
def a_payment_unresolved_for_too_long(world: World) -> None:
    world.unresolved(age_s=190)


@plants(Check.OVERDUE)
def a_late_capture_not_returned_for_too_long(world: World) -> None:
    world.late(status="pending", found_s=190)


@plants(Check.OVERDUE)
def a_cancel_pending_for_too_long(world: World) -> None:
    story = world.succeeded()
    story.payment["reversal"] = "pending"
    story.task("resolve", world.ago(190))


@plants(Check.TASK)
def an_unresolved_payment_without_its_task(world: World) -> None:
    world.unresolved().recovery_tasks.clear()


@plants(Check.TASK)
def a_pending_cancel_without_its_task(world: World) -> None:
    world.succeeded().payment["reversal"] = "pending"


@plants(Check.TASK)
def a_late_capture_that_nobody_returns(world: World) -> None:
    world.late(status="pending", found_s=60).recovery_tasks.clear()


@plants(Check.STALE_TASK)
def a_task_for_a_decided_payment(world: World) -> None:
    world.succeeded().task("resolve", world.ago(3_600), world.now + timedelta(seconds=60))


@plants(Check.STALE_TASK)
def a_return_task_for_a_returned_capture(world: World) -> None:
    world.late().task("give_back", world.ago(1_200))


@plants(Check.POSTINGS)
def a_changed_posting(world: World) -> None:
    world.succeeded().transfers[0]["amount"] += 1


@plants(Check.POSTINGS)
def a_missing_posting(world: World) -> None:
    world.succeeded().transfers.pop(0)


@plants(Check.POSTINGS)
def a_posting_to_another_account(world: World) -> None:
    world.succeeded().transfers[0]["credit"] = "merchant_payable:mer_other"


@plants(Check.POSTINGS)
def a_posting_for_a_declined_payment(world: World) -> None:
    story = world.declined()
    story.transfers.append(world.succeeded().transfers[0] | story.key())


@plants(Check.POSTINGS)
def a_fee_that_was_not_given_back_with_its_capture(world: World) -> None:
    world.cancelled().transfers.pop()


@plants(Check.POSTINGS)
def a_fee_given_back_at_another_rate(world: World) -> None:
    world.cancelled().transfers[3]["amount"] += 1


@plants(Check.POSTINGS)
def a_late_capture_booked_and_not_booked_back(world: World) -> None:
    world.late().transfers.pop()


@plants(Check.FEE)
def a_fee_at_another_rate(world: World) -> None:
    world.succeeded().transfers[1]["amount"] += 1


@plants(Check.FEE)
def a_missing_fee(world: World) -> None:
    world.succeeded().transfers.pop(1)


@plants(Check.FEE)
def a_fee_above_the_payable_at_a_rate_that_has_changed_since(world: World) -> None:
    story = world.succeeded()
    story.transfers[1]["amount"] = story.payment["payable"] + 1
    for account in world.accounts:
        account["updated_at"] = world.now


@plants(Check.DAYS)
def a_capture_booked_on_another_day(world: World) -> None:
    world.succeeded().transfers[0]["booked_at"] = world.ago(3 * 86_400)


@plants(Check.DAYS)
def two_errors_of_one_day_in_opposite_directions_on_two_accounts(world: World) -> None:
    world.succeeded("wechat").transfers[0]["amount"] += 7
    world.succeeded("alipay").transfers[0]["amount"] -= 7


@plants(Check.TOTALS)
def more_booked_than_the_channel_keeps(world: World) -> None:
    world.succeeded().transfers[0]["amount"] += 1


@plants(Check.TOTALS)
def a_capture_kept_and_never_booked(world: World) -> None:
    world.succeeded().transfers.clear()


@plants(Check.TOTALS)
def a_posting_of_no_payment(world: World) -> None:
    world.strays["transfers"].append(world.succeeded().transfers[0] | {"payment_id": new_id("pay")})


def test_every_check_has_an_error_planted_for_it() -> None:
    assert {check for check, _ in _PLANTS} == set(Check)


@pytest.mark.parametrize(("check", "plant"), _PLANTS, ids=[f"{check}-{plant.__name__}" for check, plant in _PLANTS])
async def test_the_planted_error_is_found(
    check: Check, plant: Plant, connection: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    world = World()
    world.succeeded("wechat")
    plant(world)
    report = await world.audit(connection, database_url, tmp_path)
    assert report.findings.counts[check] >= 1, report.findings.shown
    assert not report.agrees
