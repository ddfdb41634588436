"""Stories of each pack's pattern, payment by payment, and the same with honest customers: when each rule sees it."""

from __future__ import annotations

from datetime import timedelta

from risk.decision import Verdict
from risk.facts import CodeType, Facts
from risk.profiles.reading import Profile
from risk.velocity.spec import Series
from tests.support.played import BEIJING, NOON, SHANGHAI, Play

ORDINARY_HOURS = tuple(4 if 11 <= hour <= 20 else 0 for hour in range(24))
REGULAR = Profile(
    orders=40,
    spent_fen=200_000,
    first_at=NOON - timedelta(days=200),
    last_at=NOON - timedelta(days=2),
    payments=40,
    amount_fen=200_000,
    highest_fen=20_000,
    hours=ORDINARY_HOURS,
    regions=("310000",),
)
"""¥50 at lunch and in the evening, in Shanghai, never above ¥200."""


def test_starter_has_the_lists_decide_before_anything_else() -> None:
    play = Play(("starter", "card_testing"))
    play.listed = {"listed('allow', 'customer')": True, "listed('watch', 'ip')": True}
    decision, _ = play.pay(6_000_000, customer="ada", ip="i")
    assert decision.verdict is Verdict.APPROVE
    assert decision.reasons == ("starter.allow", "starter.very_large", "starter.watch")
    play.listed["listed('block', 'device')"] = True
    assert play.pay(100, customer="ada", device="d")[0].verdict is Verdict.DECLINE


def test_starter_notices_an_id_that_a_till_sends_for_everybody() -> None:
    play = Play(("starter",))
    seen = []
    for _ in range(32):
        seen.append(play.reasons(500, customer="the till"))
        play.wait(minutes=1)
    assert seen.index(("starter.too_many",)) == 30


def test_regulator_caps_warn_of_a_customer_who_comes_close_and_let_everybody_pay() -> None:
    play = Play(("regulator_caps",))
    story = []
    for _ in range(6):
        decision, _ = play.pay(10_000, customer="ada", code_type=CodeType.STATIC)
        assert decision.verdict is Verdict.APPROVE
        story.append(decision.shadow)
        play.wait(hours=1)
    near, over = ("regulator_caps.static_near",), ("regulator_caps.static",)
    assert story == [(), (), (), (), near, over]
    assert play.reasons(40_000, customer="ada", code_type=CodeType.BARCODE) == ()
    play.wait(hours=26)
    assert play.reasons(10_000, customer="ada", code_type=CodeType.STATIC) == ()


def test_regulator_caps_of_dynamic_codes_go_by_how_well_the_customer_is_known() -> None:
    play = Play(("regulator_caps",))
    play.profiles = {"weak": Profile(segments=("level_c",)), "strong": Profile(segments=("level_a",))}
    told = {}
    for customer in ("weak", "usual", "strong"):
        hits = [play.reasons(200_000, customer=customer, code_type=CodeType.DYNAMIC) for _ in range(3)]
        told[customer] = [tuple(code.partition(".")[2] for code in codes) for codes in hits]
    assert told["weak"] == [("dynamic_c",), ("dynamic_c",), ("dynamic_b", "dynamic_c")]
    assert told["usual"] == [(), (), ("dynamic_b",)]
    assert told["strong"] == [(), (), ()]


def test_card_testing_ends_before_the_large_payment() -> None:
    """Stolen accounts are tried with ¥1 to ¥3; two work, one is refused; then ¥800 are to be taken."""
    play = Play(("card_testing",))
    for amount_fen, is_refused in ((100, True), (200, False), (300, False)):
        decision, facts = play.pay(amount_fen, device="phone", customer=f"stolen-{amount_fen}")
        assert decision.verdict is Verdict.APPROVE
        if is_refused:
            play.tell(Series.DECLINES, facts)
        play.wait(minutes=3)
    assert play.pay(80_000, device="phone", customer="stolen-300")[0].reasons == ("card_testing.small_then_large",)


def test_card_testing_stops_a_device_after_four_refusals_for_an_hour() -> None:
    play = Play(("card_testing",))
    for number in range(4):
        decision, facts = play.pay(9_900, device="phone", customer=f"c{number}")
        assert decision.verdict is Verdict.APPROVE
        play.tell(Series.DECLINES, facts)
        play.wait(minutes=1)
    assert play.pay(9_900, device="phone", customer="c5")[0].verdict is Verdict.DECLINE
    assert play.pay(9_900, device="another", customer="c6")[0].verdict is Verdict.APPROVE
    play.wait(minutes=61)
    assert play.pay(9_900, device="phone", customer="c7")[0].verdict is Verdict.APPROVE


