"""The checker's promises: exact values, errors instead of crashes, and the two notions of an equal equation."""
import itertools
import random
import time
from fractions import Fraction

import pytest
import sympy
from sympy import Rational

from checks import check
from reference import Refused, exact_prefix, value_of
from tinyprune.checker import (canonical, evaluate, evaluate_text, is_decimal, judge, operate, read_answer,
                               same_equation, values, verdict)
from tinyprune.tokenizer import EquationError, infix_to_prefix, read_number


def reason(function, *arguments):
    """The reason and the message of the EquationError that the call must raise."""
    try:
        got = function(*arguments)
    except EquationError as error:
        return error.reason, str(error)
    except Exception as error:
        raise AssertionError(f"{arguments}: must be refused with an EquationError, but {type(error).__name__} "
                             f"was raised") from error
    raise AssertionError(f"{arguments}: must be refused, got {got}")


# values

@pytest.mark.parametrize("text, value", [
    ("x=400/(1-(3/8))", 640), ("x=6/(2/5)-6", 9), ("x=480/(1-20%)*20%", 120), ("5(3/4)", "23/4"),
    ("((7)/(15))", "7/15"), ("5((7)/(10))", "57/10"), ("3.14*[(3+2)^2-3^2]", "50.24"), ("2^3^2", 512),
    ("-3+5", 2), ("2*-3", -6), ("(-3)^2", 9), ("10-4-3", 3), ("24/4/2", 3), ("12%", "0.12"),
    ("１２＋３", 15), ("3×4", 12), ("8÷2", 4), ("5－2", 3), ("5−2–1", 2), ("-2^2", -4), ("2^-1", "1/2"),
    ("--3", 3), ("+3", 3), ("5(7/4)", "27/4"), ("-5(3/4)", "-23/4"),
    ("0.1+0.2", "3/10"), ("85%", "0.85"), ("2**3", 8), ("3+4=x", 7),
    ("x=1-(-(1/2))", "3/2"), ("((4)/(4+5))", "4/9"), ("1,250*2", 2500)])
def test_an_equation_has_its_exact_value(text, value):
    expected = Fraction(value)
    got = evaluate_text(text)
    check(got, Rational(expected.numerator, expected.denominator), f"the value of {text}", {
        "5(3/4) is the mixed number 5 + 3/4, not a product": Rational(15, 4),
        "powers group from the right": 64 if text == "2^3^2" else None,
        "- and / group from the left": {"10-4-3": 9, "24/4/2": 12}.get(text),
        "-2^2 is -(2^2)": 4 if text == "-2^2" else None})
    assert isinstance(got, Rational), f"{text} must be exact, got a {type(got).__name__}"


@pytest.mark.parametrize("text, kind", [
    ("12%5", "missing operator"), ("(1+2", "unbalanced"), ("1+2)", "unbalanced"), ("1+", "missing operand"),
    ("*3", "missing operand"), ("()", "missing operand"), ("", "empty"), ("x=", "empty"),
    ("5/0", "division by zero"), ("0^-1", "division by zero"), ("9^9^9^9", "exponent"), ("(-8)^0.5", "exponent"),
    ("1e5", "unknown token"), ("__import__('os')", "unknown token"), ("a+b", "unknown token"),
    ("80千米/小时", "unknown token"), ("0^0", "undefined"), ("2^0.5", "exponent"), ("8^(1/3)", "exponent"),
    ("2^65", "exponent"), ("5(3+4)", "missing operator"), ("(1+2)(3)", "missing operator"),
    ("5 6", "missing operator"), ("12%(3)", "missing operator"), ("12%%", "unknown token"),
    ("(1+2)%", "unknown token"), ("[1+2)", "unbalanced"), ("1" * 100_000, "too long"),
    ("(" * 100 + "1" + ")" * 100, "too deep"), ("9^64^-64", "exponent"), ("((9^64)^64)", "too large"),
    ("5/(3-3)", "division by zero"), ("N0+1", "unknown token")])
def test_what_has_no_value_is_refused_in_time(text, kind):
    started = time.perf_counter()
    got, message = reason(evaluate_text, text)
    check(got, kind, text[:40])
    assert message and time.perf_counter() - started < 0.5


