"""Is this equation's answer right?

All arithmetic is exact, in sympy's Rational: 0.1 + 0.2 is 0.3. Nothing is ever handed to eval or
to a parser that uses it, and every input has a limit, so that a model or a user may ask for
9^9^9^9 without harm.
"""
import re

from sympy import Rational

from tinyprune.quantities import (
    LITERAL,
    MAX_CHARACTERS,
    POWERS,
    EquationError,
    is_name,
    name_index,
    read_number,
)
from tinyprune.tokenizer import fold_prefix, infix_to_prefix, lex

MAX_EXPONENT = 64
MAX_BITS = 4000
MAX_DECIMALS = 12  # of a recorded answer: what comes later is the noise of a float

UNIT = re.compile(r"\((?=[^()]*[^\W\d_])[^()]*\)\s*$")  # "14  (seats)": a letter in brackets
# A minus, a currency's sign, a number, a power of ten; a minus before another one is no number.
ANSWER = re.compile(rf"\s*(?:(-)\s*(?![$¥￥£€]?\s*-))?(?:[$¥￥£€]\s*)?({LITERAL.pattern})"
                    r"(?:[eE]([+-]?[0-9]{1,2}))?\s*")


def evaluate_prefix(prefix, numbers=()):
    """The exact value, a Rational, of a prefix equation; numbers[i], a Rational, is Ni's value.

    Raises EquationError (empty, too long, missing operand, missing operator, unknown token, not a
    number, division by zero, exponent, undefined, too large).
    """
    return evaluate_parts(prefix, numbers)[-1]


def evaluate_parts(prefix, numbers=()):
    """The values of all parts of a prefix equation: its operands, its operations, the whole last.

    Raises EquationError as evaluate_prefix does.
    """
    ### BEGIN SOLUTION
    values = []

    def keep(value):
        values.append(value)
        return value

    fold_prefix(prefix, leaf=lambda token: keep(operand_value(token, numbers)),
                join=lambda *operation: keep(operate(*operation)))
    return values
    ### END SOLUTION


def operand_value(token, numbers):
    """The value of a number's name or a literal. Raises EquationError as evaluate_prefix does."""
    if not is_name(token) or token != f"N{name_index(token)}":  # N01 is no name
        return read_number(token)
    index = name_index(token)
    if index >= len(numbers):
        raise EquationError("unknown token", f"the problem has no number {token}, "
                                             f"only {len(numbers)} numbers")
    if not isinstance(numbers[index], Rational):  # a float, or sympy's nan or infinity
        raise EquationError("not a number", f"{token} is {numbers[index]!r}, which is not an exact "
                                            "number")
    return numbers[index]


def operate(operator, left, right):
    """left operator right, for one of + - * / ^.

    Raises EquationError: "division by zero"; "too large", for a value whose numerator and
    denominator have more than MAX_BITS bits together; and as power does.
    """
    ### BEGIN SOLUTION
    if operator == "+":
        value = left + right
    elif operator == "-":
        value = left - right
    elif operator == "*":
        value = left * right
    elif operator == "/":
        if right.p == 0:  # sympy's own == takes longer than the division
            raise EquationError("division by zero", f"division by zero: {shorten(left)} / 0")
        value = left / right
    else:
        value = power(left, right)
    if value.p.bit_length() + value.q.bit_length() > MAX_BITS:
        raise EquationError("too large", f"a value of {operator} has more than {MAX_BITS} bits")
    return value
    ### END SOLUTION


def power(base, exponent):
    """base ^ exponent, for whole exponents of at most MAX_EXPONENT.

    Others have no exact value, or none that is of any use. Raises EquationError: "exponent" if it
    is not whole, or beyond ±MAX_EXPONENT; "undefined" for 0 ^ 0; "division by zero" for 0 to a
    negative power.
    """
    ### BEGIN SOLUTION
    if exponent.q != 1:
        raise EquationError("exponent", f"the exponent {shorten(exponent)} is not a whole number")
    if abs(exponent) > MAX_EXPONENT:
        raise EquationError("exponent", f"the exponent {shorten(exponent)} is too large, "
                                        f"at most {MAX_EXPONENT}")
    if base == 0 and exponent == 0:
        raise EquationError("undefined", "0 ^ 0 has no value")
    if base == 0 and exponent < 0:
        raise EquationError("division by zero", f"division by zero: 0 ^ {exponent}")
    return base ** int(exponent)
    ### END SOLUTION


def shorten(value):
    """A value for a message, cut where it would fill the screen."""
    text = str(value)
    return text if len(text) <= 24 else f"{text[:21]}..."


def evaluate_text(text):
    """The exact value, a Rational, of an equation such as "x=480/(1-20%)*20%".

    Raises EquationError.
    """
    return evaluate_prefix(infix_to_prefix(lex(text)))


