"""The checker's promises: exact values, refusals in place of crashes, and two notions of equal."""
import random
import time
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import permutations, product

import pytest
import sympy
from sympy import Rational

from cases import little_recursion, random_prefix, refusal, table
from checks import check
from reference import Refused, exact_prefix, value_of
from tinyprune.checker import (
    canonical,
    check_answer,
    evaluate_parts,
    evaluate_prefix,
    evaluate_text,
    operate,
    outcome,
    power,
    read_answer,
    rounds_to,
    same_equation,
)
from tinyprune.quantities import EquationError
from tinyprune.tokenizer import infix_to_prefix, lex

# values

@pytest.mark.parametrize("text, value", table("""
    x=400/(1-(3/8))    | 640
    x=6/(2/5)-6        | 9
    x=480/(1-20%)*20%  | 120
    5(3/4)             | 23/4
    ((7)/(15))         | 7/15
    5((7)/(10))        | 57/10
    3.14*[(3+2)^2-3^2] | 50.24
    2^3^2              | 512
    -3+5               | 2
    2*-3               | -6
    (-3)^2             | 9
    10-4-3             | 3
    24/4/2             | 3
    12%                | 0.12
    １２＋３           | 15
    3×4                | 12
    8÷2                | 4
    5－2               | 3
    5−2–1              | 2
    -2^2               | -4
    2^-1               | 1/2
    --3                | 3
    +3                 | 3
    5(7/4)             | 27/4
    -5(3/4)            | -23/4
    0.1+0.2            | 3/10
    85%                | 0.85
    2**3               | 8
    3+4=x              | 7
    x=1-(-(1/2))       | 3/2
    ((4)/(4+5))        | 4/9
    1,250*2            | 2500
    1，260*2           | 2520
    1 1/2*2            | 3
    5又1/2+5 又 1/2    | 11
    -1 1/2             | -3/2
    3 1/2^2            | 49/4
    3 / 4              | 3/4
    6:3：2             | 1
    5 %                | 1/20
    .5+5.              | 5.5
    10万-3亿           | -299900000
    (2/5)%             | 1/250
    [1+2]%+{3}%        | 3/50
    ((50)%)%           | 1/200
    100*(20)%^2        | 4
    -(50)%             | -1/2
    5(3/4)%            | 23/400
    1 1/2%             | 3/200
    1/2%               | 50
"""))
def test_an_equation_has_its_exact_value(text, value):
    got = evaluate_text(text)
    check(got, Rational(value), f"the value of {text}", {
        "5(3/4) is the mixed number 5 + 3/4, not a product": Rational(15, 4),
        "powers group from the right": 64 if text == "2^3^2" else None,
        "- and / group from the left": {"10-4-3": 9, "24/4/2": 12}.get(text),
        "-2^2 is -(2^2)": 4 if text == "-2^2" else None,
        "the % after a bracket divides by 100": {"(2/5)%": Rational(2, 5)}.get(text),
        "the % divides its bracket before the ^": {"100*(20)%^2": 400}.get(text),
        "the % takes the whole mixed number": {"1 1/2%": Rational(201, 200)}.get(text)})
    assert isinstance(got, Rational), f"{text} must be exact, got a {type(got).__name__}"


