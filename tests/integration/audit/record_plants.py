"""Errors in what was told, recorded and left to be done (I2, I3, I5, I6)."""

from __future__ import annotations

from datetime import timedelta

from gateway.audit.checks import Check
from gateway.kernel.ids import new_id
from tests.integration.audit.planting import plants
from tests.integration.audit.world import MERCHANT, World


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


@plants(Check.ORPHAN_ROW)
def a_verdict_on_no_payment(world: World) -> None:
    story = world.refunded_by_hand()
    world.strays["verdicts"].append(story.verdicts[0] | {"id": "ver_1", "payment_id": new_id("pay")})


@plants(Check.VERDICTS)
def a_verdict_without_its_event(world: World) -> None:
    story = world.refunded_by_hand()
    story.verdicts.append(story.verdicts[0] | {"id": "ver_1"})


@plants(Check.VERDICTS)
def an_event_of_a_verdict_that_nobody_gave(world: World) -> None:
    world.refunded_by_hand().verdicts.clear()


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