@pytest.mark.parametrize("prefix, kind", [
    ("/ N0 - N1 N1", "division by zero"), ("N0 N0", "missing operator"), ("+ N0 N1 N1", "missing operator"),
    ("+ N0", "missing operand"), ("+", "missing operand"), ("N0 + N1", "missing operand"), ("", "empty"),
    ("N2", "unknown token"), ("n0", "not a number"), ("<unk>", "not a number"), ("^ N0 N1", "exponent"),
    ("+ N0 N99999999999999999999", "unknown token"), (" ".join(["+"] * 501 + ["N0"] * 502), "too long")])
def test_broken_equations_are_wrong_not_crashes(prefix, kind):
    numbers = [Rational(5), Rational(1, 2)]
    got, message = reason(evaluate, prefix.split(), numbers)
    check(got, kind, prefix[:40])
    assert judge(prefix.split(), numbers, Rational(5), True) == "!", f"{prefix[:40]}: {message}: must count as wrong"
    check(verdict(prefix.split(), numbers, Rational(5), True), kind, f"the verdict on {prefix[:40]}")


@pytest.mark.parametrize("value", [0.5, 5, float("nan"), sympy.nan, sympy.oo, sympy.zoo, sympy.pi, None])
def test_what_is_no_exact_number_is_refused(value):
    numbers = [Rational(5), value]
    check(reason(evaluate, ["+", "N0", "N1"], numbers)[0], "not a number", f"5 + {value!r}")
    check(judge(["N1"], numbers, Rational(5), True), "!", f"the verdict on {value!r}")
    check(judge(["N0"], numbers, Rational(5), True), "=", "a number that is not used does no harm")


def test_a_text_of_blanks_and_letters_costs_no_time():
    """A pattern that tries each blank and each letter in turn took half a second for these thousand characters."""
    for text in (" " * 500 + "(" + "a" * 490 + ")", " " * 500 + "(" + "a" * 490, "(a" * 499):
        started = time.process_time()
        reason(read_answer, text)
        assert time.process_time() - started < 0.05


def test_value_reads_operands_in_order():
    for operator, right_way, wrong_way in [("-", 4, -4), ("/", 3, Rational(1, 3)), ("^", 36, 64)]:
        check(evaluate([operator, "N0", "N1"], [Rational(6), Rational(2)]), Rational(right_way),
              f"{operator} N0 N1 with N0 = 6, N1 = 2",
              {f"{operator} N0 N1 is N0 {operator} N1, not N1 {operator} N0: take the left operand off the stack first":
               wrong_way})


def test_values_names_every_part_the_whole_last():
    got = values("- N0 * N1 3".split(), [Rational(7), Rational(2)])
    assert sorted(got[:-1]) == [2, 3, 6, 7] and got[-1] == 1


def test_values_equal_pythons_fractions():
    rng = random.Random(2)
    numbers = [Fraction(5), Fraction(-3, 4), Fraction(2), Fraction(0)]
    exact = [Rational(n.numerator, n.denominator) for n in numbers]

    def tree(operators):
        left = rng.randrange(operators) if operators else 0
        return [rng.choice("+-*/^"), *tree(left), *tree(operators - 1 - left)] if operators \
            else [f"N{rng.randrange(4)}"]

    for _ in range(1500):
        prefix = tree(rng.randrange(5))
        expected = value_of(exact_prefix, prefix, numbers, refusal=Refused)
        if expected is None:
            reason(evaluate, prefix, exact)
        elif max(abs(expected.numerator), expected.denominator) < 2 ** 1900:
            assert evaluate(prefix, exact) == Rational(expected.numerator, expected.denominator), " ".join(prefix)


def test_a_value_may_have_4000_bits_and_no_more():
    assert operate("*", Rational(2) ** 3997, Rational(2)).p.bit_length() == 3999, "and 1 bit of the denominator"
    assert reason(operate, "*", Rational(2) ** 3998, Rational(2))[0] == "too large"
    assert reason(operate, "^", Rational(2) ** 63, Rational(64))[0] == "too large"
    assert reason(operate, "/", Rational(1), Rational(0)) == ("division by zero", "division by zero: 1 / 0")


# recorded answers

