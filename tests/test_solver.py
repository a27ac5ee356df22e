"""What the solver says of an answer: its equation, how sure it is, and every reason to doubt it."""
import random

import pytest
from sympy import Rational

from cases import random_prefix, refusal, table
from checks import check
from tinyprune import solver
from tinyprune.checker import evaluate_prefix, evaluate_text
from tinyprune.confidence import Group
from tinyprune.decode import Candidate
from tinyprune.quantities import EquationError, read_number
from tinyprune.solver import Solution
from tinyprune.vocabulary import Vocabularies, Vocabulary
from tinyprune.words import english_words, is_chinese

PENS = "Ann had 3 pens and Bob 12."
WARNINGS = {"unread": "Words that may mean numbers", "preferred": "The model preferred",
            "no value": "The equation has no answer", "wrong": "Most validation answers",
            "language": "The model does not know most of the words",
            "unknown": "The model does not know the words", "no name": "The model has no name for",
            "kind": "None of the training texts has a number of this kind"}


@pytest.fixture
def ask(monkeypatch):
    """Solves a text with these candidates, the best first, in place of a model's."""
    def ask(text, candidates="+ N0 N1", known=None, names=9, **options):
        """known: the words that the model knows, by default all; names: how many it can write"""
        equations = candidates.split(", ")
        ranked = [Candidate(-float(rank), part.split()) for rank, part in enumerate(equations)]
        monkeypatch.setattr(solver, "find_candidates", lambda *arguments: [ranked])
        words = list(text) if is_chinese(text) else english_words(text)
        kinds = ["·whole", "·decimal", "·fraction"]
        source = Vocabulary(dict.fromkeys((words if known is None else known.split()) + kinds))
        target = Vocabulary([*"+-*/^", "3.14", *(f"N{index}" for index in range(names))])
        return solver.solve(text, None, Vocabularies(source, target), **options)

    return ask


def kinds(solution):
    """The kinds of its warnings; each must be one sentence of a known kind."""
    found = []
    for warning in solution.warnings:
        [kind] = [kind for kind, start in WARNINGS.items() if warning.startswith(start)]
        assert warning.endswith(".") and "\n" not in warning, warning
        found.append(kind)
    return found


def warning_of(solution, kind):
    """The warning of this kind, "" without one."""
    return next((text for text in solution.warnings if text.startswith(WARNINGS[kind])), "")


# numbers and equations

def test_numbers_are_shown_as_they_are_read_in_reading_order(ask):
    numbers = ask("Seven boxes, 1,250 pens, 20 % off, 1 1/2 m, -3 degrees, .5 l").numbers
    literals = ["7", "1,250", "20%", "1(1/2)", "-3", "0.5"]
    check(numbers, {f"N{index}": literal for index, literal in enumerate(literals)}, "the numbers")


@pytest.mark.parametrize("literals, equation, written, named", table("""
    12 3          | - N0 N1        | 12 - 3             | N0 - N1
    1,250 20%     | * N0 - 1 N1    | 1,250 * (1 - 20%)  | N0 * (1 - N1)
    3/4 1/2       | - N0 N1        | (3/4) - (1/2)      | N0 - N1
    (3/8) 2       | / N1 N0        | 2 / (3/8)          | N1 / N0
    12 -3         | - N0 N1        | 12 - (-3)          | N0 - N1
    -1/2 -5% -2.5 | + + N0 N1 N2   | (-1/2) + (-5%) + (-2.5) | N0 + N1 + N2
    -3            | ^ N0 2         | (-3) ^ 2           | N0 ^ 2
    1(1/2) 10     | - N1 N0        | 10 - 1(1/2)        | N1 - N0
    -1(1/2)       | ^ N0 2         | (-1(1/2)) ^ 2      | N0 ^ 2
    5             | * 3.14 ^ N0 2  | 3.14 * 5 ^ 2       | 3.14 * N0 ^ 2
"""))
def test_an_equation_is_written_with_numbers_and_with_names(literals, equation, written, named):
    numbers = {f"N{index}": literal for index, literal in enumerate(literals.split())}
    solution = Solution(numbers, equation.split(), None, None)
    check(solution.infix(names=True), named, f"{equation} with names")
    check(solution.infix(), written, f"{equation} with the numbers {literals}")


