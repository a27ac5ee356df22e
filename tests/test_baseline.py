"""The solvers that learn nothing, on problems made by hand."""
from sympy import Rational

from tinyprune.baseline import most_frequent_equation, near_duplicates, nearest_text_equation, signature
from tinyprune.data import Problem


def problem(words, numbers, equation):
    numbers = [Rational(number) for number in numbers]
    return Problem("p", words, [[word] for word in words.split()], numbers, equation.split(), Rational(0), False,
                   Rational(0))


TRAINING = [problem("ann has N0 and finds N1 more", [3, 5], "+ N0 N1"),
            problem("bob has N0 and finds N1 more", [2, 7], "+ N0 N1"),
            problem("each of N0 boxes holds N1 pens", [4, 6], "* N0 N1"),
            problem("of N0 birds N1 fly away", [9, 4], "- N0 N1"),
            problem("N0 N1 N2 are added", [1, 2, 3], "+ + N0 N1 N2")]


def test_signature_says_how_many_numbers_and_their_order_alone():
    assert signature(problem("", [30, 7, 7, 100], "N0")) == (1, 0, 0, 2)


def test_commonest_equation_is_taken_among_problems_with_the_same_numbers_order():
    asked = [problem("what now N0 N1", [10, 20], ""), problem("what now N0 N1", [20, 10], ""),
             problem("never seen N0 N1", [8, 8], "")]
    assert most_frequent_equation(TRAINING, asked) == [["+", "N0", "N1"], ["-", "N0", "N1"], ["+", "N0", "N1"]]


def test_nearest_text_gives_its_equation():
    asked = [problem("each of N0 bags holds N1 pens", [50, 2], ""), problem("of N0 cows N1 run away", [5, 2], "")]
    assert nearest_text_equation(TRAINING, asked) == [["*", "N0", "N1"], ["-", "N0", "N1"]]


def test_nearest_text_never_uses_a_number_that_the_problem_lacks():
    added = nearest_text_equation(TRAINING, [problem("N0 N1 N2 are added", [5, 2], "")])[0]
    assert "N2" not in added and added
    assert nearest_text_equation(TRAINING, [problem("entirely other words", [5, 2], "")])[0]


def test_texts_alike_but_for_their_numbers_are_found():
    asked = [problem("each of N0 boxes holds N1 pens", [8, 3], "* N0 N1"),
             problem("each of N0 boxes holds N1 red pens", [8, 3], "* N0 N1"), problem("N0 N1", [5, 6], "")]
    # the second shares 4 trigrams of 5 + 6 - 4 with the third training text: 0.571
    assert near_duplicates(TRAINING, asked, least=0.57) == ([True, False, False], [True, True, False])
    assert near_duplicates(TRAINING, asked, least=0.58) == ([True, False, False], [True, False, False])
