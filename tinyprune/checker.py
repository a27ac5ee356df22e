"""Is this equation's answer right?

All arithmetic is exact, in sympy's Rational: 0.1 + 0.2 is 0.3. Nothing is ever handed to eval or to a parser that
uses it, and every input has a limit, so a model or a user may ask for 9^9^9^9 without harm.
An equation is right (=), right only after the rounding of a recorded decimal (~), wrong (x) or no equation (!).
"""
import re

from sympy import Rational

from tinyprune.tokenizer import MOST_CHARACTERS, EquationError, fold_prefix, infix_to_prefix, lex, read_number

LARGEST_EXPONENT = 64
MOST_BITS = 4000
TOLERANCE = Rational(1, 10 ** 4)

UNIT = re.compile(r"\((?=[^()]*[^\W\d_])[^()]*\)\s*$")  # "14  (seats)": a bracket with a letter in it, at the end
SCIENTIFIC = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]+)?)[eE]([+-]?[0-9]{1,2})\s*")


def evaluate(prefix, numbers=()):
    """The exact value, a Rational, of a prefix equation; numbers[i], a Rational, is the value of Ni.

    Raises EquationError (empty, too long, missing operand, missing operator, unknown token, not a number, division by
    zero, exponent, undefined, too large).
    """
    return values(prefix, numbers)[-1]


def values(prefix, numbers=()):
    """The values of all parts of a prefix equation, its numbers among them, the whole last. Raises as evaluate does."""
    named = {f"N{i}": number for i, number in enumerate(numbers)}
    parts = []

    def leaf(token):
        if token not in named and token[:1] == "N" and token[1:].isdigit():
            raise EquationError("unknown token", f"the problem has no number {token}, only {len(named)} numbers")
        value = named[token] if token in named else read_number(token)
        if not isinstance(value, Rational):  # a float, or sympy's nan or infinity
            raise EquationError("not a number", f"{token} is {value!r}, which is not an exact number")
        parts.append(value)
        return parts[-1]

    def join(operator, left, right):
        parts.append(operate(operator, left, right))
        return parts[-1]

    fold_prefix(prefix, leaf, join)
    return parts


def operate(operator, left, right):
    """left operator right, for one of + - * / ^. Raises EquationError as evaluate does."""
    if operator == "+":
        value = left + right
    elif operator == "-":
        value = left - right
    elif operator == "*":
        value = left * right
    elif operator == "/":
        if right.p == 0:  # sympy's own == takes longer than the division
            raise EquationError("division by zero", f"division by zero: {shown(left)} / 0")
        value = left / right
    else:
        value = power(left, right)
    if value.p.bit_length() + value.q.bit_length() > MOST_BITS:
        raise EquationError("too large", f"a value of {operator} has more than {MOST_BITS} bits")
    return value


def power(base, exponent):
    """base ^ exponent, whole exponents of at most 64 only: others have no exact value, or none that is any use."""
    if exponent.q != 1:
        raise EquationError("exponent", f"the exponent {shown(exponent)} is not a whole number")
    if abs(exponent) > LARGEST_EXPONENT:
        raise EquationError("exponent", f"the exponent {shown(exponent)} is too large, at most {LARGEST_EXPONENT}")
    if base == 0 and exponent == 0:
        raise EquationError("undefined", "0 ^ 0 has no value")
    if base == 0 and exponent < 0:
        raise EquationError("division by zero", f"division by zero: 0 ^ {exponent}")
    return base ** int(exponent)


def shown(value):
    """A value for a message, cut where it would fill the screen."""
    text = str(value)
    return text if len(text) <= 24 else f"{text[:21]}..."


def evaluate_text(text):
    """The exact value, a Rational, of an equation such as "x=480/(1-20%)*20%". Raises EquationError."""
    return evaluate(infix_to_prefix(lex(text)))


def read_answer(text):
    """The exact value, a Rational, of a recorded answer.

    It may be a number or an expression in numbers (`9%`, `-410`, `4/5`, `((7)/(15))`, `5((7)/(10))`), in
    scientific notation (`8e-05`), and have a unit in brackets (`14  (seats)`). Raises EquationError.
    """
    if len(text) > MOST_CHARACTERS:
        raise EquationError("too long", f"an answer of {len(text)} characters, at most {MOST_CHARACTERS} are read")
    number = UNIT.sub("", text)
    scientific = SCIENTIFIC.fullmatch(number)
    try:
        if scientific:
            return evaluate_text(scientific[1]) * Rational(10) ** int(scientific[2])
        return evaluate_text(number)
    except EquationError as error:
        raise EquationError(error.reason, f"the recorded answer {text[:40]!r} is no number: {error}") from None


def is_decimal(text):
    """Whether a recorded answer is a decimal fraction, the only kind that may be rounded. Raises EquationError."""
    value, number = read_answer(text), UNIT.sub("", text)
    return value.q != 1 and ("." in number or SCIENTIFIC.fullmatch(number) is not None)


def verdict(prefix, numbers, answer, decimal):
    """How a predicted prefix equation does: "right", "right by rounding", "wrong", or an EquationError's reason.

    numbers: the values of N0, N1, ...; answer: the recorded one; all Rational
    decimal: whether the answer is recorded as a decimal; only then does |a - b| <= 1e-4 max(|a|, |b|) count as right
    """
    try:
        value = evaluate(prefix, numbers)
    except EquationError as error:
        return error.reason
    if value == answer:
        return "right"
    near = decimal and abs(value - answer) <= TOLERANCE * max(abs(value), abs(answer))
    return "right by rounding" if near else "wrong"


def judge(prefix, numbers, answer, decimal):
    """The verdict as one letter: "=" right, "~" right by rounding, "x" wrong, "!" not an equation."""
    letters = {"right": "=", "right by rounding": "~", "wrong": "x"}
    return letters.get(verdict(prefix, numbers, answer, decimal), "!")


def canonical(prefix):
    """A text that two equations share exactly if they are equal up to commutation and association.

    a - b is read as a + (-b) and a / b as a * b^-1; sums within sums and products within products are flattened, the
    sign or inverse passing to each part (a - (b - c) = a - b + c), and sorted. Nothing is cancelled, multiplied out or
    computed: a*b/b, a*(b+c) and 0-a stay as they are. - N0 - N1 N2 -> "(+N0 +N2 -N1)".
    Equal equations have equal values where both have one: b*0/c is 0, b/(c/0) has no value. Raises EquationError.
    """
    inverse = {"+": "-", "-": "+", "*": "/", "/": "*"}

    def text(tree):
        kind, parts = tree
        return f"({' '.join(sorted(parts))})" if kind in "+*" else parts[0]

    def join(operator, left, right):
        if operator == "^":
            return "^", [f"({text(left)} ^ {text(right)})"]
        kind = "+" if operator in "+-" else "*"
        lefts, rights = ([kind + text(tree)] if tree[0] != kind else tree[1] for tree in (left, right))
        return kind, lefts + (rights if operator == kind else [inverse[part[0]] + part[1:] for part in rights])

    return text(fold_prefix(prefix, lambda token: ("leaf", [token]), join))


def same_equation(a, b):
    """Whether two prefix equations are equal up to commutation and association; a malformed one equals none."""
    try:
        return canonical(a) == canonical(b)
    except EquationError:
        return False