def test_an_equation_as_it_is_written_has_the_answer_that_is_given():
    """Without brackets, 3/4 ^ 2 is 3/16, and 8 / 3/4 is 2/3."""
    rng = random.Random(7)
    literals = "12 3/4 -3 1(1/2) 20% -1/2 1,250 0.5".split()
    numbers = list(map(read_number, literals))
    named = {f"N{index}": literal for index, literal in enumerate(literals)}
    compared = 0
    for _ in range(300):
        equation = random_prefix(rng, rng.randrange(5), [*named, "2", "3.14"])
        try:
            value = evaluate_prefix(equation, numbers)
        except EquationError:
            continue
        written = Solution(named, equation, None, None).infix()
        check(evaluate_text(written), value, f"{' '.join(equation)} written as {written}")
        compared += 1
    assert compared > 100


# doubts

def test_an_answer_without_a_doubt_has_no_warning(ask):
    solution = ask(PENS, groups=[Group(-9.0, 0.8, 20)])
    check((solution.answer, solution.confidence, solution.warnings), (Rational(15), 0.8, []),
          "an answer that nothing speaks against")


@pytest.mark.parametrize("text, words", table("""
    Half of the 12 pens, twice 3                 | Half, twice
    12 pens, half of 3, half of it               | half
    a dozen of 12 pens, 3 pairs, double the rest | dozen, pairs, double
    two thirds of 12, 40 percent of 3            | thirds, percent
    12 hundred and 3 thousand pens               |
    12 behalf and 3 quarterback pens             |
    吃了12个的一半，又吃3个                          | 一半
    打八折后12元，原价的两倍，3个                      | 八折, 两倍
    12的百分之四十五，3的三分之一                      | 百分之四十五, 三分之一
    12的百分之45，还有3个                            | 百分之45
    10万人，3人                                     | 10万
    １０万人，3人                                    | １０万
    十二个苹果和3个梨，12                             | 十二个
    12个苹果，3个梨，一共几个                          |
    第一天12个，第二天3个，第三次12个                   |
    半径是12米和3米                                  |
"""))
def test_words_that_mean_numbers_and_are_not_read_are_warned_of(text, words, ask):
    solution = ask(text)
    check(kinds(solution), ["unread"] if words else [], f"{text}: the warnings")
    if words:
        got = warning_of(solution, "unread").partition(": ")[2]
        check(got, f"{words}.", f"{text}: the words that are not read")


@pytest.mark.parametrize("candidates, equation, other", table("""
    - N0 N1, - N1 N0 | 12 - 3 | 3 - 12
    / N0 N1, - N1 N0 | 3 / 12 |
    - N1 N0, + N0 N1 | 12 - 3 |
    - N0 N1          | 3 - 12 |
"""))
def test_a_candidate_that_the_rule_replaced_is_shown(candidates, equation, other, ask):
    """3 pens and 12: 3 - 12 is not positive, and 3 / 12 is."""
    solution = ask(PENS, candidates)
    check(solution.infix(), equation, "the equation", {"the rule was not asked": other})
    check(kinds(solution), ["preferred"] if other else [], "the warnings")
    assert f"x = {other}," in warning_of(solution, "preferred") or not other


def test_an_equation_without_a_value_has_no_answer_and_says_why(ask):
    solution = ask(PENS, "/ N0 - N1 N1")
    check((solution.answer, kinds(solution)), (None, ["no value"]), "3 / (12 - 12)")
    assert "division by zero: 3 / 0" in solution.warnings[0]


@pytest.mark.parametrize("share, expected", [(0.0, ["wrong"]), (0.49, ["wrong"]), (0.5, []),
                                             (1.0, [])])
def test_an_answer_that_is_wrong_more_often_than_right_is_warned_of(share, expected, ask):
    solution = ask(PENS, groups=[Group(-9.0, share, 20)])
    check((solution.confidence, kinds(solution)), (share, expected), f"a share of {share}")