@pytest.mark.parametrize("text, reason", table("""
    12%5             | missing operator
    (1+2             | unbalanced
    1+2)             | unbalanced
    1+               | missing operand
    *3               | missing operand
    ()               | missing operand
                     | empty
    x=               | empty
    5/0              | division by zero
    0^-1             | division by zero
    9^9^9^9          | exponent
    (-8)^0.5         | exponent
    1e5              | unknown token
    __import__('os') | unknown token
    a+b              | unknown token
    80千米/小时      | unknown token
    0^0              | undefined
    2^0.5            | exponent
    8^(1/3)          | exponent
    2^65             | exponent
    5(3+4)           | missing operator
    (1+2)(3)         | missing operator
    5 6              | missing operator
    12%(3)           | missing operator
    12%%             | unknown token
    (1+2)%%          | unknown token
    10万%            | unknown token
    1.5.5            | unknown token
    1,26             | unknown token
    (1)%5            | missing operator
    1 3 / 4          | missing operator
    1.5 1/2          | missing operator
    1/2 1/2          | missing operator
    1 1/0            | missing operator
    (%)              | unknown token
    :3               | missing operand
    6:(3-3)          | division by zero
    2^(50)%          | exponent
    [1+2)            | unbalanced
    9^64^-64         | exponent
    ((9^64)^64)      | too large
    5/(3-3)          | division by zero
    N0+1             | unknown token
""") + [("1" * 100_000, "too long"), ("(" * 100 + "1" + ")" * 100, "too deep")])
def test_what_has_no_value_is_refused_in_time(text, reason):
    started = time.perf_counter()
    error = refusal(evaluate_text, text)
    check(error.reason, reason, text[:40])
    assert str(error)
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("prefix, reason", table("""
    / N0 - N1 N1              | division by zero
    N0 N0                     | missing operator
    + N0 N1 N1                | missing operator
    + N0                      | missing operand
    +                         | missing operand
    N0 + N1                   | missing operand
                              | empty
    N2                        | unknown token
    n0                        | not a number
    <unk>                     | not a number
    ^ N0 N1                   | exponent
    + N0 N99999999999999999999 | unknown token
""") + [("+ " * 501 + "N0 " * 502, "too long"), ("N" + "1" * 5000, "too long")])
def test_broken_equations_are_wrong_not_crashes(prefix, reason):
    numbers = [Rational(5), Rational(1, 2)]
    tokens = prefix.split()
    check(refusal(evaluate_prefix, tokens, numbers).reason, reason, prefix[:40])
    asked = (tokens, numbers, Rational(5), 4)
    check(outcome(*asked), "!", f"the outcome of {prefix[:40]}, which must count as wrong")
    check(check_answer(*asked), reason, f"the answer of {prefix[:40]}")


@pytest.mark.parametrize("value", [
    0.5, 5, float("nan"), sympy.nan, sympy.oo, sympy.zoo, sympy.pi, None])
def test_what_is_no_exact_number_is_refused(value):
    numbers = [Rational(5), value]
    error = refusal(evaluate_prefix, ["+", "N0", "N1"], numbers)
    check(error.reason, "not a number", f"5 + {value!r}")
    check(outcome(["N1"], numbers, Rational(5), 4), "!", f"the outcome of {value!r}")
    check(outcome(["N0"], numbers, Rational(5), 4), "=", "5, the other number being unused")


def test_a_text_of_blanks_and_letters_costs_no_time():
    """A pattern that tries each blank and each letter in turn takes half a second for these."""
    letters = " " * 500 + "(" + "a" * 490
    for text in (letters + ")", letters, "(a" * 499, " " * 1000, "- $" + " " * 990):
        started = time.process_time()
        refusal(read_answer, text)
        assert time.process_time() - started < 0.05


@pytest.mark.parametrize("operator, right_way, wrong_way", [
    ("-", 4, -4), ("/", 3, Rational(1, 3)), ("^", 36, 64)])
def test_value_reads_operands_in_order(operator, right_way, wrong_way):
    got = evaluate_prefix([operator, "N0", "N1"], [Rational(6), Rational(2)])
    check(got, Rational(right_way), f"{operator} N0 N1 with N0 = 6, N1 = 2", {
        "the first operand is on the left: take it off the stack first": wrong_way})


@pytest.mark.parametrize("operator, value, wrong", [
    ("+", Rational(10, 3), None), ("-", Rational(-4, 3), Rational(4, 3)),
    ("*", Rational(7, 3), Rational(10, 3)), ("/", Rational(3, 7), Rational(7, 3)),
    ("^", None, None)])
def test_an_operation_is_exact(operator, value, wrong):
    one = Rational(1)
    seven_thirds = Rational(7, 3)
    if operator == "^":
        check(operate("^", seven_thirds, Rational(2)), Rational(49, 9), "7/3 ^ 2", {
            "the exponent is the right operand": Rational(2) ** 2})
        check(refusal(operate, "/", one, Rational(0)).reason, "division by zero", "1 / 0")
        return
    got = operate(operator, one, seven_thirds)
    check(got, value, f"1 {operator} 7/3", {"the operands are exchanged": wrong})
    assert isinstance(got, Rational), f"1 {operator} 7/3 must be exact, got a {type(got).__name__}"


