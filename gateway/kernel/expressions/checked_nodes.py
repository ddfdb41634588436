"""Builds a condition's tree from the checker's, and refuses what conditions may not use, each with its position."""

from __future__ import annotations

from typing import Final, NoReturn

from gateway.kernel.expressions.complaints import position_at
from gateway.kernel.expressions.errors import ExpressionError
from gateway.kernel.expressions.fields import Call, Fields, FieldType, Function
from gateway.kernel.expressions.patterns import pattern_problem
from gateway.kernel.expressions.tree import Choices, Constant, FieldValue, Node, Operation, Operator
from gateway.kernel.expressions.wire import CheckedNode, CheckedTree, Kind

OPERATIONS_MAX: Final = 256
"""Operators in one condition: what bounds its cost, as none of them loops."""

PATTERNS_MAX: Final = 4
"""Uses of matches() in one condition: the one operator that costs more than a few hundred nanoseconds."""

_NUMBERS: Final = frozenset({FieldType.INT, FieldType.DOUBLE})
_TEXT: Final = frozenset({FieldType.STRING})
_BOOL: Final = frozenset({FieldType.BOOL})
_PLAIN: Final = _NUMBERS | _TEXT | _BOOL
_OF_FIRST: Final[dict[Operator, frozenset[FieldType]]] = {
    Operator.AND: _BOOL,
    Operator.OR: _BOOL,
    Operator.NOT: _BOOL,
    Operator.CHOOSE: _BOOL,
    Operator.EQUAL: _PLAIN,
    Operator.UNEQUAL: _PLAIN,
    Operator.LESS: _PLAIN,
    Operator.LESS_OR_EQUAL: _PLAIN,
    Operator.GREATER: _PLAIN,
    Operator.GREATER_OR_EQUAL: _PLAIN,
    Operator.IN: _PLAIN,
    Operator.ADD: _NUMBERS | _TEXT,
    Operator.SUBTRACT: _NUMBERS,
    Operator.MULTIPLY: _NUMBERS,
    Operator.DIVIDE: _NUMBERS,
    Operator.MODULO: frozenset({FieldType.INT}),
    Operator.NEGATE: _NUMBERS,
    Operator.SIZE: frozenset({FieldType.STRING, FieldType.STRING_LIST}),
    Operator.STARTS_WITH: _TEXT,
    Operator.ENDS_WITH: _TEXT,
    Operator.CONTAINS: _TEXT,
    Operator.MATCHES: _TEXT,
    Operator.TO_INT: _NUMBERS,
    Operator.TO_DOUBLE: _NUMBERS,
    Operator.KNOWN: _PLAIN | {FieldType.STRING_LIST},
}
"""What the first operand may be; of the others the checker has seen to it that they go with it."""
_OPERATORS: Final = {str(operator): operator for operator in Operator}


