"""Means over seeds and folds, and differences with both intervals."""
import math

import numpy as np
import pytest

import differences
import over_seeds
from study_rows import TEACHERS, both_ways, over_problems, row


def test_a_mean_is_taken_over_seeds_then_over_all_folds_problems():
    shares = over_seeds.by_problem(TEACHERS)
    assert shares[0].tolist() == [1, 0.5, 0, 0]
    assert shares[1].tolist() == [0.5, 0]
    assert over_seeds.shown_mean(TEACHERS).startswith("33.3% ± 23.6 (")  # seeds: 3 of 6, and 1 of 6
    assert over_seeds.counted(TEACHERS) == "2 × 2 folds"
    assert over_seeds.shown_mean([]) == ""


def test_seeds_differ_by_what_they_answer_on_the_folds_that_all_have():
    rows = [row("====", "teacher", 0), row("==xx", "teacher", 1), row("xxxx", "teacher", 0, fold=1)]
    assert over_seeds.spread(rows) == pytest.approx(math.sqrt(1 / 8))  # of 1 and 1/2
    assert over_seeds.spread(rows[:1]) is None
    assert over_seeds.spread(rows[1:]) is None, "no fold that both have"


def test_models_of_one_fold_count_as_one():
    values = {(0, 0): 1.0, (0, 1): 3.0, (1, 0): 5.0}
    assert over_seeds.independent(values) == [2.0, 5.0]
    assert over_seeds.independent({(None, 0): 1.0, (None, 1): 3.0}) == [1.0, 3.0]
    assert over_seeds.mean_and_half({(0, 0): 1.0}) == (1.0, None)


@pytest.mark.parametrize("count, quantile",
                         [(2, 12.71), (3, 4.30), (4, 3.18), (5, 2.78), (9, 2.78)])
def test_few_values_have_a_wide_interval(count, quantile):
    values = {(None, seed): float(seed) for seed in range(count)}
    _, half = over_seeds.mean_and_half(values)
    assert half == pytest.approx(quantile * np.std(range(count), ddof=1) / math.sqrt(count))


def test_costs_without_a_teachers_stay_empty():
    assert over_seeds.relative([row("==", "copy", fold=2)], TEACHERS, "flops") == ""


def test_a_copy_is_compared_with_the_teacher_that_it_began_as():
    def copy(**settings):
        found = row("====", "copy", teacher_seed=1)
        found["settings"] |= settings
        return [found]

    assert over_seeds.origins(copy(start="copy"), TEACHERS) == [TEACHERS[1]]
    assert over_seeds.origins(copy(start="copy", origin="scratch"), TEACHERS) == TEACHERS
    assert over_seeds.origins(copy(start="scratch"), TEACHERS) == TEACHERS


def test_of_many_folds_each_counts_once_with_all_its_seeds():
    """A model without a partner of the same seed is not left out."""
    alone = [row("====", "together", 0), row("==", "together", 0, fold=1)]
    assert over_seeds.gains_by_model(alone, TEACHERS) == {(0, None): 0.625, (1, None): 0.75}


def test_a_difference_is_of_the_folds_that_both_have():
    student = [row("====", "copy", 0)]
    assert differences.shown_difference(student, TEACHERS).startswith("+62.5 (")
    assert differences.shown_difference(student, [row("=x", "teacher", fold=1)]) == ""


def test_both_ways_to_be_unsure_stand_in_one_cell():
    mine = [row("==", "copy", 0), row("==", "copy", fold=1)]
    theirs = [row("xx", "teacher", 0), row("x=", "teacher", fold=1)]
    cell = differences.shown_both_ways(mine, theirs)
    assert cell.startswith("+75.0 (") and cell.endswith(f"; ± {12.71 * 25:.1f})")
    assert differences.shown_both_ways(mine[:1], theirs[:1]) == "+100.0 (+100.0 to +100.0)"
    assert differences.shown_both_ways([], theirs) == ""