def test_card_testing_leaves_a_customer_alone_who_buys_small_things_or_one_large_thing() -> None:
    play = Play(("card_testing",))
    for amount_fen in (300, 500, 400, 99_900, 600, 350):
        assert play.reasons(amount_fen, device="phone", customer="ada") == ()
        play.wait(minutes=9)


def test_cash_out_is_seen_when_a_split_sum_is_nearly_through() -> None:
    """¥6,000 against the customer's credit in four nearly equal parts, at one merchant."""
    play = Play(("cash_out",))
    story = []
    for amount_fen in (149_000, 152_000, 148_500, 150_500):
        story.append(play.reasons(amount_fen, customer="ada"))
        play.wait(hours=2)
    assert story == [(), (), (), ("cash_out.split",)]


def test_cash_out_of_round_sums_at_night_is_seen_by_both_signs_and_a_hotel_at_night_is_not() -> None:
    play = Play(("cash_out",), at=NOON + timedelta(hours=14))  # two in the morning
    story = []
    for _ in range(3):
        story.append(play.reasons(400_000, customer="ada"))
        play.wait(hours=1)
    night, both = ("cash_out.night",), ("cash_out.night", "cash_out.round", "cash_out.split")
    assert story == [night, night, both]
    assert play.reasons(450_000, customer="bob", category="hotel", merchant_id="mer_2") == ()


def test_cash_out_just_below_a_cap_adds_to_the_score() -> None:
    play = Play(("cash_out",))
    play.pay(24_000, customer="ada", code_type=CodeType.STATIC)
    play.wait(hours=3)
    decision, _ = play.pay(24_000, customer="ada", code_type=CodeType.STATIC)
    assert (decision.reasons, decision.score, decision.verdict) == (("cash_out.near_cap",), 30, Verdict.APPROVE)


def test_a_sale_split_for_its_subsidy_is_paid_without_it_from_the_third_part_on() -> None:
    play = Play(("cash_out",))
    refused = []
    for _ in range(4):
        decision, _ = play.pay(2_000, customer="ada")
        assert decision.verdict is Verdict.APPROVE
        refused.append(decision.no_discount)
        play.wait(minutes=2)
    assert refused == [False, False, True, True]


def test_account_takeover_is_declined_where_device_region_and_amount_are_all_strange() -> None:
    play = Play(("account_takeover",))
    play.profiles = {"ada": REGULAR}
    assert play.reasons(5_000, customer="ada", device="hers", region="310000") == ()
    play.wait(days=1)
    thief = {"customer": "ada", "device": "his", "region": "440000"}
    assert play.pay(58_000, **thief)[0].verdict is Verdict.DECLINE
    assert play.reasons(58_000, customer="ada", device="hers", region="310000") == ()


def test_account_takeover_lets_her_buy_a_coffee_with_a_new_phone_on_a_journey() -> None:
    play = Play(("account_takeover",))
    play.profiles = {"ada": REGULAR}
    assert play.reasons(3_800, customer="ada", device="new", region="440000") == ()
    play.wait(hours=3)
    assert play.reasons(58_000, customer="ada", device="new", region="440000") == ()


def test_account_takeover_by_guessing_is_reviewed_after_two_refusals() -> None:
    play = Play(("account_takeover",))
    play.profiles = {"ada": REGULAR}
    for _ in range(2):
        _, facts = play.pay(5_000, customer="ada", device="hers")
        play.tell(Series.DECLINES, facts)
        play.wait(minutes=2)
    assert play.reasons(5_000, customer="ada", device="hers") == ()
    assert play.reasons(5_000, customer="ada", device="his") == ("account_takeover.refused_then_new_device",)


def test_nobody_is_in_two_cities_within_half_an_hour_but_a_train_gets_there() -> None:
    play = Play(("impossible_travel",))
    assert play.reasons(5_000, customer="ada", location=SHANGHAI) == ()
    play.wait(minutes=30)
    assert play.pay(5_000, customer="ada", location=BEIJING)[0].verdict is Verdict.DECLINE
    by_train = Play(("impossible_travel",))
    assert by_train.reasons(50_000, customer="ada", location=SHANGHAI) == ()
    by_train.wait(hours=4.5)
    assert by_train.reasons(50_000, customer="ada", location=BEIJING) == ()