@pytest.mark.parametrize("base, exponent, value", table("""
    2    | 3    | 8
    -2   | 3    | -8
    -3/4 | 2    | 9/16
    5    | 0    | 1
    2    | -2   | 1/4
    0    | 3    | 0
    2    | 64   | 18446744073709551616
    2    | -64  | 1/18446744073709551616
    4    | 1/2  | exponent
    2    | 65   | exponent
    2    | -65  | exponent
    0    | 0    | undefined
    0    | -1   | division by zero
"""))
def test_a_power_has_an_exact_value_or_none(base, exponent, value):
    pair = Rational(base), Rational(exponent)
    what = f"{base} ^ {exponent}"
    if value.isalpha() or " " in value:
        check(refusal(power, *pair).reason, value, f"{what} has no value: the reason")
        return
    got = power(*pair)
    check(got, Rational(value), what, {
        "the two are multiplied": pair[0] * pair[1],
        "base and exponent are exchanged": pair[1] ** pair[0] if pair[0].q == 1 else None,
        "the sign of the exponent is ignored": pair[0] ** abs(pair[1])})
    assert isinstance(got, Rational), f"{what} must be exact, got a {type(got).__name__}"


def test_every_part_has_a_value_the_whole_last():
    got = evaluate_parts("- N0 * N1 3".split(), [Rational(7), Rational(2)])
    what = "- N0 * N1 3 with N0 = 7, N1 = 2"
    check(sorted(got), [1, 2, 3, 6, 7], f"the values of all parts of {what}", {
        "the operands have values, too": [1, 6],
        "the whole is a part, too": [2, 3, 6, 7],
        "these are the operands; an operation has a value, too": [2, 3, 7]})
    check(got[-1], Rational(1), f"the last part, the whole, of {what}")


def test_values_equal_pythons_fractions():
    rng = random.Random(2)
    numbers = [Fraction(5), Fraction(-3, 4), Fraction(2), Fraction(0)]
    rationals = list(map(Rational, numbers))
    for _ in range(1500):
        prefix = random_prefix(rng, rng.randrange(5), leaves=["N0", "N1", "N2", "N3"])
        expected = value_of(exact_prefix, prefix, numbers, refusal=Refused)
        if expected is None:
            refusal(evaluate_prefix, prefix, rationals)
        elif max(abs(expected.numerator), expected.denominator) < 2**1900:
            check(evaluate_prefix(prefix, rationals), Rational(expected), " ".join(prefix))


def test_a_value_may_have_4000_bits_and_no_more():
    two = Rational(2)
    # The denominator, 1, has one bit too.
    check(operate("*", two**3997, two), two**3998, "2 * 2^3997, which has 3999 bits and 1")
    check(operate("/", 1 / two**3997, two), 1 / two**3998, "2^-3997 / 2: 3999 bits and 1")
    check(refusal(operate, "*", two**3998, two).reason, "too large", "2 * 2^3998")
    check(refusal(operate, "/", 1 / two**3998, two).reason, "too large", "2^-3998 / 2")
    check(refusal(operate, "^", two**63, Rational(64)).reason, "too large", "(2^63)^64")
    large = two**3998
    check(refusal(operate, "+", large, large).reason, "too large", "2^3998 + 2^3998")
    check(refusal(operate, "-", -large, large).reason, "too large", "-2^3998 - 2^3998")


# recorded answers