@pytest.mark.parametrize("text, value, decimal", [
    ("9", "9", False), ("9.9", "9.9", True), ("9%", "0.09", False), ("((7)/(15))", "7/15", False),
    ("5((7)/(10))", "57/10", False), ("-410", "-410", False), ("8e-05", "0.00008", True), ("14  (seats)", "14", False),
    ("4/5", "4/5", False), ("1,250", "1250", False), ("2.5 (cups of flour)", "2.5", True), ("12.5%", "0.125", True),
    ("0.08333333333333333", "0.08333333333333333", True), ("17.00 (dollars)", "17", False), ("1.5e3", "1500", False),
    ("-5(3/4)", "-23/4", False), ("7 (2.5 l bottles)", "7", False)])
def test_a_recorded_answer_is_read(text, value, decimal):
    expected = Fraction(value)
    check(read_answer(text), Rational(expected.numerator, expected.denominator), f"the answer {text}")
    check(is_decimal(text), decimal, f"whether {text} is a decimal fraction, which may have been rounded")


@pytest.mark.parametrize("text", ["", "seven", "80千米", "1e999", "3:40", "(seats)", "9" * 5000, "5 (" + "a" * 5000 + ")",
                                  "1/0", "nan", "inf", "1 2"])
def test_an_answer_that_is_no_number_is_refused(text):
    assert "answer" in reason(read_answer, text)[1]
    reason(is_decimal, text)


@pytest.mark.parametrize("equation, answer, verdict, why", [
    ("0.1+0.2", "0.3", "=", "exact arithmetic, not floats"), ("85%", "0.85", "=", "20% is 0.2"),
    ("1/3", "0.3333", "~", "right by rounding: the difference is just 1e-4 of 1/3"),
    ("1/3", "0.33", "x", "1% off"), ("1/3", "0.3332", "x", "more than 1e-4 off"),
    ("10001", "10000", "x", "a whole number is never rounded"), ("2/3", "66.67%", "~", "a rounded percentage"),
    ("10001/20000", "1/2", "x", "a fraction is never rounded"), ("-1/3", "-0.3333", "~", "rounding below zero"),
    ("1/3", "-0.3333", "x", "the sign counts"), ("0", "0.00001", "x", "the tolerance is relative"),
    ("1/0", "1", "!", "no equation")])
def test_a_verdict_is_exact_first_and_rounds_decimals_only(equation, answer, verdict, why):
    prefix = infix_to_prefix(equation.replace("+", " + ").replace("/", " / ").replace("-", " - ").split())
    check(judge(prefix, (), read_answer(answer), is_decimal(answer)), verdict, f"{equation} for {answer} ({why})")


# equal equations

@pytest.mark.parametrize("one, other, equal, why", [
    ("+ N0 N1", "+ N1 N0", True, "a + b = b + a"), ("- N0 N1", "- N1 N0", False, "minus does not commute"),
    ("/ N0 N1", "/ N1 N0", False, "neither does division"), ("^ N0 N1", "^ N1 N0", False, "nor does a power"),
    ("- - N0 N1 N2", "- - N0 N2 N1", True, "a - b - c = a - c - b"),
    ("- N0 - N1 N2", "+ - N0 N1 N2", True, "a - (b - c) = a - b + c"),
    ("/ N0 * N1 N2", "/ / N0 N2 N1", True, "a / (b * c) = a / c / b"),
    ("/ N0 / N1 N2", "/ * N0 N2 N1", True, "a / (b / c) = a * c / b"),
    ("* N0 + N1 N2", "* + N2 N1 N0", True, "a * (b + c) = (c + b) * a"),
    ("* N0 + N1 N2", "+ * N0 N1 * N0 N2", False, "nothing is multiplied out"),
    ("/ * N0 N1 N1", "N0", False, "nothing is cancelled"), ("+ N0 N0", "* 2 N0", False, "nothing is computed"),
    ("- 0 N0", "- 0 N0", True, "itself"), ("* N0 1", "N0", False, "nothing is dropped"),
    ("- N0 N0", "- N1 N1", False, "0 and 0 are not the same equation"),
    ("+ N0", "+ N0", False, "a broken equation equals none"), ("", "", False, "neither does none at all")])
def test_equal_up_to_commutation_and_association(one, other, equal, why):
    check(same_equation(one.split(), other.split()), equal, f"{one} and {other} ({why})")


def trees(shape_operators, leaves):
    """All trees over these leaves, left to right: a tree is a leaf or (operator, left, right)."""
    if len(leaves) == 1:
        return [leaves[0]]
    return [(operator, left, right) for cut in range(1, len(leaves))
            for left in trees(shape_operators, leaves[:cut]) for right in trees(shape_operators, leaves[cut:])
            for operator in shape_operators]