def test_a_code_that_was_sent_to_somebody_in_another_city_is_reviewed() -> None:
    play = Play(("impossible_travel",))
    told = play.reasons(20_000, customer="ada", location=SHANGHAI, store_location=BEIJING)
    assert told == ("impossible_travel.far_from_the_store",)
    assert play.reasons(20_000, customer="bob", location=SHANGHAI, store_location=SHANGHAI) == ()


def test_bonus_hunters_on_one_phone_pay_in_full_from_the_third_account_on() -> None:
    play = Play(("bonus_hunting",))
    refused = []
    for number in range(5):
        decision, _ = play.pay(2_001, customer=f"fresh-{number}", device="phone", has_coupon=True)
        assert decision.verdict is Verdict.APPROVE
        refused.append(decision.no_discount)
        play.wait(minutes=4)
    assert refused == [False, False, True, True, True]


def test_bonus_hunters_who_come_on_many_days_are_known_by_the_sixth_account() -> None:
    play = Play(("bonus_hunting",))
    refused = []
    for number in range(7):
        refused.append(play.pay(2_001, customer=f"fresh-{number}", device="phone")[0].no_discount)
        play.wait(days=2)
    assert refused == [False] * 5 + [True] * 2


def test_bonus_hunters_in_a_row_at_one_till_are_seen_and_regulars_behind_them_keep_their_discount() -> None:
    play = Play(("bonus_hunting",))
    play.profiles = {"ada": REGULAR}
    hits = []
    for number in range(9):
        hits.append(play.reasons(2_001 + number, customer=f"fresh-{number}", terminal_id="t-1"))
        play.wait(seconds=40)
    assert hits == [()] * 7 + [("bonus_hunting.one_after_another",)] * 2
    assert play.reasons(2_050, customer="ada", terminal_id="t-1") == ()


def test_a_wallet_that_pays_for_a_second_account_has_no_second_first_discount() -> None:
    play = Play(("bonus_hunting",))
    play.profiles = {"second": Profile(orders=1, shared_payer=True), "family": REGULAR._replace(shared_payer=True)}
    assert play.reasons(2_001, customer="second") == ("bonus_hunting.payer_of_many",)
    assert play.reasons(2_001, customer="family") == ()


def test_a_family_with_one_tablet_keeps_its_discounts() -> None:
    play = Play(("bonus_hunting",))
    for _ in range(10):
        for parent in ("ada", "bob"):
            assert play.reasons(4_200, customer=parent, device="tablet") == ()
        play.wait(days=1)


def test_a_compromised_terminal_is_seen_when_the_labels_arrive_a_week_later() -> None:
    """Ten customers a day at each of two tills; from day 7 on every second payment at one of them is a fraud."""
    play = Play(("compromised_terminal",))
    late: list[list[Facts]] = []
    hits: dict[str, list[int]] = {}
    for day in range(24):
        for facts in late[day - 7] if day >= 7 else ():
            play.tell(Series.FRAUDS, facts)
        late.append([])
        for number in range(10):
            for till in ("bad", "good"):
                codes, facts = _paid(play, till, f"{day}-{number}-{till}")
                if till == "bad" and day >= 7 and number % 2:
                    late[day].append(facts)
                for code in codes:
                    hits.setdefault(f"{till} {code}", []).append(day)
        play.wait(days=1)
    assert min(hits["bad compromised_terminal.terminal"]) == 14
    assert min(hits["bad compromised_terminal.terminal_now"]) in (17, 18)
    assert not any(name.startswith("good compromised_terminal.terminal") for name in hits)


def _paid(play: Play, till: str, customer: str) -> tuple[tuple[str, ...], Facts]:
    decision, facts = play.pay(9_900, terminal_id=till, customer=customer)
    return decision.reasons, facts


def test_a_customer_whose_payments_were_fraud_is_reviewed_at_other_tills_too() -> None:
    play = Play(("compromised_terminal",))
    for _ in range(2):
        _, facts = play.pay(50_000, customer="ada", terminal_id="t-1")
        play.wait(days=8)
        play.tell(Series.FRAUDS, facts)
    assert play.reasons(5_000, customer="ada", terminal_id="t-2") == ("compromised_terminal.customer",)
    play.wait(days=30)
    assert play.reasons(5_000, customer="ada", terminal_id="t-2") == ()


