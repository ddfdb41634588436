"""The metric catalogue: every metric that the gateway exports, with its labels, in one place.

Labels are closed sets (no merchant, order or customer ever): a process stays below 2,000 series.  Where a label is a
name that people choose (a rule's, a campaign's), the busiest 100 are told by name and the rest as `other`: those
counters are `ranked`, see gateway/metrics/ranking.py.  Money that moves is counted in business_metrics.py.

`mashang serve` and `mashang worker` keep the values in files of PROMETHEUS_MULTIPROC_DIR (gateway/metrics/folder.py),
which is set before prometheus_client is imported; every other command counts for itself and leaves no file behind.
Gauges of a process are summed, or its least or most is told, over the processes that live; gauges of the whole
installation (`livemostrecent`) are set by the worker.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from gateway.kernel.hot_metrics import hot_counter, hot_gauge, hot_histogram, hot_ranked

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RISK_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04)
_STEP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
_OWN_SECONDS: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_CHANNEL_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 5.0)
_HTTP_SECONDS: Final = (0.01, 0.05, 0.5, 2.5)
_CASE_SECONDS: Final = (600.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0, 172_800.0, 259_200.0, 604_800.0)
_ROWS: Final = (1, 2, 4, 8, 16, 64, 256)

PAYMENTS: Final = hot_counter(
    Counter(
        "mashang_payments_total",
        "Payments answered, by where they stood; those that an earlier request had made are left out.",
        ["status", "wallet"],
    )
)
PAYMENTS_REPLAYED: Final = hot_counter(
    Counter("mashang_payments_replayed_total", "Requests answered with a payment that an earlier one had made.", [])
)
PAYMENT_SECONDS: Final = hot_histogram(
    Histogram("mashang_payment_seconds", "From request to answer of a payment.", ["wallet"], buckets=_SECONDS)
)
PAYMENT_OWN_SECONDS: Final = hot_histogram(
    Histogram(
        "mashang_payment_own_seconds",
        "The gateway's own share of a payment: from request to answer, less the time with the channel.",
        [],
        buckets=_OWN_SECONDS,
    )
)
PHASE_SECONDS: Final = hot_histogram(
    Histogram(
        "mashang_payment_phase_seconds",
        "One phase of a payment: claim, intent, channel, shown, outcome.",
        ["phase"],
        buckets=_STEP_SECONDS,
    )
)
CHANNEL_CALLS: Final = hot_counter(
    Counter(
        "mashang_channel_calls_total", "Calls to a channel account, by kind of answer.", ["account", "call", "result"]
    )
)
CHANNEL_SECONDS: Final = hot_histogram(
    Histogram(
        "mashang_channel_call_seconds", "Calls to a channel account.", ["account", "call"], buckets=_CHANNEL_SECONDS
    )
)
FAILOVERS: Final = Counter(
    "mashang_failovers_total", "Payments that went on at another account, by the one that they left.", ["account"]
)
ROUTING_CHOICES: Final = hot_counter(
    Counter(
        "mashang_routing_choices_total", "Payments routed to a channel account, by what decided.", ["account", "why"]
    )
)
ROUTING_EXHAUSTED: Final = hot_counter(
    Counter(
        "mashang_routing_exhausted_total",
        "Payments that no channel account could take: each reason that ruled some account out counts once.",
        ["reason"],
    )
)
HTTP_REQUESTS: Final = hot_counter(
    Counter("mashang_http_requests_total", "HTTP answers.", ["route", "method", "status"])
)
HTTP_SECONDS: Final = hot_histogram(
    Histogram(
        "mashang_http_request_seconds",
        "HTTP requests, the payment route excepted, by what their paths begin with.",
        ["area"],
        buckets=_HTTP_SECONDS,
    )
)
BATCH_ROWS: Final = hot_histogram(Histogram("mashang_batch_rows", "Rows in one batch.", ["batch"], buckets=_ROWS))
BATCH_SECONDS: Final = hot_histogram(
    Histogram("mashang_batch_seconds", "One batch, sent and answered.", ["batch"], buckets=_STEP_SECONDS)
)
QUEUE_DEPTH: Final = hot_gauge(
    Gauge("mashang_queue_depth", "Rows or calls waiting for the next batch.", ["batch"], multiprocess_mode="livesum")
)
IN_FLIGHT: Final = Gauge("mashang_payments_in_flight", "Payments being taken now.", multiprocess_mode="livesum")
REFUSED: Final = hot_counter(Counter("mashang_refused_total", "Requests refused before any work.", ["reason"]))
ADMISSION_LIMIT: Final = Gauge(
    "mashang_admission_limit",
    "Payments that may be beginning at once: the adaptive limit.",
    multiprocess_mode="livesum",
)
ADMISSION_BEGINNING: Final = Gauge(
    "mashang_admission_beginning",
    "Payments between their admission and their durable intent.",
    multiprocess_mode="livesum",
)
ADMISSION_OWN_SECONDS: Final = Gauge(
    "mashang_admission_own_seconds",
    "Mean time from admission to durable intent when last looked at, with the event loop's lateness.",
    multiprocess_mode="livemax",
)
CLAIMS: Final = hot_counter(Counter("mashang_claims_total", "Order numbers claimed in Valkey.", ["result"]))
POOL_RESERVATIONS: Final = hot_counter(
    Counter(
        "mashang_pool_reservations_total",
        "Discounts asked of the budget pool: reserved, exhausted, or by_database where Valkey could not say.",
        ["result"],
    )
)
POOL_UNTOLD: Final = Counter(
    "mashang_pool_untold_total", "Confirmations and releases that did not reach Valkey; reconciliation finds them."
)
POOL_EPOCH: Final = Gauge(
    "mashang_pool_epoch", "The lowest epoch of the budget pool that a process goes by.", multiprocess_mode="livemin"
)
POOL_FENCED: Final = Gauge(
    "mashang_pool_fenced_processes",
    "Processes that do not believe Valkey and draw discounts from PostgreSQL alone.",
    multiprocess_mode="livesum",
)
POOL_FENCES: Final = Counter(
    "mashang_pool_fences_total", "Epochs that began because Valkey showed signs of a loss, by the sign.", ["reason"]
)
POOL_REBUILD_SECONDS: Final = Gauge(
    "mashang_pool_rebuild_seconds",
    "From the last new epoch until today's slices were in Valkey again.",
    multiprocess_mode="livemostrecent",
)
POOL_STRANDED: Final = Gauge(
    "mashang_pool_stranded_fen",
    "Reserved by payments that went no further for three seconds; left again when they expire.",
    multiprocess_mode="livemostrecent",
)
POOL_EXPIRED: Final = Counter(
    "mashang_pool_expired_total", "Reservations that expired: no intent of their payments became durable."
)
POOL_CORRECTED: Final = Counter(
    "mashang_pool_corrected_total", "Slices in Valkey that differed from PostgreSQL and were put right."
)
UNRESOLVED: Final = Gauge(
    "mashang_unresolved_payments",
    "Payments without an outcome, codes on display excepted.",
    multiprocess_mode="livemostrecent",
)
CODES_SHOWN: Final = Gauge(
    "mashang_codes_on_display",
    "Codes that customers can scan and that are not paid.",
    multiprocess_mode="livemostrecent",
)
UNRESOLVED_AGE: Final = Gauge(
    "mashang_unresolved_oldest_age_seconds",
    "Age of the oldest payment without an outcome.",
    multiprocess_mode="livemostrecent",
)
REVIEWS: Final = Gauge(
    "mashang_payments_for_review", "What waits for a person (docs/reviews.md).", multiprocess_mode="livemostrecent"
)
REVIEW_VERDICTS: Final = Counter(
    "mashang_review_verdicts_total", "Verdicts that people gave on what was in review.", ["kind", "verdict"]
)
RECOVERY_STEPS: Final = Counter(
    "mashang_recovery_steps_total", "Steps that the worker took for payments without an outcome.", ["step", "result"]
)
CALLBACKS: Final = Counter(
    "mashang_callbacks_total",
    "Notifications of the channels, by what they were answered: taken_in, repeated, or why not.",
    ["account", "result"],
)
CALLBACKS_APPLIED: Final = Counter(
    "mashang_callbacks_applied_total", "Notifications that were applied, by what came of them.", ["account", "result"]
)
CALLBACKS_WAITING: Final = Gauge(
    "mashang_callbacks_waiting", "Notifications that are not applied yet.", multiprocess_mode="livemostrecent"
)
CALLBACKS_WAITING_AGE: Final = Gauge(
    "mashang_callbacks_waiting_oldest_age_seconds",
    "Age of the oldest notification that is not applied yet.",
    multiprocess_mode="livemostrecent",
)
LATE_CAPTURES: Final = Counter(
    "mashang_late_captures_total", "Captures found for payments that were over, by what became of them.", ["status"]
)
REFUND_STEPS: Final = Counter(
    "mashang_refund_steps_total", "Steps that the worker took for refunds.", ["step", "result"]
)
REFUNDS_PENDING: Final = Gauge(
    "mashang_pending_refunds",
    "Refunds that are on their way or wait for their turn.",
    multiprocess_mode="livemostrecent",
)
REFUNDS_PENDING_AGE: Final = Gauge(
    "mashang_pending_refunds_oldest_age_seconds",
    "For how long the oldest pending refund has been due; those that wait for their turn or a person are left out.",
    multiprocess_mode="livemostrecent",
)
COUPON_CLAIMS: Final = hot_counter(
    Counter("mashang_coupon_claims_total", "Claims of coupons, by what came of them.", ["result"])
)
COUPON_REWARDS: Final = Counter(
    "mashang_coupon_rewards_total", "Coupons for payments: issued, voided after a refund, or not to be had.", ["result"]
)
WEBHOOK_DELIVERIES: Final = hot_counter(
    Counter("mashang_webhook_deliveries_total", "Tries to deliver a webhook, by how they went.", ["result"])
)
WEBHOOK_SECONDS: Final = hot_histogram(
    Histogram("mashang_webhook_delivery_seconds", "One try to deliver a webhook.", ["result"], buckets=_CHANNEL_SECONDS)
)
WEBHOOK_BACKLOG: Final = Gauge(
    "mashang_webhook_backlog",
    "Webhooks that are still to be sent, retries included; counted up to 100,000.",
    multiprocess_mode="livemostrecent",
)
WEBHOOK_OLDEST_AGE: Final = Gauge(
    "mashang_webhook_oldest_age_seconds",
    "How long the webhook that is due for longest has been so.",
    multiprocess_mode="livemostrecent",
)
WEBHOOK_ENDPOINTS_DISABLED: Final = Counter(
    "mashang_webhook_endpoints_disabled_total", "Webhook endpoints that were switched off, by why.", ["reason"]
)
POLICY_VERSION: Final = Gauge(
    "mashang_routing_policy_version",
    "The lowest version of the routing policy that is in force in a process.",
    multiprocess_mode="livemin",
)
ACCOUNT_SUCCESS: Final = Gauge(
    "mashang_account_success_ratio",
    "Estimated share of payments that a channel account takes as a healthy channel does.",
    ["account"],
    multiprocess_mode="livemin",
)
ACCOUNT_BREAKER_STATE: Final = Gauge(
    "mashang_account_breaker_state",
    "The worst circuit breaker of a channel account: 0 closed, 1 half-open, 2 open.",
    ["account"],
    multiprocess_mode="livemax",
)
ACCOUNT_BREAKER_OPENINGS: Final = Counter(
    "mashang_account_breaker_openings_total", "Circuit breakers of a channel account that opened.", ["account"]
)
ACCOUNT_CALLS: Final = Gauge(
    "mashang_account_calls_in_flight",
    "Calls for payments under way at a channel account.",
    ["account"],
    multiprocess_mode="livesum",
)
ACCOUNT_CALLS_MAX: Final = Gauge(
    "mashang_account_calls_max",
    "How many calls may be under way at a channel account now.",
    ["account"],
    multiprocess_mode="livesum",
)
RISK_DECISIONS: Final = hot_counter(
    Counter(
        "mashang_risk_decisions_total",
        "Payments screened: approve, review, decline, or unavailable (features away, beyond the merchant's tolerance).",
        ["verdict"],
    )
)
RISK_UNDISCOUNTED: Final = hot_counter(
    Counter("mashang_risk_undiscounted_total", "Payments whose subsidy the risk check refused.", [])
)
RISK_SECONDS: Final = hot_histogram(
    Histogram(
        "mashang_risk_decision_seconds",
        "From asking for features to the decision; a claim of the order number is made meanwhile.",
        [],
        buckets=_RISK_SECONDS,
    )
)
RISK_MISSED: Final = hot_counter(
    Counter("mashang_risk_features_missed_total", "Decisions made without some features, by why.", ["reason"])
)
RISK_HITS: Final = hot_ranked(
    Counter(
        "mashang_risk_rule_hits_total",
        "Payments that a rule hit, live or in shadow; the 100 busiest by name, the others as other.",
        ["rule", "mode"],
    ),
    named=["rule"],
)
RISK_VERSION: Final = Gauge(
    "mashang_risk_rule_set_version",
    "The lowest version of the risk rules that is in force in a process; 0: none.",
    multiprocess_mode="livemin",
)
RISK_LOAD_FAILURES: Final = Counter(
    "mashang_risk_rule_set_failures_total",
    "Times that a process could not take over the rule set in force, and went on with the one before.",
)
RISK_PROFILES_BEHIND: Final = Gauge(
    "mashang_risk_profiles_behind_seconds",
    "How far customers' profiles are behind; two seconds are usual, 0 is told while no rule asks for them.",
    multiprocess_mode="livemostrecent",
)
RISK_CASES_OPEN: Final = Gauge(
    "mashang_risk_cases_open", "Cases that wait for a verdict.", ["kind"], multiprocess_mode="livemostrecent"
)
RISK_CASES_OVERDUE: Final = Gauge(
    "mashang_risk_cases_overdue",
    "Open cases past the time that is set for them.",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
RISK_CASES_OLDEST_AGE: Final = Gauge(
    "mashang_risk_cases_oldest_age_seconds",
    "How long the open case that was opened (or opened again) first has waited.",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
RISK_CASE_SECONDS: Final = Histogram(
    "mashang_risk_case_seconds",
    "From a case's opening (or opening again) to its verdict.",
    ["kind"],
    buckets=_CASE_SECONDS,
)
RISK_CASE_VERDICTS: Final = Counter("mashang_risk_case_verdicts_total", "Verdicts on cases.", ["kind", "verdict"])
RISK_COMPLAINTS: Final = Counter("mashang_risk_complaints_total", "Complaints taken, by their way.", ["channel"])
RISK_LABELS: Final = Counter(
    "mashang_risk_labels_total", "Labels of payments that came from outside, by who knew.", ["source", "label"]
)
RSA_SIGNATURES: Final = hot_counter(
    Counter(
        "mashang_rsa_signatures_total",
        "RSA signatures of requests: of the multi-buffer library, several by one call, or of OpenSSL, one by one.",
        ["way"],
    )
)
RSA_CALLS: Final = hot_counter(
    Counter("mashang_rsa_calls_total", "Calls of the multi-buffer library, each for up to eight signatures.", [])
)
RSA_FAULTS: Final = Counter(
    "mashang_rsa_faults_total",
    "Results of the multi-buffer library that were no signatures: none left the process, OpenSSL made them again.",
)
TRACE_SPANS: Final = Counter(
    "mashang_trace_spans_total",
    "Spans exported to the collector, failed where it did not take them, dropped where too many waited.",
    ["result"],
)
LOOP_LAG: Final = Gauge(
    "mashang_event_loop_lag_seconds", "How late the event loop runs its timers.", multiprocess_mode="livemax"
)
LOOP_TURNED: Final = Gauge(
    "mashang_worker_turned_timestamp_seconds",
    "When a loop of the worker last came round: of its tasks, of its housekeeping.",
    ["loop"],
    multiprocess_mode="livemax",
)
BUILD: Final = Gauge("mashang_build_info", "1, by the version that runs.", ["version"], multiprocess_mode="livemax")
PROCESSES: Final = Gauge(
    "mashang_processes",
    "Processes that live, by what they do: gateway or worker.",
    ["role"],
    multiprocess_mode="livesum",
)
PROCESS_CPU_SECONDS: Final = Counter(
    "mashang_process_cpu_seconds_total", "CPU time of the processes, user and system.", ["role"]
)
PROCESS_MEMORY: Final = Gauge(
    "mashang_process_resident_memory_bytes", "Memory of the processes.", ["role"], multiprocess_mode="livesum"
)
