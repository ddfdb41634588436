"""What is refused, where it is said to be wrong, and what is said to do about it."""

from __future__ import annotations

import pickle

import pytest

from gateway.kernel.expressions import ExpressionError, Field, Fields, FieldType, Function, Parameter, check
from gateway.kernel.expressions.checked_nodes import OPERATIONS_MAX
from gateway.kernel.expressions.fields import Call
from gateway.kernel.expressions.tree import Constant, FieldValue, Operation, Operator

FIELDS = Fields(
    Field("payment.amount", FieldType.INT, "In fen."),
    Field("payment.wallet", FieldType.STRING, "The wallet."),
    Field("payment.static_code", FieldType.BOOL, "From a static code."),
    Field("payment.tags", FieldType.STRING_LIST, "Tags."),
    Field("customer.usual_amount", FieldType.DOUBLE, "In fen.", nullable=True),
    functions=[
        Function(
            "velocity",
            (
                Parameter.one_of("metric", "What is counted.", ["count", "sum_amount"]),
                Parameter("window", "How far back.", lambda text: None if text.endswith("h") else "hours, as 1h"),
            ),
            FieldType.INT,
            "How often.",
        )
    ],
)


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        ("payment.amuont > 5", 1, 1, "unknown: payment.amuont", "did you mean payment.amount?"),
        ("true &&\n  payment.walet == 'a'", 2, 3, "unknown: payment.walet", "did you mean payment.wallet?"),
        ("'é\U0001f600' == 'a' && zz", 1, 16, "unknown: zz", "the fields stand in the documentation"),
        ("payment.wallet.startswith('a')", 1, 26, "unknown: startswith", "did you mean startsWith?"),
        ("payment.amount = 5", 1, 16, "not understood", "'==' compares"),
        ("payment.amount => 5", 1, 16, "not understood", "write >="),
        ("payment.amount > 5 and true", 1, 20, "not expected here: 'and'", "write &&"),
        ("payment.amount > 5 or true", 1, 20, "not expected here: 'or'", "write ||"),
        ("payment.wallet == “a”", 1, 19, "not understood", "straight quotes"),
        ("payment.wallet == 'abc", 1, 19, "not understood", "no closing quote"),
        ("payment.amount >", 1, 17, "not expected here: the end", "it ends too soon"),
        ("", 1, 1, "not expected here: the end", "it ends too soon"),
        ("(payment.amount > 5", 1, 20, "missing ')' at the end", "a bracket is not closed"),
        ("payment.amount > 5)", 1, 19, "not expected here: ')'", "a bracket too many"),
        ("payment.amount > 1.5", 1, 16, "> does not apply to (int, double)", "double(…)"),
        ("payment.wallet > 5", 1, 16, "> does not apply to (string, int)", "in straight quotes"),
        ("payment.amount > '5'", 1, 16, "> does not apply to (int, string)", "without quotes"),
        ("payment.wallet == wechat", 1, 19, "unknown: wechat", "text stands in straight quotes"),
        ("payment.amount between 1 and 5", 1, 16, "not expected here: 'between'", "a >= 7 && a < 9"),
        ("payment.wallet in ('a', 'b')", 1, 23, "not expected here: ','", "square brackets"),
        ("payment.wallet not in ['a']", 1, 16, "not expected here: 'not'", "!(a in b)"),
        ("payment.amount > 5 AND true", 1, 20, "not expected here: 'AND'", "write &&"),
        ("1 < payment.amount < 5", 1, 20, "< does not apply to (bool, int)", "do not chain"),
        ("payment.wallet == null", 1, 16, "== does not apply to (string, null_type)", "known(…)"),
        ("payment.static_code ? 1 > 0 : 2", 1, 21, "? : does not apply", "of one type"),
        ("payment.amount", 1, 1, "this is int", "compare it with something"),
        ("has(payment.static_code)", 1, 4, "no has()", "known("),
        ("known(payment.amount + 1)", 1, 6, "known() asks of a field", "known("),
        ("payment.tags.exists(t, t == 'a')", 1, 20, "no such construct", ""),
        ("payment.tags == payment.tags", 1, 14, "== does not apply to list(string)", ""),
        ("payment.tags[0] == 'a'", 1, 13, "conditions have no _[_]", ""),
        ("[1] == [1]", 1, 1, "a list stands only right of 'in'", ""),
        ("payment.amount in []", 1, 19, "nothing is in an empty list", ""),
        ("payment.amount in {1: 2}", 1, 19, "", ""),
        ("string(payment.amount) == '1'", 1, 7, "conditions have no string", ""),
        ("timestamp('2026-11-22T00:00:00Z') == timestamp('')", 1, 10, "conditions have no timestamp", ""),
        ("1u < 2u", 1, 1, "no such construct", ""),
        ("b'a' == b'a'", 1, 1, "no such construct", ""),
        ("dyn(1) == 1", 1, 4, "conditions have no dyn", ""),
        ("payment.amount > 9223372036854775808", 1, 18, "invalid int literal", ""),
        ("payment.wallet.matches('(a')", 1, 24, "missing )", "RE2"),
        ("payment.wallet.matches(payment.wallet)", 1, 23, "literal text", "between quotes"),
        ("payment.wallet.matches('(a{1,100}){1,9}')", 1, 24, "repeats too much", "RE2"),
        ("velocity('cuont', '1h') > 3", 1, 10, "cannot be 'cuont'", "one of count, sum_amount"),
        ("velocity('count', '1y') > 3", 1, 19, "window of velocity() cannot be '1y'", "hours"),
        ("velocity(payment.wallet, '1h') > 3", 1, 17, "metric of velocity() is a literal text", "in quotes"),
        ("velocity('count') > 3", 1, 9, "not called like this", "velocity(metric, window)"),
    ],
)
def test_an_error_says_where_and_what_to_do(text: str, line: int, column: int, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        check(text, FIELDS)
    error = refused.value
    assert (error.line, error.column) == (line, column), str(error)
    assert message in error.message
    assert hint in error.hint
    assert f"line {line}, column {column}: " in str(error)


def test_a_text_about_has_is_no_has() -> None:
    assert check("payment.wallet == 'has(payment.wallet)'", FIELDS).evaluate({"payment.wallet": "has(payment.wallet)"})


def test_so_many_operators_are_taken_and_one_more_is_not() -> None:
    chain = " && ".join(["payment.static_code"] * OPERATIONS_MAX)
    assert check(chain, FIELDS).names == {"payment.static_code"}
    with pytest.raises(ExpressionError, match="operators"):
        check(f"{chain} && payment.static_code && payment.static_code", FIELDS)


def test_the_patterns_of_a_condition_are_few() -> None:
    pattern = "payment.wallet.matches('a')"
    assert check(" || ".join([pattern] * 4), FIELDS)
    with pytest.raises(ExpressionError, match="more than 4 patterns"):
        check(" || ".join([pattern] * 5), FIELDS)


def test_a_condition_tells_what_it_looks_up() -> None:
    expression = check("payment.amount > 5 && velocity('count', '1h') >= velocity(\"count\", '2h')", FIELDS)
    assert expression.calls == (Call("velocity", ("count", "1h")), Call("velocity", ("count", "2h")))
    assert expression.names == {"payment.amount", "velocity('count', '1h')", "velocity('count', '2h')"}
    known = {"payment.amount": 6, "velocity('count', '1h')": 3, "velocity('count', '2h')": 3}
    assert expression.evaluate(known) is True
    assert expression.evaluate({**known, "velocity('count', '1h')": None}) is None


def test_the_tree_is_plain_and_chains_are_flat() -> None:
    tree = check("payment.amount > 5 && (payment.static_code && !payment.static_code)", FIELDS).tree
    flag = FieldValue(FieldType.BOOL, "payment.static_code")
    more = Operation(
        FieldType.BOOL,
        Operator.GREATER,
        (FieldValue(FieldType.INT, "payment.amount"), Constant(FieldType.INT, 5)),
    )
    no_flag = Operation(FieldType.BOOL, Operator.NOT, (flag,))
    assert tree == Operation(FieldType.BOOL, Operator.AND, (more, flag, no_flag))


def test_a_condition_pickles() -> None:
    expression = check("payment.amount > 5 && payment.wallet in ['a', 'b']", FIELDS)
    assert pickle.loads(pickle.dumps(expression)) == expression


@pytest.mark.parametrize(
    "text",
    [
        "payment.amount > 5 // a comment",
        ".payment.amount > 5",
        "\n\tpayment.amount\n>\n5",
        "payment.wallet == \"a\" || payment.wallet == r'a' || payment.wallet == '''a'''",
        "payment.amount > 0x10",
        "known(payment.tags) && 'a' in payment.tags && size(payment.tags) == payment.tags.size()",
        "customer.usual_amount * 3.0 < double(payment.amount)",
        "payment.wallet.matches('^wechat|alipay$') || matches(payment.wallet, '[一-龥]')",
    ],
)
def test_what_cel_may_write_is_taken(text: str) -> None:
    check(text, FIELDS)