def test_seeds_of_one_fold_are_compared_with_an_interval_over_seeds_and_problems():
    better = [row("====", "copy", 0), row("==xx", "copy", 1)]
    assert over_seeds.gains_by_model(better, TEACHERS) == {(0, 0): 0.5, (0, 1): 0.25}
    cell, word = both_ways(better, TEACHERS[:2])
    # t for two models, their standard deviation is 0.25 / √2; the problems' gains
    half = math.hypot(12.71 * 0.25 / 2, over_problems([0, 0.5, 0.5, 0.5]))
    assert cell.startswith("+37.5 (") and cell.endswith(f"; ± {100 * half:.1f})")
    assert word == "cannot be told apart"
    nine = [row("====", "copy", seed) for seed in range(9)]
    other = [row("xxxx", "copy", seed) for seed in range(9)]
    cell = "+100.0 (+100.0 to +100.0; ± 0.0)"
    assert both_ways(nine, other) == (cell, "did better")
    one = both_ways(better[:1], TEACHERS[:1])[0]
    assert one.startswith("+50.0 (") and "±" not in one, "one model: over problems alone"


def test_both_intervals_have_to_allow_what_is_said():
    """Every fold gains, but no problem is sure; or all problems of one fold gain, and of one alone.
    """
    steady = [row("=" + "x" * 9, "copy", fold=fold) for fold in range(2)]
    none = [row("x" * 10, "teacher", fold=fold) for fold in range(2)]
    cell, word = both_ways(steady, none)
    assert cell == "+10.0 (+0.0 to +25.0; ± 0.0)" and word == "cannot be told apart"
    uneven = [row("=" * 10, "copy"), row("x" * 10, "copy", fold=1)]
    cell, word = both_ways(uneven, none)
    assert cell.startswith("+50.0 (+3") and word == "cannot be told apart"


def test_draws_by_lot_bring_their_own_spread():
    lots = [row("=" * right + "x" * (4 - right), "lot", seed, criterion=f"lot {draw}")
            for draw, right in enumerate((1, 2, 3)) for seed in range(2)]
    way = [row("====", "paper", seed) for seed in range(2)]
    cell, word = both_ways(way, lots)
    of_draws = 4.30 * 0.25 / math.sqrt(3)  # the models do not differ; the draws do
    half = math.hypot(of_draws, over_problems([0, 1 / 3, 2 / 3, 1]))
    assert cell.endswith(f"; ± {100 * half:.1f})") and word == "cannot be told apart"
    same = [found | {"verdicts": "==xx"} for found in lots[:4]]
    one, _ = both_ways([row("=x=x", "paper")], [same[0], same[2]])
    half = over_problems([0, -1, 1, 0])
    assert one.endswith(f"; ± {100 * half:.1f})"), "one model: over its problems, and the draws"


@pytest.mark.parametrize("gains, word", [
    ([3, 4, 4], "shown"), ([-3, -4, -4], "shown"), ([2, 4, 4], "hint"),
    ([0, 4, 4], "over problems only"), ([0, -4, -4], "over problems only"),
    ([-4, 4, 0], "not shown"), ([4], "one model")])
def test_how_sure_a_difference_is(gains, word):
    """gains: of every ten problems of a fold, how many the first model answers and the other does
    not; negative: the other way round"""
    def answers(gain, sign):
        lost = 10 * max(sign * gain, 0)
        return "=" * (100 - lost) + "x" * lost

    first = [row(answers(gain, -1), "copy", fold=fold) for fold, gain in enumerate(gains)]
    second = [row(answers(gain, +1), "teacher", fold=fold) for fold, gain in enumerate(gains)]
    assert differences.how_sure(differences.difference_of(first, second)) == word
    assert differences.finding(first, second).endswith(f"): {word}")


def test_folds_that_agree_by_luck_do_not_make_a_few_problems_sure():
    """Each fold gains two of its ten problems: ± over folds is 0, over problems it is 14 points."""
    first = [row("==xxxxxxxx", "copy", fold=fold) for fold in range(3)]
    second = [row("xxxxxxxxxx", "teacher", fold=fold) for fold in range(3)]
    found = differences.difference_of(first, second)
    assert found.half < 1e-9 and found.low > 0
    assert differences.how_sure(found) == "hint"


def test_seeds_of_one_fold_share_their_problems_and_need_no_wider_interval():
    first = [row("=" * 100, "copy", seed) for seed in range(3)]
    second = [row("x" * 10 * gain + "=" * (100 - 10 * gain), "teacher", seed)
              for seed, gain in enumerate([2, 4, 4])]
    found = differences.difference_of(first, second)
    assert differences.how_sure(found) == "shown"
    elsewhere = [row("====", "copy", fold=1)]
    assert differences.difference_of(first + elsewhere, second) == found, "one fold is in both"