@pytest.mark.parametrize("text, value, decimals", table("""
    9                       | 9       | 0
    9.9                     | 9.9     | 1
    .5                      | 0.5     | 1
    5.                      | 5       | 0
    9%                      | 0.09    | 0
    5 %                     | 0.05    | 0
    ((7)/(15))              | 7/15    | 0
    5((7)/(10))             | 57/10   | 0
    -410                    | -410    | 0
    8e-05                   | 0.00008 | 5
    1.5e-3                  | 0.0015  | 4
    14  (seats)             | 14      | 0
    4/5                     | 4/5     | 0
    5 3/4                   | 23/4    | 0
    5又3/4                  | 23/4    | 0
    1,250                   | 1250    | 0
    1，250                  | 1250    | 0
    2.5 (cups of flour)     | 2.5     | 1
    12.5%                   | 0.125   | 3
    0.0833                  | 0.0833  | 4
    0.08333333333333333     | 0.08333333333333333 | 17
    17.00 (dollars)         | 17      | 0
    0.50                    | 0.5     | 2
    1.5e3                   | 1500    | 0
    1.25e1                  | 12.5    | 1
    -5(3/4)                 | -23/4   | 0
    - 2.5                   | -2.5    | 1
    7 (2.5 l bottles)       | 7       | 0
    $9,500                  | 9500    | 0
    -$5.25 (change)         | -5.25   | 2
    $-5                     | -5      | 0
    ¥5                      | 5       | 0
    ￥ 5                    | 5       | 0
    £5.5                    | 5.5     | 1
    €5                      | 5       | 0
    10万                    | 100000  | 0
    1.00001万               | 10000.1 | 1
"""))
def test_a_recorded_answer_is_read(text, value, decimals):
    got, places = read_answer(text)
    check(got, Rational(value), f"the answer {text}")
    check(places, int(decimals), f"how many decimals {text} has", {
        "12.5% is 0.125, which has 3": 1 if text == "12.5%" else None,
        "a whole number, a fraction and 9% were not rounded: 0": 2})


@pytest.mark.parametrize("text", [
    "", "seven", "80千米", "1e999", "3:40", "(seats)", "9" * 5000, "5 (" + "a" * 5000 + ")",
    "1/0", "nan", "inf", "1 2", "2*3", "1+1", "3 / 4", "$", "$$5", "5$", "$5€", "--5", "-$-5",
    "5%%", "10万%", "1,26", "3 million"])
def test_an_answer_that_is_no_number_is_refused(text):
    error = refusal(read_answer, text)
    assert error.reason == "not a number"
    assert "answer" in str(error)


@pytest.mark.parametrize("equation, answer, letter, why", table("""
    0.1+0.2     | 0.3     | = | exact arithmetic, not floats
    85%         | 0.85    | = | 20% is 0.2
    1/3         | 0.3333  | ~ | rounded to 4 decimals
    1/3         | 0.33    | ~ | rounded to 2 decimals
    1/3         | 0.3332  | x | a decimal that is wrong
    1/3         | 0.3334  | x | rounded up, where down is nearer
    1/12        | 0.0833  | ~ | the decimals count, not the digits
    1/12        | 0.08333333333333333 | ~ | a float
    0.3         | 0.30000000000000004 | ~ | a float's noise
    1/3         | 0.333333333334 | x | 12 decimals, and the last is wrong
    2/3         | 0.67    | ~ | rounded
    2/3         | 0.66    | ~ | cut
    2/3         | 0.68    | x | neither rounded nor cut
    -2/3        | -0.67   | ~ | rounded below zero
    -2/3        | -0.66   | ~ | cut below zero
    -2/3        | -0.68   | x | neither rounded nor cut
    -2/3        | -0.65   | x | neither rounded nor cut
    1/8         | 0.13    | ~ | a half is rounded up
    1/8         | 0.12    | ~ | and cut
    -1/8        | -0.13   | ~ | a half is rounded away from 0
    0.1351      | 0.13    | ~ | cut
    0.14        | 0.13    | x | a whole step
    579.6       | 579.65  | x | one in 10,000 is no rounding
    579.65      | 579.6   | ~ | cut
    10000.5     | 10000   | x | a whole number is never rounded
    10001/20000 | 1/2     | x | a fraction is never rounded
    0.0901      | 9%      | x | nor is 9%
    0.1254      | 12.5%   | ~ | 12.5% has 3 decimals
    0.126       | 12.5%   | x | 12.5% has 3 decimals, not 1
    2/3         | 66.67%  | ~ | a rounded percentage
    0.000083    | 8e-05   | ~ | a power of ten has decimals too
    0.00009     | 8e-05   | x | the decimals are those of 0.00008
    1/3         | -0.3333 | x | the sign counts
    0           | 0.00001 | x | 0 is not 0.00001
    0.0000149   | 0.00001 | ~ | cut
    1/0         | 1       | ! | no equation
"""))
def test_an_answer_with_decimals_may_have_been_rounded_or_cut(equation, answer, letter, why):
    prefix = infix_to_prefix(lex(equation))
    got = outcome(prefix, (), *read_answer(answer))
    check(got, letter, f"{equation} for {answer} ({why})")


