"""Errors in refunds: what was told, recorded, split, given back and booked (I2 to I6, I9)."""

from __future__ import annotations

from datetime import timedelta

from gateway.audit.checks import Check
from gateway.kernel.ids import new_id
from gateway.payments.numbers import refund_order_no
from gateway.refunds.split import Parts
from tests.integration.audit.planting import plants
from tests.integration.audit.world import MERCHANT, World


@plants(Check.REFUND_TOLD)
def a_refund_that_only_the_client_knows(world: World) -> None:
    story = world.refunded()
    story.answers[-1]["answer"]["id"] = new_id("ref")


@plants(Check.REFUND_TOLD)
def a_refund_of_a_payment_that_only_the_client_knows(world: World) -> None:
    world.refunded().answers[-1]["answer"]["payment_id"] = new_id("pay")


@plants(Check.REFUND_TOLD)
def a_refund_told_with_another_amount(world: World) -> None:
    world.refunded().answers[-1]["answer"]["returned_to_customer"] += 1


@plants(Check.REFUND_TOLD)
def a_refund_told_as_succeeded_that_failed(world: World) -> None:
    world.refunded().answers[-2]["answer"]["status"] = "succeeded"


@plants(Check.REFUND_TOLD)
def a_refund_told_as_done_that_is_pending(world: World) -> None:
    world.refunding().answers[-1]["answer"]["status"] = "succeeded"


@plants(Check.REFUND_TOLD)
def a_refund_told_without_its_parts(world: World) -> None:
    del world.refunded().answers[-1]["answer"]["returned_to_customer"]


@plants(Check.REFUND_EVENTS)
def a_refund_that_ended_twice(world: World) -> None:
    story = world.refunded()
    story.event("succeeded", "succeeded", world.ago(600), story.refund_rows[0]["id"])


@plants(Check.REFUND_EVENTS)
def a_refund_that_never_ended_but_is_done(world: World) -> None:
    story = world.refunded()
    story.events.pop()
    story.payment["version"] -= 1


@plants(Check.REFUND_EVENTS)
def a_refund_whose_end_is_another_one(world: World) -> None:
    world.refunded().refund_rows[1]["status"] = "succeeded"


@plants(Check.REFUND_EVENTS)
def an_event_of_a_refund_that_is_not_there(world: World) -> None:
    world.refunded().refund_rows.pop()


@plants(Check.REFUND_EVENTS)
def an_event_of_a_refund_without_its_id(world: World) -> None:
    world.refunded().events[-1]["refund_id"] = None


@plants(Check.AMOUNT_REFUNDED)
def more_counted_as_refunded_than_was(world: World) -> None:
    world.refunded().payment["amount_refunded"] += 1


@plants(Check.AMOUNT_REFUNDED)
def less_held_than_the_refunds_come_to(world: World) -> None:
    world.refunding().payment["refund_held"] -= 1


@plants(Check.AMOUNT_REFUNDED)
def a_failed_refund_that_still_holds(world: World) -> None:
    world.refunded().payment["refund_held"] += 500


@plants(Check.AMOUNT_REFUNDED)
def refunds_that_exceed_the_payment_together(world: World) -> None:
    story = world.refunded()
    story.refund(1_000, Parts(484, 516, 2, (361, 155)), world.ago(600), sponsors=("bank", "merchant"))


@plants(Check.REFUND_PARTS)
def a_fen_too_much_for_the_customer(world: World) -> None:
    row = world.refunded().refund_rows[0]
    row["returned_to_customer"] += 1
    row["discount_returned"] -= 1


@plants(Check.REFUND_PARTS)
def a_fee_given_back_that_is_not_due(world: World) -> None:
    world.refunded().refund_rows[2]["fee_returned"] += 1


@plants(Check.REFUND_PARTS)
def a_fen_moved_from_one_funder_to_another(world: World) -> None:
    world.refunded().refund_rows[0]["funding"] = (
        '[{"sponsor": "bank", "amount": 134}, {"sponsor": "merchant", "amount": 59}]'
    )


@plants(Check.REFUND_PARTS)
def another_funder_than_the_discounts(world: World) -> None:
    row = world.refunded().refund_rows[0]
    row["funding"] = row["funding"].replace("bank", "platform")


@plants(Check.REFUND_PARTS)
def a_refund_that_forgets_one_before_it(world: World) -> None:
    story = world.discounted()
    for _ in range(2):
        story.refund(1_000, Parts(807, 193, 3, (135, 58)), world.ago(600), sponsors=("bank", "merchant"))


@plants(Check.REFUND_GIVEN_BACK)
def a_refund_said_to_be_done_that_the_channel_never_made(world: World) -> None:
    story = world.refunded()
    story.refunds.pop()


@plants(Check.REFUND_GIVEN_BACK)
def a_refund_given_back_twice(world: World) -> None:
    story = world.refunded()
    story.give_back_part(story.refund_rows[0], 807, world.ago(600))


@plants(Check.REFUND_GIVEN_BACK)
def a_refund_given_back_in_another_amount(world: World) -> None:
    world.refunded().refunds[0]["amount"] += 1


@plants(Check.REFUND_GIVEN_BACK)
def a_failed_refund_that_was_given_back(world: World) -> None:
    story = world.refunded()
    story.give_back_part(story.refund_rows[1], 404, world.ago(600))