def test_how_sure_is_unknown_where_nobody_has_measured(ask):
    check((ask(PENS).confidence, ask(PENS).warnings), (None, []), "without a table")


def test_how_sure_goes_by_the_score_of_the_equation_that_is_given(ask):
    """Its score is -1; that of the candidate which the rule replaced is 0."""
    groups = [Group(-9.0, 0.25, 20), Group(-0.5, 0.75, 20)]
    check(ask(PENS, "- N0 N1, - N1 N0", groups=groups).confidence, 0.25, "the second candidate",
          {"the score is the first candidate's": 0.75})


@pytest.mark.parametrize("text, known, expected, words", table("""
    Ann had 3 pens, 12          | ann had pens | |
    Zoe had 3 pens, 12          | ann had pens | unknown  | zoe
    Zoe had 3 pens, Zoe 12, Zoe | ann had pens | unknown  | zoe
    Zoe lost 3 red pens, 12     | red pens     | unknown  | zoe, lost
    Zoe lost 3 new pens, 12     | red pens     | language |
    Zoe lost 3 red, red, red 12 | red pens     | language |
    Сколько будет 3 и 12?       | red pens     | language |
    小明有3个和12个               | red pens     | language |
    小明有3个和12个               | 小明 有 和     | unknown  | 个
    小明有3个和12个               | ·小 ·明 ·有 ·个 ·和 | |
    3 + 12 = ?                  | red pens     | |
    🍎3🍏12!                    | red pens     | |
"""))
def test_unknown_words_are_named_and_most_of_them_are_another_language(
        text, known, expected, words, ask):
    """Numbers, signs and pictures are no words; a Chinese word is known by its characters too."""
    solution = ask(text, known=known)
    check(kinds(solution), expected.split(), f"{text}: the warnings of one who knows {known}")
    if words:
        check(warning_of(solution, "unknown"), f"{WARNINGS['unknown']} {words}.", text)


@pytest.mark.parametrize("names, expected", [(4, ""), (3, "N3"), (2, "N2, N3")])
def test_numbers_beyond_those_that_the_model_can_name_are_warning_of(names, expected, ask):
    solution = ask("Ann has 1 pen, Bob 2, Eve 3 and Joe 4.", names=names)
    check(kinds(solution), ["no name"] if expected else [], f"four numbers, {names} names")
    assert not expected or f"no name for {expected}:" in solution.warnings[0]


@pytest.mark.parametrize("text, expected", [
    ("Ann had 3 pens and Bob 1.5.", ""), ("Ann had 20% of 3 pens and Bob 5 %.", "percent")])
def test_a_kind_of_number_that_was_never_read_is_warned_of(text, expected, ask):
    """With this model there are whole numbers, decimals and fractions only."""
    solution = ask(text)
    check(kinds(solution), ["kind"] if expected else [], text)
    assert not expected or solution.warnings[0].endswith(f": {expected}.")


def test_doubts_add_up(ask):
    solution = ask("Zoe had half of 3 pens and Bob 12.", "- N0 N1, - N1 N0", names=1,
                   known="had half of pens and bob", groups=[Group(0.0, 0.1, 20)])
    check(kinds(solution), ["unread", "unknown", "no name", "preferred", "wrong"], "the warnings")


# refusals

@pytest.mark.parametrize("text, reason", [
    ("How many pens?", "empty"), ("多少个？", "empty"), ("", "empty"), ("😀", "empty"),
    ("9" * 1001 + " and 1", "too long"), ("小明有" + "9" * 1001 + "个", "too long")])
def test_a_text_without_numbers_or_with_an_endless_one_is_refused(text, reason, ask):
    error = refusal(ask, text)
    check(error.reason, reason, text[:20])
    assert "\n" not in str(error) and len(str(error)) < 100, str(error)


def test_a_text_for_which_no_equation_can_be_written_is_refused(ask):
    """The model can name N1 and N2, and the text has only N0."""
    refusal(ask, "Ann has 3 pens.", "")