@pytest.mark.parametrize("value, answer, decimals, expected", table("""
    1/3    | 33/100  | 2 | yes
    2/3    | 67/100  | 2 | yes
    2/3    | 66/100  | 2 | yes
    2/3    | 68/100  | 2 | no
    2/3    | 65/100  | 2 | no
    1/8    | 13/100  | 2 | yes
    1/8    | 12/100  | 2 | yes
    1/3    | 34/100  | 2 | no
    -2/3   | -67/100 | 2 | yes
    -2/3   | -66/100 | 2 | yes
    -2/3   | -68/100 | 2 | no
    -1/8   | -13/100 | 2 | yes
    14/100 | 13/100  | 2 | no
    21/2   | 10      | 0 | no
    11593/20 | 2898/5 | 1 | yes
    1/3    | 333333333333/1000000000000 | 17 | yes
    1/12   | 0.08333333333333333 | 17 | yes
    1e40   | 1/2     | 1 | no
    0.1249999999999999999999999999999999 | 13/100 | 2 | no
"""))
def test_a_value_rounds_or_is_cut_to_the_answer(value, answer, decimals, expected):
    got = rounds_to(Rational(value), Rational(answer), int(decimals))
    check(bool(got), expected == "yes",
          f"whether {value}, rounded or cut to {decimals} decimals, is the answer {answer}")


def test_rounding_is_what_pythons_decimals_say():
    rng = random.Random(6)
    for _ in range(3000):
        value = Fraction(rng.randrange(-999, 999), rng.randrange(1, 999))
        places = rng.randrange(1, 5)
        step = Decimal(1).scaleb(-places)
        long = Decimal(value.numerator) / value.denominator
        rounded = {Fraction(long.quantize(step, way)) for way in (ROUND_HALF_UP, ROUND_DOWN)}
        answers = {near + Fraction(rng.randrange(-2, 3), 10**places) for near in rounded}
        for answer in answers - {0}:  # a recorded 0.00 is a whole number
            expected = "=" if answer == value else "~" if answer in rounded else "x"
            got = outcome(["N0"], [Rational(value)], Rational(answer), places)
            check(got, expected, f"{value} for {float(answer)} with {places} decimals")


# equal equations

@pytest.mark.parametrize("one, other, equal, why", table("""
    + N0 N1        | + N1 N0            | yes | a + b = b + a
    - N0 N1        | - N1 N0            | no  | minus does not commute
    / N0 N1        | / N1 N0            | no  | neither does division
    ^ N0 N1        | ^ N1 N0            | no  | nor does a power
    - - N0 N1 N2   | - - N0 N2 N1       | yes | a - b - c = a - c - b
    - N0 - N1 N2   | + - N0 N1 N2       | yes | a - (b - c) = a - b + c
    / N0 * N1 N2   | / / N0 N2 N1       | yes | a / (b * c) = a / c / b
    / N0 / N1 N2   | / * N0 N2 N1       | yes | a / (b / c) = a * c / b
    * N0 + N1 N2   | * + N2 N1 N0       | yes | a * (b + c) = (c + b) * a
    * N0 + N1 N2   | + * N0 N1 * N0 N2  | no  | nothing is multiplied out
    / * N0 N1 N1   | N0                 | no  | nothing is cancelled
    + N0 N0        | * 2 N0             | no  | nothing is computed
    - 0 N0         | - 0 N0             | yes | itself
    * N0 1         | N0                 | no  | nothing is dropped
    - N0 N0        | - N1 N1            | no  | 0 and 0 are not the same equation
    + N0           | + N0               | no  | a broken equation equals none
                   |                    | no  | neither does none at all
"""))
def test_equal_up_to_commutation_and_association(one, other, equal, why):
    check(same_equation(one.split(), other.split()), equal == "yes", f"{one} and {other} ({why})")


