"""The one language of conditions (CEL) and its matcher: routing policy, campaigns and risk rules share both.

    fields = Fields(
        Field("payment.amount", FieldType.INT, "What the merchant asks for, in fen."),
        Field("payment.card_bin", FieldType.STRING, "The first six digits of the card.", nullable=True),
    )
    expression = check("payment.amount > 500000 && payment.card_bin.startsWith('62')", fields)
    matcher = Matcher([expression, ...])
    matcher.matches({"payment.amount": 600_000, "payment.card_bin": None})  # the positions of those that are true

`check` raises ExpressionError (message, line, column, hint). `Matcher` and `Expression` are immutable and hold nothing
global: build a set aside, in a thread or another process (an Expression pickles), and swap it in whole. The values are
of the fields' declared types; a name that is left out is null, as None is. `docs/conditions.md` is the analyst's page.
"""

from gateway.kernel.expressions.checking import check
from gateway.kernel.expressions.errors import ExpressionError
from gateway.kernel.expressions.expression import Expression
from gateway.kernel.expressions.fields import Field, Fields, FieldType, Function, Parameter, Value
from gateway.kernel.expressions.matcher import Matcher

__all__ = [
    "Expression",
    "ExpressionError",
    "Field",
    "FieldType",
    "Fields",
    "Function",
    "Matcher",
    "Parameter",
    "Value",
    "check",
]