@plants(Check.REFUNDS_KNOWN)
def a_refund_that_was_made_at_the_channel_by_somebody_else(world: World) -> None:
    story = world.refunded()
    story.give_back_part(story.refund_rows[0] | {"seq": 9}, 100, world.ago(600))


@plants(Check.REFUNDS_KNOWN)
def a_refund_of_ours_that_the_order_counts_twice(world: World) -> None:
    world.refunded().trades[0]["refunded"] += 807


@plants(Check.REFUNDS_KNOWN)
def a_refund_under_another_attempts_number(world: World) -> None:
    story = world.refunded()
    story.refunds[0]["refund_no"] = refund_order_no(story.id, 2, 1)


@plants(Check.REFUNDS_WITHIN_CAPTURE)
def more_refunded_at_the_channel_than_was_paid(world: World) -> None:
    story = world.refunded()
    story.give_back_part(story.refund_rows[0], 2_000, world.ago(600))


@plants(Check.REFUND_NUMBER)
def a_refund_number_that_leads_nowhere(world: World) -> None:
    row = {"merchant_id": MERCHANT, "merchant_refund_no": "nowhere", "refund_id": new_id("ref")}
    world.strays["refund_numbers"].append(row)


@plants(Check.REFUND_NUMBER)
def a_refund_without_its_number(world: World) -> None:
    world.refunded().refund_numbers.pop()


@plants(Check.REFUND_NUMBER)
def two_refunds_with_one_number(world: World) -> None:
    story = world.refunded()
    story.refund_numbers.pop()
    story.refund_rows[2]["merchant_refund_no"] = story.refund_rows[0]["merchant_refund_no"]


@plants(Check.REFUND_KEY)
def a_key_of_a_refund_that_leads_nowhere(world: World) -> None:
    world.refunded().refund_keys[0]["refund_id"] = new_id("ref")


@plants(Check.REFUND_KEY)
def a_key_that_leads_to_another_merchants_refund(world: World) -> None:
    world.refunded().refund_keys[0]["merchant_id"] = "mer_other"


@plants(Check.OVERDUE)
def a_refund_pending_for_too_long(world: World) -> None:
    world.refunding(asked_s=190)


@plants(Check.OVERDUE)
def a_refund_that_nobody_asks_for_when_its_turn_has_come(world: World) -> None:
    story = world.refunding(asked_s=400, carried_out=False)
    story.refund_rows[0].update(asked_at=None, next_at=world.ago(190))


@plants(Check.TASK)
def a_pending_refund_without_its_task(world: World) -> None:
    world.refunding().recovery_tasks.clear()


@plants(Check.STALE_TASK)
def a_task_for_refunds_that_are_over(world: World) -> None:
    world.refunded().task("refund", world.ago(3_600), world.now + timedelta(seconds=60))


@plants(Check.ORPHAN_ROW)
def a_refund_of_no_payment(world: World) -> None:
    world.strays["refund_rows"].append(
        world.refunded().refund_rows[0] | {"payment_id": new_id("pay"), "id": new_id("ref")}
    )


@plants(Check.POSTINGS)
def a_refund_that_is_not_booked(world: World) -> None:
    story = world.refunded()
    story.transfers = [row for row in story.transfers if row["seq"] < 1_000]


@plants(Check.REFUND_GIVEN_BACK)
def a_refund_that_nobody_has_seen_and_the_channel_has_not_carried_out(world: World) -> None:
    story = world.refunded_by_hand()
    story.verdicts[0].update(verdict="ask_again")


@plants(Check.UNRETURNED_CAPTURE)
def late_money_that_nobody_has_seen_back_and_the_channel_keeps(world: World) -> None:
    world.returned_by_hand().verdicts[0].update(verdict="try_again")


@plants(Check.POSTINGS)
def a_funder_that_got_nothing_back(world: World) -> None:
    story = world.refunded()
    story.transfers.remove(next(row for row in story.transfers if row["kind"] == "refund_discount"))


@plants(Check.POSTINGS)
def a_fee_that_was_not_given_back_with_its_refund(world: World) -> None:
    story = world.refunded()
    story.transfers.remove(next(row for row in story.transfers if row["kind"] == "refund_fee"))


@plants(Check.POSTINGS)
def a_failed_refund_that_is_booked(world: World) -> None:
    story = world.refunded()
    story.return_money(story.refund_rows[1], Parts(404, 96, 1, (67, 29)), ("bank", "merchant"), world.ago(600))
    story.refunds.pop()
    story.trades[0]["refunded"] -= 404


@plants(Check.POSTINGS)
def a_discount_that_nobody_pays_for(world: World) -> None:
    story = world.discounted()
    story.transfers = [row for row in story.transfers if row["kind"] != "discount"]


@plants(Check.DAYS)
def a_refund_booked_on_another_day(world: World) -> None:
    next(row for row in world.refunded().transfers if row["kind"] == "refund")["booked_at"] = world.ago(3 * 86_400)


@plants(Check.TOTALS)
def a_refund_booked_that_the_channel_keeps(world: World) -> None:
    story = world.refunded()
    story.refunds.clear()
    story.trades[0]["refunded"] = 0