def match_answer(text):
    """The parts of a recorded answer, or None where it is no number.

    It is a number (`12.5`, `-410`, `9%`, `4/5`, `((7)/(15))`, `5((7)/(10))`, `8e-05`) and may have
    a currency's sign (`$9,500`) or a unit in brackets (`14  (seats)`).
    """
    return ANSWER.fullmatch(UNIT.sub("", text)) if len(text) <= MAX_CHARACTERS else None


def read_answer(text):
    """The exact value, a Rational, of a recorded answer, and how many decimals it has.

    Only a decimal may have been rounded: a whole number, 9% and a fraction have 0 decimals.
    Raises EquationError (not a number).
    """
    answer = match_answer(text)
    if not answer:
        raise EquationError("not a number", f"the recorded answer {text[:40]!r} is no number")
    sign, number, power_of_ten = answer.groups(default="")
    value = read_number(number) * Rational(10) ** int(power_of_ten or 0)
    decimals = 0
    if value.q != 1 and "/" not in number:
        digits = re.sub("[^0-9.]", "", number).partition(".")[2]
        if digits or power_of_ten:
            decimals = len(digits) - POWERS.get(number[-1], 0) - int(power_of_ten or 0)
    return -value if sign else value, decimals


def rounds_to(value, answer, decimals):
    """Whether a value, rounded or cut to this many decimals, is the recorded answer.

    False with 0 decimals: such an answer is exact. A half is rounded away from 0. At most
    MAX_DECIMALS decimals count, also of the answer: 1/12 is 0.08333333333333333.
    """
    ### BEGIN SOLUTION
    last = Rational(1, 10 ** min(decimals, MAX_DECIMALS))  # a step of the last decimal
    beyond = value - answer if answer > 0 else answer - value  # how much further from 0
    return decimals > 0 and bool(-last / 2 <= beyond < last)
    ### END SOLUTION


def check_answer(prefix, numbers, answer, decimals):
    """How a predicted equation does: "right", "right by rounding", "wrong", or why it has no value.

    prefix: the equation's tokens; numbers: the values of N0, N1, …; answer: the recorded one
    decimals: how many the recorded answer has. With one or more, a value that rounds to it is right
              by rounding; with 0 the answer is exact.
    The reason why an equation has no value is an EquationError's.
    """
    ### BEGIN SOLUTION
    try:
        value = evaluate_prefix(prefix, numbers)
    except EquationError as error:
        return error.reason
    if value == answer:
        return "right"
    return "right by rounding" if rounds_to(value, answer, decimals) else "wrong"
    ### END SOLUTION


RIGHT = "=~"  # the outcomes of right answers


def outcome(prefix, numbers, answer, decimals):
    """check_answer as one letter: "=" right, "~" right by rounding, "x" wrong, "!" no value."""
    letters = {"right": "=", "right by rounding": "~", "wrong": "x"}
    return letters.get(check_answer(prefix, numbers, answer, decimals), "!")


def is_right(letter):
    """Whether an answer with this outcome is a right one."""
    return letter in RIGHT


INVERSE = {"+": "-", "-": "+", "*": "/", "/": "*"}


def canonical(prefix):
    """A text that two equations share exactly if they are equal up to commutation and association.

    a - b is read as a + (-b), and a / b as a * b^-1. Sums within sums and products within products
    are flattened, the sign or inverse passing to each part (a - (b - c) = a - b + c), and sorted.
    Nothing is cancelled, multiplied out or computed: a*b/b, a*(b+c) and 0-a stay as they are.
    - N0 - N1 N2 -> "(+N0 +N2 -N1)".
    Equal equations have equal values where both have one: b*0/c is 0, b/(c/0) has no value.
    Raises EquationError.
    """
    def leaf(token):
        return "leaf", [token]

    # -> a tree: its kind and its parts, each with its sign: "+", ["+N0", "-N1"] of a sum,
    # "*", ["*N0", "/N1"] of a product
    def join(operator, left, right):
        if operator == "^":
            return "^", [f"({_tree_text(*left)} ^ {_tree_text(*right)})"]
        kind = "+" if operator in "+-" else "*"
        right_parts = _parts_within(kind, *right)
        if operator != kind:
            right_parts = [INVERSE[part[0]] + part[1:] for part in right_parts]
        return kind, _parts_within(kind, *left) + right_parts

    return _tree_text(*fold_prefix(prefix, leaf, join))


def _tree_text(kind, parts):
    """The text of a tree, "(+N0 -N1)": the order of its parts does not count."""
    return f"({' '.join(sorted(parts))})" if kind in "+*" else parts[0]


def _parts_within(kind, kind_of_tree, parts):
    """A tree as parts of a sum or product: its own parts if it is one too, else itself as one."""
    return parts if kind_of_tree == kind else [kind + _tree_text(kind_of_tree, parts)]


def same_equation(a, b):
    """Whether two prefix equations are equal up to commutation and association.

    A malformed equation equals none.
    """
    try:
        return canonical(a) == canonical(b)
    except EquationError:
        return False