def prefix_of(tree):
    return [tree[0], *prefix_of(tree[1]), *prefix_of(tree[2])] if isinstance(tree, tuple) else [tree]


def rewritten(tree):
    """The trees that one use of a law turns this one into, at its root or below."""
    if not isinstance(tree, tuple):
        return
    operator, left, right = tree
    for plain, inverse in ("+-", "*/"):
        if operator == plain:
            yield (plain, right, left)  # a+b = b+a
        if isinstance(right, tuple) and {operator, right[0]} <= {plain, inverse}:
            # a+(b+c) = (a+b)+c   a+(b-c) = (a+b)-c   a-(b+c) = (a-b)-c   a-(b-c) = (a-b)+c
            yield (plain if operator == right[0] else inverse, (operator, left, right[1]), right[2])
        if isinstance(left, tuple) and {operator, left[0]} <= {plain, inverse}:
            # the same four, read from the right
            yield (left[0], left[1], (plain if operator == left[0] else inverse, left[2], right))
    yield from ((operator, new, right) for new in rewritten(left))
    yield from ((operator, left, new) for new in rewritten(right))


def classes_by_rewriting(all_trees):
    """The trees in classes, found by walking along the laws."""
    left = set(all_trees)
    while left:
        found, walk = set(), [left.pop()]
        while walk:
            tree = walk.pop()
            if tree not in found:
                found.add(tree)
                walk.extend(rewritten(tree))
        left -= found
        yield found


@pytest.mark.parametrize("operators, leaf_rows", [
    ("+-*/^", list(itertools.product("ab", repeat=3))),
    ("+-*/^", list(itertools.permutations("abc"))),
    ("+-*/", sorted(set(itertools.permutations("aabc")))),
    ("+-*/", list(itertools.permutations("abcd"))),
    ("+-^", sorted(set(itertools.permutations("abcc"))))])
def test_canonical_is_what_the_laws_make_equal(operators, leaf_rows):
    """Brute force: two trees have one canonical text exactly if a chain of laws leads from one to the other."""
    all_trees = [tree for leaves in leaf_rows for tree in trees(operators, leaves)]
    text_of = {}
    point = dict(zip("abcd", (Rational(3), Rational(-5, 7), Rational(2), Rational(11, 13))))
    for members in classes_by_rewriting(all_trees):
        texts = {canonical(prefix_of(tree)) for tree in members}
        assert len(texts) == 1, f"one class, several canonical texts: {texts}"
        text = texts.pop()
        assert text not in text_of, f"{prefix_of(min(members, key=str))} and {text_of[text]} share {text}, " \
                                    f"but no law leads from one to the other"
        text_of[text] = prefix_of(min(members, key=str))
        found = set()
        for tree in members:
            try:
                found.add(evaluate([f"N{'abcd'.index(t)}" if t in point else t for t in prefix_of(tree)],
                                   list(point.values())))
            except EquationError:
                pass  # b/(c/(a-a)) has no value, its equal b*(a-a)/c has
        assert len(found) <= 1, f"{text} has several values: {found}"


def test_canonical_of_a_deep_tree_needs_no_recursion():
    deep = ["-", "N0"] * 499 + ["N1"]
    assert canonical(deep) == canonical(deep)
    mixed = ["+", "N0", "*", "N1"] * 249 + ["N2"]
    other = ["+", "N0", "*", "N1"] * 248 + ["+", "*", "N2", "N1", "N0"]
    assert same_equation(mixed, other)
    assert not same_equation(mixed, mixed[:-1] + ["N3"])


def test_nothing_but_an_equation_error_comes_of_nonsense():
    rng = random.Random(4)
    signs = list("0123456789.,%+-*/^()[] ex") + ["(3/8)", "N0", "(seats)", "5(1/2)", "<unk>", "千", "e-05"]
    refused = 0
    for _ in range(2000):
        text = "".join(rng.choices(signs, k=rng.randrange(9)))
        for function, argument in [(evaluate_text, text), (read_answer, text), (is_decimal, text),
                                   (canonical, list(text)), (evaluate, rng.choices(signs, k=5)), (read_number, text)]:
            try:
                function(argument)
            except EquationError:
                refused += 1
    assert 5_000 < refused < 12_000
