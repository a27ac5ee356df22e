"""What the tests of texts, equations and data share: tables of cases, refusals, small problems."""
import inspect
import sys
from contextlib import contextmanager

from sympy import Rational

from grader import shortened
from tinyprune.data import Problem
from tinyprune.quantities import EquationError

LEAVES = "N0 N1 N2 N3 7 3.14 20%".split()


def table(text):
    """A table written as text, a case a line and | between its cells -> [[cell]]"""
    return [list(map(str.strip, line.split("|"))) for line in text.strip().splitlines()]


def with_mistakes(text):
    """A table for `check` -> [(given, expected, {mistake: wrong result})]

    Its columns: given | expected | a wrong result | the mistake that gives it | … more of these
    """
    rows = []
    for given, expected, *pairs in table(text):
        rows.append((given, expected, dict(zip(pairs[1::2], pairs[::2]))))
    return rows


def refusal(function, *arguments, kind=EquationError):
    """The error, of this kind, that the call must raise."""
    __tracebackhide__ = True  # pytest shows the test's own line
    shown = [shortened(argument) for argument in arguments if not callable(argument)]
    call = f"{function.__name__} of {', '.join(shown)}"
    try:
        got = function(*arguments)
    except kind as error:
        return error
    except Exception as error:
        raise AssertionError(f"{call} must be refused with {kind.__name__}, but raised "
                             f"{type(error).__name__}") from error
    raise AssertionError(f"{call} must be refused with {kind.__name__}, got {shortened(got)}")


@contextmanager
def little_recursion():
    """Leaves room for 100 calls within each other: what recurses over a long equation fails."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100 + len(inspect.stack()))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def joined(tokens):
    """A list of tokens as a text."""
    wanted = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
    assert wanted, f"expected a list of tokens, got {tokens!r}"
    return " ".join(tokens)


def small_problem(words, equation, numbers=(3, 4), id="p"):
    """A problem of words without subwords, its text and its equation as written."""
    return Problem(id, words, [[word] for word in words.split()], list(map(Rational, numbers)),
                   equation.split())


def random_prefix(rng, operators, leaves=LEAVES):
    """A random well-formed prefix equation with this number of operators."""
    if operators == 0:
        return [rng.choice(leaves)]
    left = rng.randrange(operators)
    right = operators - 1 - left
    return [rng.choice("+-*/^"), *random_prefix(rng, left, leaves),
            *random_prefix(rng, right, leaves)]
