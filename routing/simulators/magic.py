"""Magic payment codes and amounts: the common cases on demand, as sandboxes have them (docs/simulators.md)."""

from __future__ import annotations

import math
from typing import Final

from routing.simulators.acts import Act, Delivery, Refusal, Sealing

MAGIC_AMOUNT_PREFIX: Final = 999
"""¥99,990.01 to ¥99,990.15 (9,999,001 to 9,999,015 fen) mean what codes ending in 9001 to 9015 mean."""

MAGIC: Final[dict[str, Act]] = {
    "9001": Act(refusal=Refusal.INSUFFICIENT_FUNDS),
    "9002": Act(refusal=Refusal.CODE_EXPIRED),
    "9003": Act(pin_answered_after_s=3),
    "9004": Act(pin_answered_after_s=math.inf),
    "9005": Act(delivery=Delivery.NEVER),
    "9006": Act(delivery=Delivery.RESET_MIDWAY),
    "9007": Act(appears_after_s=20, delivery=Delivery.NEVER),
    "9008": Act(delivery=Delivery.SERVER_ERROR),
    "9009": Act(sealing=Sealing.UNSIGNED),
    "9010": Act(amount_delta_fen=1),
    "9011": Act(refusal=Refusal.RISK),
    "9012": Act(delivery=Delivery.MALFORMED),
    "9013": Act(refusal=Refusal.CODE_USED),
    "9014": Act(pin_answered_after_s=3, pin_refused=True),
    "9015": Act(processed=False, delivery=Delivery.NEVER),
}


def magic_act(auth_code: str, amount_fen: int) -> Act | None:
    """What a payment code's last four digits, or else the amount, ask for; None for an ordinary payment."""
    act = MAGIC.get(auth_code[-4:])
    if act is None and amount_fen // 10_000 == MAGIC_AMOUNT_PREFIX:
        return MAGIC.get(f"{amount_fen % 10_000:04d}")
    return act
