"""The solvers that learn nothing, on problems made by hand."""
from cases import small_problem
from tinyprune.baseline import (
    majority_baseline,
    near_duplicates,
    nearest_neighbour_baseline,
    signature,
)

TRAINING = [small_problem("ann has N0 and finds N1 more", "+ N0 N1", [3, 5]),
            small_problem("bob has N0 and finds N1 more", "+ N0 N1", [2, 7]),
            small_problem("each of N0 boxes holds N1 pens", "* N0 N1", [4, 6]),
            small_problem("of N0 birds N1 fly away", "- N0 N1", [9, 4]),
            small_problem("N0 N1 N2 are added", "+ + N0 N1 N2", [1, 2, 3])]


def asked(*texts):
    """Problems with two numbers, 5 and 2."""
    return [small_problem(text, "", [5, 2]) for text in texts]


def texts_of(equations):
    return [" ".join(equation) for equation in equations]


def test_signature_says_how_many_numbers_and_their_order_alone():
    assert signature(small_problem("", "N0", [30, 7, 7, 100])) == (1, 0, 0, 2)


def test_majority_is_taken_among_problems_with_the_same_numbers_order():
    numbers = [[10, 20], [20, 10], [8, 8]]  # nothing in training has two equal numbers
    problems = [small_problem("what now N0 N1", "", pair) for pair in numbers]
    assert texts_of(majority_baseline(TRAINING, problems)) == ["+ N0 N1", "- N0 N1", "+ N0 N1"]


def test_nearest_text_gives_its_equation():
    problems = asked("each of N0 bags holds N1 pens", "of N0 cows N1 run away")
    assert texts_of(nearest_neighbour_baseline(TRAINING, problems)) == ["* N0 N1", "- N0 N1"]


def test_nearest_text_never_uses_a_number_that_the_problem_lacks():
    problems = asked("N0 N1 N2 are added", "entirely other words")
    for equation in nearest_neighbour_baseline(TRAINING, problems):
        assert equation
        assert "N2" not in equation


def test_without_a_usable_equation_there_is_none():
    nothing = small_problem("tom has no pens", "", [])
    assert nearest_neighbour_baseline(TRAINING, [nothing]) == [[]]


def test_texts_alike_but_for_their_numbers_are_found():
    problems = asked("each of N0 boxes holds N1 pens", "each of N0 boxes holds N1 red pens",
                     "N0 N1")
    equal = [True, False, False]
    # The second shares 4 trigrams of 5 + 6 - 4 with the third training text: 0.571.
    assert near_duplicates(TRAINING, problems, min_similarity=0.57) == (equal, [True, True, False])
    assert near_duplicates(TRAINING, problems, min_similarity=0.58) == (equal, equal)
