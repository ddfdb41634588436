"""Errors in what was captured, given back and booked (I1, I4, I9)."""

from __future__ import annotations

from datetime import timedelta

from gateway.audit.checks import Check
from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import new_id, new_ulid
from gateway.payments.numbers import attempt_order_no, give_back_no
from tests.integration.audit.planting import plants
from tests.integration.audit.world import Row, Story, World


def stray_trade(world: World, order_no: str) -> None:
    world.strays["trades"].append(
        {
            "channel": "wechat",
            "order_no": order_no,
            "amount": 100,
            "refunded": 0,
            "status": "captured",
            "captured_at": rfc3339(world.now),
            "pay_until": None,
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


@plants(Check.LEFT_ATTEMPT)
def an_account_left_after_silence(world: World) -> None:
    world.failed_over().attempts[0]["state"] = "not_created"


@plants(Check.LEFT_ATTEMPT)
def an_order_that_was_not_sent_and_is_at_its_channel(world: World) -> None:
    story = world.failed_over()
    world.trade(story, captured=False, channel="alipay")


@plants(Check.LEFT_ATTEMPT)
def an_order_that_was_refused_captured_and_given_back(world: World) -> None:
    story = world.failed_over("refused")
    amount = story.payment["payable"]
    story.trades[0].update(status="refunded", captured_at=rfc3339(world.ago(120)), refunded=amount)


@plants(Check.LEFT_ATTEMPT)
def an_order_that_was_refused_while_the_customer_types_the_pin(world: World) -> None:
    world.failed_over("refused").trades[0]["status"] = "pending"


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


@plants(Check.FEE)
def a_fee_at_the_plain_rate_above_the_cap_of_the_terms(world: World) -> None:
    world.succeeded()
    for account in world.accounts:
        account["terms"] = '{"fee": {"cap_fen": 9}}'


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