class Builder:
    """Builds one tree; `names` and `calls` collect what it looks up."""

    def __init__(self, text: str, fields: Fields, tree: CheckedTree, *, bounded: bool = True) -> None:
        self._text = text
        self._fields = fields
        self._tree = tree
        self._bounded = bounded
        self._operations = 0
        self._patterns = 0
        self.names: set[str] = set()
        self.calls: dict[str, Call] = {}

    def node(self, checked: CheckedNode) -> Node:
        """Build the node and all below it; raises ExpressionError where it is nothing that conditions may use."""
        if checked.kind is Kind.CONSTANT:
            assert checked.value is not None
            return Constant(self._type(checked), checked.value)
        if checked.kind is Kind.IDENTIFIER:
            return self._field(checked)
        if checked.kind is Kind.CALL:
            return self._operation(checked)
        if checked.kind is Kind.LIST:
            self._refuse(checked, "a list stands only right of 'in'")
        raise self._refusal(checked, "conditions have no such construct", "the documentation lists the operators")

    def _type(self, checked: CheckedNode) -> FieldType:
        found = self._tree.types.get(checked.id)
        if found is None:
            self._refuse(checked, "a value of a type that conditions do not have")
        return found

    def _field(self, checked: CheckedNode) -> Node:
        field = self._fields.fields.get(checked.name.removeprefix("."))
        if field is None:
            self._refuse(checked, f"{checked.name} is no field")
        self.names.add(field.name)
        return FieldValue(field.type, field.name)

    def _operation(self, checked: CheckedNode) -> Node:
        self._operations += 1
        if self._bounded and self._operations > OPERATIONS_MAX:
            self._refuse(checked, f"more than {OPERATIONS_MAX} operators", "split it into several conditions")
        spelling = self._fields.spellings.get(checked.name)
        function = self._fields.functions.get(checked.name if spelling is None else spelling.function)
        if function is not None:
            return self._call(checked, function, function.type if spelling is None else spelling.type)
        operator = _OPERATORS.get(checked.name)
        if operator is None:
            self._refuse(checked, f"conditions have no {checked.name}")
        if operator is Operator.IN:
            return self._membership(checked)
        operands = tuple(self.node(child) for child in checked.children)
        self._refuse_operands(checked, operator, operands)
        return Operation(self._type(checked), operator, _flat(operator, operands))

    def _refuse_operands(self, checked: CheckedNode, operator: Operator, operands: tuple[Node, ...]) -> None:
        if operands[0].type not in _OF_FIRST[operator]:
            self._refuse(checked, f"{checked.name.strip('_')} does not apply to {operands[0].type}")
        if operator is Operator.CHOOSE and operands[1].type not in _PLAIN:
            self._refuse(checked, f"? : does not give {operands[1].type}")
        if operator is Operator.KNOWN and not isinstance(operands[0], FieldValue):
            self._refuse(checked, "known() asks of a field", "write known(payment.…)")
        if operator is Operator.MATCHES:
            self._refuse_pattern(checked, operands[1])

    def _refuse_pattern(self, checked: CheckedNode, pattern: Node) -> None:
        if not isinstance(pattern, Constant):
            self._refuse(checked, "the pattern of matches() is a literal text", "write it between quotes")
        self._patterns += 1
        if self._bounded and self._patterns > PATTERNS_MAX:
            self._refuse(checked, f"more than {PATTERNS_MAX} patterns", "join them: 'one|other'")
        problem = pattern_problem(str(pattern.value), bounded=self._bounded)
        if problem is not None:
            self._refuse(checked.children[1], f"not a pattern: {problem}", "patterns are RE2's")

    def _membership(self, checked: CheckedNode) -> Node:
        left, right = checked.children
        value = self.node(left)
        if value.type not in _PLAIN:
            self._refuse(left, f"in does not apply to {value.type}")
        if right.kind is not Kind.LIST:
            return Operation(FieldType.BOOL, Operator.IN, (value, self.node(right)))
        if not right.children:
            self._refuse(right, "nothing is in an empty list")
        elements = tuple(self.node(child) for child in right.children)
        for element, child in zip(elements, right.children, strict=True):
            if element.type is not value.type:
                self._refuse(child, f"the list holds {value.type}, this is {element.type}")
        return Operation(FieldType.BOOL, Operator.IN, (value, Choices(value.type, elements)))

    def _call(self, checked: CheckedNode, function: Function, kind: FieldType) -> Node:
        arguments: list[str] = []
        for parameter, child in zip(function.parameters, checked.children, strict=True):
            if child.kind is not Kind.CONSTANT:
                self._refuse(child, f"{parameter.name} of {function.name}() is a literal text", "write it in quotes")
            arguments.append(str(child.value))
            problem = parameter.problem(str(child.value))
            if problem is not None:
                self._refuse(child, f"{parameter.name} of {function.name}() cannot be {child.value!r}", problem)
        if function.type_of(arguments[0]) is not kind:
            hint = f"write '{arguments[0]}', without escapes"
            self._refuse(checked.children[0], f"{arguments[0]} is written in an unusual way", hint)
        call = Call(function.name, tuple(arguments))
        self.names.add(call.name)
        self.calls[call.name] = call
        return FieldValue(kind, call.name)

    def _refuse(self, checked: CheckedNode, message: str, hint: str = "") -> NoReturn:
        raise self._refusal(checked, message, hint)

    def _refusal(self, checked: CheckedNode, message: str, hint: str = "") -> ExpressionError:
        line, column = position_at(self._text, self._tree.offset(checked))
        return ExpressionError(message, line, column, hint)


def _flat(operator: Operator, operands: tuple[Node, ...]) -> tuple[Node, ...]:
    """The operands of a chain: a && (b && c) is one AND of three, as errors and order do not tell them apart."""
    if operator not in (Operator.AND, Operator.OR):
        return operands
    flat: list[Node] = []
    for operand in operands:
        if isinstance(operand, Operation) and operand.operator is operator:
            flat.extend(operand.operands)
        else:
            flat.append(operand)
    return tuple(flat)
