"""What campaigns refuse, as errors of the admin API that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.kernel.documents import DocumentError
from gateway.kernel.errors import Conflict, InvalidRequest, not_found
from promotions.campaigns.lifecycle import (
    BelowUsed,
    CampaignChanged,
    IllegalStep,
    NoSuchCampaign,
    NotWhileRunning,
    TopUpReused,
)

_TOLD_MAX: Final = 20
"""So many problems stand in the message of a refusal; a check tells all."""
_PARAM_LENGTH_MAX: Final = 128


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what promotions.campaigns refuses into the error answer.  Raises InvalidRequest and Conflict."""
    try:
        yield
    except NoSuchCampaign:
        raise no_campaign() from None
    except DocumentError as error:
        raise _refused(error) from None
    except IllegalStep as error:
        raise Conflict("campaign_status", str(error), param="status") from None
    except CampaignChanged as error:
        raise Conflict(
            "campaign_changed",
            f"The campaign is at version {error.version} (revision {error.revision}): look at it first.",
            param="base_version",
        ) from None
    except NotWhileRunning as error:
        raise Conflict("campaign_running", f"“{error.path}” stays as it is: {error}.", param=error.path) from None
    except BelowUsed as error:
        message = f"“{error.path}” cannot go below {error.used}: so much is used."
        raise Conflict("below_used", message, param=error.path) from None
    except TopUpReused as error:
        raise Conflict(
            "idempotency_key_reused",
            f"This key has added {error.amount_fen} fen to this campaign: use a new one.",
            param="Idempotency-Key",
        ) from None


def no_campaign() -> InvalidRequest:
    """The 404."""
    return not_found("campaign", "campaign_id")


def _refused(error: DocumentError) -> InvalidRequest:
    told = "; ".join(map(str, error.problems[:_TOLD_MAX]))
    more = len(error.problems) - _TOLD_MAX
    param = error.problems[0].path[:_PARAM_LENGTH_MAX]
    return InvalidRequest("campaign_refused", f"{told}{f'; and {more} more' if more > 0 else ''}", param=param)