def test_a_merchant_with_three_customers_who_pay_all_day_is_reviewed_and_a_busy_one_is_not() -> None:
    play = Play(("merchant_collusion",))
    first = {}
    for number in range(36):
        customer = f"friend-{number % 3}"
        if play.reasons(3_000, customer=customer):
            first.setdefault(customer, number // 3 + 1)
        play.wait(minutes=20)
    assert first == {"friend-0": 10, "friend-1": 10, "friend-2": 10}
    busy = Play(("merchant_collusion",))
    for number in range(40):
        assert busy.reasons(3_000, customer=f"c-{number % 20}") == ()


def test_a_cashier_who_pays_others_sales_with_an_own_phone_gets_no_discount() -> None:
    play = Play(("merchant_collusion",))
    refused = []
    for _ in range(7):
        decision, _ = play.pay(2_500, customer="the cashier", operator_id="o-1")
        refused.append(decision.no_discount)
        play.wait(minutes=50)
    assert refused == [False] * 5 + [True] * 2


def test_one_phone_that_is_three_customers_of_one_merchant_is_reviewed() -> None:
    play = Play(("merchant_collusion",))
    hits = [play.reasons(3_000, customer=f"c-{number}", device="phone") for number in range(3)]
    assert hits == [(), (), ("merchant_collusion.one_phone_many_customers",)]
    assert play.reasons(3_000, customer="c-9", device="phone", merchant_id="mer_2") == ()


def test_a_new_merchant_with_a_large_turnover_is_reviewed_and_an_old_one_is_not() -> None:
    for age_days, expected in ((5, 25), (400, None)):
        play = Play(("merchant_collusion",))
        since = NOON - timedelta(days=age_days)
        hits = [bool(play.reasons(200_000, customer=f"c-{n}", merchant_since=since)) for n in range(30)]
        assert (hits.index(True) if any(hits) else None) == expected


def test_complaints_have_a_merchants_payments_reviewed_for_a_month() -> None:
    play = Play(("merchant_collusion",))
    for number in range(5):
        _, facts = play.pay(3_000, customer=f"c-{number}")
        play.tell(Series.COMPLAINTS, facts)
        play.wait(days=1)
    assert play.reasons(3_000, customer="c-9") == ("merchant_collusion.complaints",)
    play.wait(days=31)
    assert play.reasons(3_000, customer="c-9") == ()


def test_who_gives_half_of_it_back_gets_no_more_discounts_but_can_pay() -> None:
    play = Play(("refund_abuse",))
    for number in range(5):
        decision, facts = play.pay(4_000, customer="ada")
        assert (decision.verdict, decision.no_discount) == (Verdict.APPROVE, False)
        if number != 2:
            play.tell(Series.REFUNDS, facts)
        play.wait(days=2)
    decision, _ = play.pay(4_000, customer="ada")
    assert (decision.verdict, decision.reasons) == (Verdict.APPROVE, ("refund_abuse.often",))
    assert decision.no_discount


def test_a_cashier_who_refunds_to_himself_is_reviewed_and_a_colleague_with_two_refunds_is_not() -> None:
    play = Play(("refund_abuse",))
    for number in range(24):
        for cashier, often in (("thief", 3), ("honest", 12)):
            _, facts = play.pay(6_000, customer=f"{cashier}-{number}", operator_id=cashier)
            if number % often == 0:
                play.tell(Series.REFUNDS, facts)
        play.wait(minutes=15)
    assert play.reasons(6_000, customer="next", operator_id="thief") == ("refund_abuse.cashier",)
    assert play.reasons(6_000, customer="other", operator_id="honest") == ()


def test_an_ordinary_week_of_ordinary_shops_is_bothered_by_no_pack() -> None:
    """Twenty regulars with their own phones, two cashiers, lunch and evening, a few refusals and refunds."""
    packs = (
        *("starter", "regulator_caps", "card_testing", "cash_out", "account_takeover", "impossible_travel"),
        *("bonus_hunting", "compromised_terminal", "merchant_collusion", "refund_abuse"),
    )
    play = Play(packs)
    play.profiles = {f"c-{number}": REGULAR for number in range(20)}
    for day in range(7):
        for number in range(20):
            where = {"operator_id": f"o-{number % 2}", "terminal_id": f"t-{number % 2}", "region": "310000"}
            who = {"customer": f"c-{number}", "device": f"d-{number}", "location": SHANGHAI}
            decision, facts = play.pay(2_000 + 370 * number, merchant_id=f"mer_{number % 3}", **who, **where)
            assert (decision.verdict, decision.reasons, decision.shadow) == (Verdict.APPROVE, (), ())
            if number == day:
                play.tell(Series.REFUNDS, facts)
            if number == day + 8:
                play.tell(Series.DECLINES, facts)
            play.wait(minutes=20)
        play.wait(hours=24 - 20 / 3)
