"""What docs/conditions.md says of its examples is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.kernel.expressions import Field, Fields, FieldType, Matcher, Value, check

PAGE = (Path(__file__).parents[4] / "docs" / "conditions.md").read_text(encoding="utf-8")
FIELDS = Fields(
    *(Field(f"payment.{name}", FieldType.INT, "A number.") for name in ("amount", "hour", "weekday")),
    Field("payment.wallet", FieldType.STRING, "The wallet."),
    Field("payment.card_bin", FieldType.STRING, "Six digits.", nullable=True),
)
PAYMENT: dict[str, Value | None] = {
    "payment.amount": 520_000,
    "payment.wallet": "wechat",
    "payment.hour": 23,
    "payment.weekday": 6,
    "payment.card_bin": None,
}
VERDICTS = {"true": True, "false": False, "error": None}
ROWS = re.findall(r"^\| `(.+)` \| (true|false|error) \|$", PAGE, flags=re.MULTILINE)


def test_the_page_has_its_examples() -> None:
    assert len(ROWS) == 15


@pytest.mark.parametrize(("text", "said"), ROWS)
def test_an_example_is_what_the_page_says(text: str, said: str) -> None:
    expression = check(text.replace("\\|", "|"), FIELDS)
    assert expression.evaluate(PAYMENT) is VERDICTS[said]
    assert Matcher([expression]).matches(PAYMENT) == ((0,) if said == "true" else ())