def trees(operators, leaves):
    """All trees over these leaves, left to right: a tree is a leaf or (operator, left, right)."""
    if len(leaves) == 1:
        return [leaves[0]]
    found = []
    for cut in range(1, len(leaves)):
        sides = trees(operators, leaves[:cut]), trees(operators, leaves[cut:])
        found += product(operators, *sides)
    return found


def prefix_of(tree):
    """The prefix form of a tree, its leaves a, b, … being N0, N1, …"""
    if not isinstance(tree, tuple):
        return [f"N{'abcd'.index(tree)}"]
    operator, left, right = tree
    return [operator, *prefix_of(left), *prefix_of(right)]


def rewritten(tree):
    """The trees that one use of a law turns this one into, at its root or below."""
    if not isinstance(tree, tuple):
        return
    operator, left, right = tree
    for plain, inverse in ("+-", "*/"):
        if operator == plain:
            yield plain, right, left  # a+b = b+a
        if isinstance(right, tuple) and {operator, right[0]} <= {plain, inverse}:
            # a+(b+c) = (a+b)+c   a+(b-c) = (a+b)-c   a-(b+c) = (a-b)-c   a-(b-c) = (a-b)+c
            outer = plain if operator == right[0] else inverse
            yield outer, (operator, left, right[1]), right[2]
        if isinstance(left, tuple) and {operator, left[0]} <= {plain, inverse}:
            # the same four, read from the right
            inner = plain if operator == left[0] else inverse
            yield left[0], left[1], (inner, left[2], right)
    for new in rewritten(left):
        yield operator, new, right
    for new in rewritten(right):
        yield operator, left, new


def classes_by_rewriting(all_trees):
    """The trees in classes, found by walking along the laws."""
    unseen = set(all_trees)
    while unseen:
        members = set()
        walk = [unseen.pop()]
        while walk:
            tree = walk.pop()
            if tree not in members:
                members.add(tree)
                walk.extend(rewritten(tree))
        unseen -= members
        yield members


@pytest.mark.parametrize("operators, leaf_rows", [
    ("+-*/^", product("ab", repeat=3)),
    ("+-*/^", permutations("abc")),
    ("+-*/", set(permutations("aabc"))),
    ("+-*/", permutations("abcd")),
    ("+-^", set(permutations("abcc")))])
def test_canonical_is_what_the_laws_make_equal(operators, leaf_rows):
    """Brute force: two trees have one canonical text exactly if a chain of laws connects them."""
    all_trees = [tree for leaves in leaf_rows for tree in trees(operators, leaves)]
    numbers = list(map(Rational, ["3", "-5/7", "2", "11/13"]))
    equation_of = {}
    for members in classes_by_rewriting(all_trees):
        equations = sorted(map(prefix_of, members))
        texts = set(map(canonical, equations))
        assert len(texts) == 1, f"one class, several canonical texts: {texts}"
        text = texts.pop()
        other = equation_of.setdefault(text, equations[0])
        assert other == equations[0], \
            f"{equations[0]} and {other} share {text}, but no law leads from one to the other"
        # b/(c/(a-a)) has no value, its equal b*(a-a)/c has
        values = {value_of(evaluate_prefix, equation, numbers, refusal=EquationError)
                  for equation in equations}
        assert len(values - {None}) <= 1, f"{text} has several values: {values}"


def test_canonical_of_a_deep_tree_needs_no_recursion():
    deep = ["-", "N0"] * 499 + ["N1"]
    mixed = ["+", "N0", "*", "N1"] * 249 + ["N2"]
    other = ["+", "N0", "*", "N1"] * 248 + ["+", "*", "N2", "N1", "N0"]
    with little_recursion():
        assert same_equation(deep, deep)
        assert same_equation(mixed, other)
        assert not same_equation(mixed, mixed[:-1] + ["N3"])
