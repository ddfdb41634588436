"""Errors of the admin API: channel accounts, routing, reviews and the risk check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.kernel.error_codes.meaning import ErrorMeaning

OPERATIONS: Final[Mapping[str, ErrorMeaning]] = {
    "account_exists": ErrorMeaning(
        "There is a channel account with this id.", "Take another id, or rotate that account's credentials.", 409
    ),
    "account_identity": ErrorMeaning(
        "What an account is at its channel, and whose it is, never changes.",
        "Create another account and drain this one.",
        409,
    ),
    "policy_refused": ErrorMeaning(
        "The routing policy has problems, and the present one stays in force. `message` names each with its place.",
        "`POST /admin/v1/routing/policy/check` lists them; mend them.",
        400,
    ),
    "policy_changed": ErrorMeaning(
        "Another version of the routing policy is in force than the one that `base_version` names.",
        "Read it, and change that one.",
        409,
    ),
    "no_version_before": ErrorMeaning(
        "The first version of the routing policy is in force.", "There is none to go back to: publish another.", 409
    ),
    "model_refused": ErrorMeaning(
        "The document is no model that can be used, and nothing was saved; `message` says why.",
        "`mashang risk train` writes one.",
        400,
    ),
    "rule_set_refused": ErrorMeaning(
        "The rule set has problems, and nothing was saved. `message` names each with its place.",
        "`POST /admin/v1/risk/rule_sets/check` lists them; mend them.",
        400,
    ),
    "rule_set_changed": ErrorMeaning(
        "Another version of the risk rules is in force than the one that `base_version` names.",
        "Look at what differs (`GET /admin/v1/risk/rule_sets/{version}/diff`), and publish on that one.",
        409,
    ),
    "tests_failed": ErrorMeaning(
        "The rule set does not do what its tests say, and the present one stays in force. `message` names each "
        "that fails; so does `failed_tests` of the version.",
        "Mend the rules or the tests, and save a new version.",
        409,
    ),
    "rule_set_outdated": ErrorMeaning(
        "The version of the risk rules names lists or a model that were deleted since it was saved, so that its "
        "rules would not hit; the present one stays in force. `message` names them.",
        "Make them again, or save a version without them.",
        409,
    ),
    "never_published": ErrorMeaning(
        "The version of the risk rules was never in force, so there is nothing to go back to.", "Publish it.", 409
    ),
    "list_exists": ErrorMeaning(
        "There is a list of this name, or as many lists as there can be.", "Take another name.", 409
    ),
    "list_built_in": ErrorMeaning("The lists `block`, `allow` and `watch` are always there.", "Empty it instead.", 409),
    "list_in_use": ErrorMeaning(
        "The rules in force ask for this list.", "Publish rules that do not, then delete it.", 409
    ),
    "list_full": ErrorMeaning(
        "A list has at most ten million entries.", "Remove some, or replace the list by an import.", 409
    ),
    "import_open": ErrorMeaning(
        "One import of a list is under way at a time; `message` names it.", "Finish or abandon that one.", 409
    ),
    "import_batch": ErrorMeaning(
        "Batches of an import come in their order; `message` names the next one.", "Send that.", 409
    ),
    "import_status": ErrorMeaning(
        "The import is finished or abandoned, or takes no more batches; `message` says which.", "Begin another.", 409
    ),
    "no_maintenance": ErrorMeaning(
        "No maintenance of the channel account is under way.",
        "Its terms have what is announced for later: change those.",
        409,
    ),
    "verdict_impossible": ErrorMeaning(
        "The verdict is none for what is in review.", "`message` names those that are.", 409
    ),
    "verdict_refused": ErrorMeaning(
        "By what the channel says now, the verdict could lose money.", "`message` says what to do instead.", 409
    ),
    "review_changed": ErrorMeaning("What was in review was settled, or has changed, meanwhile.", "Read it again.", 409),
    "channel_away": ErrorMeaning(
        "The verdict needs the channel's word, and the channel could not be asked.",
        "Send the same request again after `Retry-After`.",
        503,
    ),
    "case_claimed": ErrorMeaning(
        "Somebody else works on the case.", "`message` says who, and how to take it over.", 409
    ),
    "case_changed": ErrorMeaning(
        "Something was added to the case since the version that `base_version` names.",
        "Read it again, and decide then.",
        409,
    ),
    "case_decided": ErrorMeaning(
        "The case is decided; `message` says by whom, and how.", "Reopen it if something new came to light.", 409
    ),
    "case_open": ErrorMeaning("The case is open already.", "Note what is new, and decide it.", 409),
    "complaint_reused": ErrorMeaning(
        "The channel's number belongs to another complaint; `message` names it.",
        "Send a complaint again unchanged, or under its own number.",
        409,
    ),
}
