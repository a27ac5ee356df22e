"""From candidates to grades: each problem has its own, plausible ones first, all answers count."""
from dataclasses import replace

import pytest
from sympy import Rational

from builders import tiny_model
from cases import small_problem, table
from checks import check
from tinyprune import evaluate
from tinyprune.bidirectional import bidirectional_search
from tinyprune.decode import Candidate, beam_search, greedy
from tinyprune.evaluate import (
    best_equations,
    evaluate_model,
    find_candidates,
    grade,
    rerank_by_plausibility,
)
from tinyprune.vocabulary import Vocabularies, Vocabulary

WORDS = Vocabularies(Vocabulary(["tom", "has", "N0", "N1"]), Vocabulary(["+", "-", "N0", "N1"]))


def problem(words="", equation="", numbers=(8, 3), answer="1"):
    return replace(small_problem(words, equation, numbers), answer=Rational(answer),
                   decimals=len(answer.partition(".")[2]))


# candidates

def test_each_problem_keeps_its_own_candidates(monkeypatch):
    """The texts' lengths are out of order, and batches sort them."""
    def search(model, batch, vocabulary, prefix):
        assert not model.training, "answers are asked in eval mode"
        assert vocabulary is WORDS.target and len(batch.positions) <= 2
        return [[Candidate(0.0, [prefix, str(position)])] for position in batch.positions]

    monkeypatch.setattr(evaluate, "BATCH_SIZE", 2)
    problems = [problem("tom has N0 and " * times) for times in (5, 1, 4, 2, 3)]
    found = find_candidates(tiny_model().train(), problems, WORDS, search, prefix="N")
    check(best_equations(problems, found), [["N", str(n)] for n in range(5)], "five problems")


@pytest.mark.parametrize("search", [greedy, beam_search, bidirectional_search])
def test_a_problem_without_numbers_counts_as_wrong(search):
    """No equation can be written where there is neither a number nor a constant: no crash."""
    model = tiny_model(source_tokens=8, target_tokens=8)
    bare = problem("tom", numbers=())
    for asked in ([problem("tom has N0"), bare], [bare]):
        report = evaluate_model(model, asked, WORDS, search, rerank_by_plausibility)
        check((report.outcomes[-1], report.equations[-1]), ("!", []), "without numbers")
        assert all(report.equations[:-1]), "its neighbour must have an equation"


# reranking

def candidates_of(text):
    """"- N0 N1, N0" -> two candidates, the first one best."""
    return [Candidate(-rank, part.split()) for rank, part in enumerate(text.split(", "))]


@pytest.mark.parametrize("candidates, numbers, whole, order", table("""
    + N0 N1, - N1 N0      | 4 6 0  |       | 0 1
    - N0 N1, - N1 N0      | 4 6 0  |       | 1 0
    + N1 - N0 N1, * N0 N1 | 4 6 0  |       | 1 0
    / N0 N2, + N0 N1      | 4 6 0  |       | 1 0
    / N0 - N1 N1, + N0 N1 | 4 6 0  |       | 1 0
    + N0 N2, + N0 N1      | 4 6 0  |       | 1 0
    - N0 N1, - N2 N1      | 4 6 0  |       | 0 1
    / N0 N2               | 4 6 0  |       | 0
    ^ N0 99, - N0 N0, N0  | 4 6 0  |       | 2 1 0
    / N0 N2, - N0 N0      | 4 6 0  |       | 1 0
    / N0 - N1 N1, - N1 N0 | -4 6   |       | 1 0
    / N0 N1, - N1 N0      | 4 6    |       | 0 1
    / N0 N1, - N1 N0      | 4 6    | whole | 1 0
    - N1 N0, * N0 N0      | 4 13/2 | whole | 0 1
    - N0 N1, / N0 N1      | 4 6    | whole | 1 0
    * / N0 N1 N1, + N0 N1 | 4 6    | whole | 1 0
    - N0 N1, - N0 N1      | 4 6    | whole | 0 1
    - N0 N1, - N1 N0      | -4 6   |       | 0 1
    / N0 N1, - N1 N0      | -4 6   | whole | 0 1
    / N0 - N1 N1, N0      | 4 -6   | whole | 1 0
"""))
def test_plausible_candidates_come_first_and_the_others_stay_in_their_order(
        candidates, numbers, whole, order):
    """Plausible: all values are above 0, and, where `whole` asks for it, whole.

    Where a problem's own number is below 0, all are.
    """
    values = list(map(Rational, numbers.split()))
    reranked = rerank_by_plausibility(candidates_of(candidates), values, whole == "whole")
    got = " ".join(str(-candidate.score) for candidate in reranked)
    check(got, order, f"{candidates} with {numbers} {whole}", {
        "values on the way count too, 0 is not above 0, and a division by zero has no value":
            " ".join(sorted(order.split())),
        "a positive value comes before any other, numbers that are not whole want no whole values, "
        "and if no candidate fits, the best one stays": order[::-1]})


def test_the_best_equation_is_the_first_one_after_reranking():
    problems = [problem(numbers=(4, 6)), problem(numbers=(6, 4))]
    candidates = [candidates_of("- N0 N1, N0")] * 2
    plain = best_equations(problems, candidates)
    check(plain, [["-", "N0", "N1"]] * 2, "without a reranker")
    check(best_equations(problems, candidates, rerank_by_plausibility), [["N0"], ["-", "N0", "N1"]],
          "4 - 6 and 6 - 4", {"the candidates were not reranked": plain})


# grades

GRADED = table("""
    + N0 N1 | + N0 N1      | 11     | right
    + N0 N1 | + N1 N0      | 11     | commuted
    - N0 N1 | - N1 N0      | 5      | wrong
    / N0 N1 | / N0 N1      | 2.6667 | rounded
    / N0 N1 | / N0 N1      | 8/3    | exact
    * N0 N1 | / N0 - N1 N1 | 24     | without a value
            | N0           | 7      | the recorded equation cannot be read
            |              | 7      | and none is given
""")


def test_grades_count_answers_equations_and_their_equals():
    """The columns: the recorded equation, the given one, the answer that counts."""
    problems = [problem("", recorded, answer=answer) for recorded, _, answer, _ in GRADED]
    equations = [given.split() for _, given, *_ in GRADED]
    report = grade(problems, equations)
    check(report.outcomes, "==x~=!x!", "outcomes", {
        "a division by zero has no value: !, not x": "==x~=xxx",
        "a rounded decimal counts apart": "==x==!x!"})
    check(report.answer_accuracy, 4 / 8, "answer accuracy", {"rounded answers count too": 3 / 8})
    check(report.equation_accuracy, 3 / 8, "equation accuracy", {
        "equal up to commutation is another figure": 4 / 8,
        "no equation is not the right one": 4 / 8})
    check(report.commutative_accuracy, 4 / 8, "commutative accuracy", {"b + a equals a + b": 3 / 8})
    check(report.equations, equations, "the report's equations")
    with pytest.raises(ValueError):
        grade(problems, equations[:-1])
