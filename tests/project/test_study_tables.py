"""The study's tables: means over seeds, problem by problem, and differences on common folds."""
import math

import numpy as np
import pytest

import differences
import findings
import head_tables
import over_seeds
import study_tables as tables
import test_tables
import trainings
from tinyprune.results import BEST, GREEDY, bootstrap_interval


def row(outcomes, plan, seed=0, fold=0, decoding=BEST, **facts):
    settings = {"plan": plan, "decoding": decoding}
    known = dict(study="rounds", data="asdiv-a", split="test", fold=fold, seed=seed, flops=100,
                 parameters_without_embeddings=10)
    return test_tables.row(outcomes, settings, **known | facts)


TEACHERS = [row("==xx", "teacher", 0), row("=xxx", "teacher", 1),
            row("=x", "teacher", 0, fold=1), row("xx", "teacher", 1, fold=1)]


def both_ways(rows, others):
    """The cell of a difference, and the word for it"""
    found = differences.difference_of(rows, others)
    return differences.in_both_ways(found), differences.verdict(found)


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


def test_students_of_cross_fitted_teachers_are_compared_with_those_of_the_same_seed():
    rows = [row("====", "teacher", 0), row("==xx", "teacher", 1)]
    rows += [row("==xx", "scratch", 1, decoding=decoding) for decoding in (BEST, GREEDY)]
    rows += [row(verdicts, tables.CROSS_FITTED, seed, decoding=decoding)
             for seed, verdicts in ((0, "xxxx"), (1, "===x")) for decoding in (BEST, GREEDY)]
    cells = [line.split(" | ") for line in tables.cross_fitting_table(rows).splitlines()[2:]]
    assert len(cells) == 5, "no line for what has not been run"
    assert cells[0][2:6] == ["", "", "", ""] and cells[1][3:6] == ["", "", ""]
    assert cells[1][2].startswith("-25.0 ("), "all teachers"
    assert cells[2][2].startswith("-37.5 (") and cells[2][4].startswith("+25.0 (")
    assert cells[4][2] == "" and cells[4][4].startswith("+25.0 ("), "no teacher answered greedily"


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


def test_seeds_of_one_fold_share_their_problems_and_need_no_wider_interval():
    first = [row("=" * 100, "copy", seed) for seed in range(3)]
    second = [row("x" * 10 * gain + "=" * (100 - 10 * gain), "teacher", seed)
              for seed, gain in enumerate([2, 4, 4])]
    found = differences.difference_of(first, second)
    assert differences.how_sure(found) == "shown"
    elsewhere = [row("====", "copy", fold=1)]
    assert differences.difference_of(first + elsewhere, second) == found, "one fold is in both"


def with_greedy(*found):
    """Rows, and the same as greedy answers"""
    greedy = [row | {"settings": row["settings"] | {"decoding": GREEDY}} for row in found]
    return [*found, *greedy]


def test_each_finding_is_a_line():
    main = with_greedy(row("====", "copy"), row("==xx", "teacher", 0), row("xxxx", "teacher", 1))
    copies = with_greedy(row("==xx", "copy, not pruned, equations"),
                         row("===x", "copy, not pruned, one teacher"))
    curve = [row("===x", "", ratio=0.3, criterion=way, decoding=GREEDY)
             for way in ("greedy", "lot 0", "lot 1")]
    routed = [row("===x", "30%", decoding=GREEDY) for _ in range(2)]
    for found, way in zip(routed, ("router", "removed")):
        found["settings"]["way"] = way
    table = findings.findings_table("copy", {"rounds": main, "factorial": copies,
                                             "cross-fitting": [], "curves": curve,
                                             "inference": routed})
    lines = [line[2:-2].split(" | ") for line in table.splitlines()[2:]]
    assert [line[0].split(" − ")[0] for line in lines] == [
        "main student", "**teachers**; copies: one",
        "no training after 30% went: greedy elimination",
        "30% of the heads chosen for each problem"]
    assert lines[0][1].startswith("+75.0 (") and lines[0][1].endswith("): one model")
    assert lines[1][1] == lines[1][2] and lines[1][1].startswith("+25.0 (")
    assert lines[2][1:] == ["", "+0.0 (+0.0 to +0.0; ± 0.0): not shown", "1"]
    named = {way for pair in findings.UNTRAINED.values() for way in pair}
    assert named <= {*head_tables.LABELS, head_tables.LOT}


def over_problems(gains):
    """Half of the bootstrap interval of these differences"""
    low, high = bootstrap_interval(gains)
    return (high - low) / 2


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


def test_of_many_folds_each_counts_once_with_all_its_seeds():
    """A model without a partner of the same seed is not left out."""
    alone = [row("====", "together", 0), row("==", "together", 0, fold=1)]
    assert over_seeds.gains_by_model(alone, TEACHERS) == {(0, None): 0.625, (1, None): 0.75}


def test_a_difference_is_of_the_folds_that_both_have():
    student = [row("====", "copy", 0)]
    assert differences.shown_difference(student, TEACHERS).startswith("+62.5 (")
    assert differences.shown_difference(student, [row("=x", "teacher", fold=1)]) == ""


def test_a_table_has_a_line_for_each_plan_that_was_run():
    copy = row("====", "copy", parameters_without_embeddings=8, flops=90)
    rows = [*TEACHERS, copy, copy | {"fold": 1, "verdicts": "=="}]
    lines = tables.plan_table(rows, tables.ROUNDS).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| round 1: plain teachers, one at a time | 33.3%")
    assert lines[3].startswith("| round 2: a copy, five recorded teachers | 100.0% (")
    assert lines[3].endswith(" |  | 1 × 2 folds | -20.0% | -10.0% |"), "it was not asked greedily"


def test_costs_without_a_teachers_stay_empty():
    assert over_seeds.relative([row("==", "copy", fold=2)], TEACHERS, "flops") == ""


def test_greedy_answers_are_compared_with_greedy_ones():
    rows = [row("xx", "teacher"), row("==", "teacher", decoding=GREEDY), row("==", "copy"),
            row("xx", "copy", decoding=GREEDY)]
    differences = ["+100.0 (+100.0 to +100.0)", "-100.0 (-100.0 to -100.0)"]
    assert tables.against_teachers(rows, "copy", "test") == ["all five teachers", *differences]
    copies = [found | dict(teacher_seed=0, settings=found["settings"] | {"start": "copy"})
              for found in rows[2:]]
    cells = tables.against_teachers(rows[:2] + copies, "copy", "test")
    assert cells == ["the teacher it was", *differences]


def test_the_teachers_line_has_the_folds_of_the_others():
    rows = [*TEACHERS, row("==", "copy", fold=1)]
    line = tables.plan_table(rows, tables.ROUNDS).splitlines()[2]
    assert line.split(" | ")[1].startswith("25.0% ")


def test_a_plan_that_a_table_names_is_one_of_the_study():
    named = {*tables.ROUNDS, *tables.CONTROLS, *tables.BEFORE}
    named |= {f"copy, {pruned}, {learned}"
              for pruned in tables.PRUNED for learned in tables.LEARNED}
    pairs = [*tables.QUESTIONS.values(), *(pair for _, of_question in findings.TRAINED.values()
                                           for pair in of_question)]
    named |= {plan for pair in pairs for plan in pair if plan != tables.MAIN}
    assert named <= set(trainings.PLANS)


def test_a_copy_is_compared_with_the_teacher_that_it_began_as():
    def copy(**settings):
        found = row("====", "copy", teacher_seed=1)
        found["settings"] |= settings
        return [found]

    assert over_seeds.origins(copy(start="copy"), TEACHERS) == [TEACHERS[1]]
    assert over_seeds.origins(copy(start="copy", origin="scratch"), TEACHERS) == TEACHERS
    assert over_seeds.origins(copy(start="scratch"), TEACHERS) == TEACHERS


def test_the_main_student_is_compared_with_what_it_was_before():
    rows = [row("==", "scratch, 30% pruned", seed) for seed in range(2)]
    rows += [row("xx", "scratch", 0), row("=x", "scratch", 1), row("=x", "teachers together")]
    greedy = [row("==", "scratch, 30% pruned", seed, decoding=GREEDY) for seed in range(2)]
    greedy += [row("=x", plan, decoding=GREEDY) for plan in ("scratch", "teachers together")]
    table = tables.questions_table(rows + greedy, "scratch, 30% pruned")
    lines = [line.split(" | ") for line in table.splitlines()[2:]]
    assert [cells[1].split()[0] for cells in lines] == ["+75.0", "-50.0"]
    half = 100 * math.hypot(12.71 / 4, over_problems([0.5, 1]))  # two seeds: 100 and 50 points
    assert lines[0][1].endswith(f"; ± {half:.1f})")
    assert lines[0][2].startswith("+50.0 ("), "greedy answers: one seed that both have"
    assert tables.questions_table(rows[:1], "scratch, 30% pruned").count("\n") == 1


def test_students_are_compared_on_the_seeds_that_both_have():
    rows = [row("==", tables.VARIED), row("==", tables.LIVE), row("xx", tables.LIVE, 1)]
    rows += [found | {"settings": found["settings"] | {"decoding": GREEDY}} for found in rows]
    lines = tables.questions_table(rows, "scratch, 30% pruned").splitlines()
    assert lines[-1].endswith(2 * "| +0.0 (+0.0 to +0.0) " + "|")


def test_the_factorial_leaves_cells_that_were_not_run_empty():
    rows = [*TEACHERS, row("====", "copy, not pruned, equations", study="factorial")]
    lines = tables.factorial_table(rows).splitlines()
    assert lines[2].startswith("| not pruned: the same extra training | +62.5 (")
    assert lines[2].endswith("|  |  |  |")
    rows.append(row("==", "copy, not pruned, one teacher", study="factorial", fold=1))
    rows.append(row("==", "copy, not pruned, equations", study="factorial", fold=1))
    cells = tables.factorial_table(rows).splitlines()[2].split(" | ")
    assert cells[1].endswith(")") and cells[2].endswith("), 1 of 2 folds")


def test_what_teachers_add_is_taken_from_copies_that_learned_alone():
    def cell(verdicts, pruned, learned, **more):
        return row(verdicts, f"copy, {pruned}, {learned}", study="factorial", **more)

    rows = [cell("==xx", "not pruned", "equations"), cell("===x", "not pruned", "five teachers"),
            cell("=xxx", "one-shot, greedy", "equations"),
            cell("====", "one-shot, greedy", "five teachers")]
    lines = [line.split(" | ") for line in tables.added_table(rows).splitlines()[2:]]
    of_five = {cells[0].strip("| "): cells[2].split(" ")[0] for cells in lines}
    assert of_five["not pruned"] == "+25.0"
    assert of_five["one-shot, greedy"] == "+75.0"
    assert of_five["all of these"] == "+50.0"
    cost = tables.effects_table(rows).splitlines()[2].split(" | ")
    assert cost[0] == "| pruned − not pruned"
    assert cost[1].startswith("-25.0 ("), "pruning cost those that learned alone"
    assert cost[3].startswith("+25.0 (") and cost[5].startswith("+0.0 (")
    # What lacks its counterpart, or a seed of it, does not count.
    rows += [cell("====", "dynamic, paper", "five teachers"),
             cell("====", "one-shot, greedy", "five teachers", seed=1)]
    again = tables.added_table(rows).splitlines()[2:]
    assert [line.split(" | ") for line in again] == lines
    assert len(tables.effects_table(rows).splitlines()) == 3, "a line without a figure is left out"


def test_both_ways_to_be_unsure_stand_in_one_cell():
    mine = [row("==", "copy", 0), row("==", "copy", fold=1)]
    theirs = [row("xx", "teacher", 0), row("x=", "teacher", fold=1)]
    cell = differences.shown_both_ways(mine, theirs)
    assert cell.startswith("+75.0 (") and cell.endswith(f"; ± {12.71 * 25:.1f})")
    assert differences.shown_both_ways(mine[:1], theirs[:1]) == "+100.0 (+100.0 to +100.0)"
    assert differences.shown_both_ways([], theirs) == ""


def test_a_study_is_compared_with_its_own_teachers_first():
    own = [row("====", "teacher", 1, study="factorial")]
    assert tables.teachers_for([*own, row("xxxx", "copy", study="factorial")], TEACHERS) == [
        *own, *(found for found in TEACHERS if (found["fold"], found["seed"]) != (0, 1))]
    assert tables.students([*own, *TEACHERS]) == []


def test_the_ledger_judges_by_our_own_interval():
    teacher = row("=" * 50 + "x" * 50, "teacher")
    student = row("=" * 20 + "x" * 80, "copy")
    base, best = tables.gained_lines("ours", [student], [teacher])
    assert base[1] == "-0.7" and best[1] == "-0.4"
    assert base[2].startswith("-30.0 (") and base[-1] == "does not hold here: ours is lower"
    assert tables.gained_lines("ours", [teacher], [teacher])[0][-1].endswith("ours is higher")
    assert tables.possible(0.2, 0.1, "heads") == "cannot be derived from heads"
    assert tables.possible(0.1, 0.2, "heads") == "possible"


def curve_rows(choice, outcomes):
    return [row(found, choice, ratio=ratio, criterion=choice, decoding=GREEDY)
            for ratio, found in zip((0.0, 0.1, 0.3, 0.5, 0.7), outcomes)]


def test_curves_stand_in_the_order_of_their_accuracy_at_30_percent():
    rows = curve_rows("paper", ["====", "===x", "=xxx", "xxxx", "xxxx"])
    rows += curve_rows("greedy", ["====", "====", "====", "==xx", "=xxx"])
    for draw in range(5):
        rows += curve_rows(f"lot {draw}", ["====", "====", "==xx", "xxxx", "xxxx"])
    lines = head_tables.curves_table(rows).splitlines()[2:5]
    assert [line.split(" | ")[0] for line in lines] == [
        "| greedy elimination", "| random, the mean of five draws",
        "| the paper's score"]
    assert lines[0].endswith("| 100.0% | 100.0% | 50.0% | 25.0% | 30% |")
    assert lines[2].endswith("| under 10% |")


def test_five_random_draws_are_one_curve():
    rows = [*curve_rows("lot 0", ["xxxx", "xxxx"]), *curve_rows("lot 4", ["====", "==xx"]),
            *curve_rows("paper", ["====", "===="])]
    curve = head_tables.curve_of(rows, head_tables.LOT)
    assert list(curve) == [0.0, 0.1]
    assert list(map(over_seeds.accuracy_of, curve.values())) == [0.5, 0.25]


@pytest.mark.parametrize("points, expected", [
    ({0.1: 0.2, 0.2: -0.7, 0.3: -0.8, 0.4: 0.0}, "20%"),  # what comes after a fall does not count
    ({0.3: -0.71, 0.5: 3.0}, "under 30%"),
    ({0.1: -0.7, 0.3: 1.0}, "30%")])
def test_a_way_reaches_as_far_as_no_ratio_falls_below(points, expected):
    assert head_tables.largest_ratio(points) == expected


def test_after_training_points_stand_beside_how_far_a_way_reaches():
    rows = curve_rows("paper", ["====", "=x=x", "=xxx", "xxxx", "xxxx"])[1:]
    *lines, _, below = head_tables.trained_curves_table(rows, TEACHERS).splitlines()
    all_gains = [0, -0.5, 1, 0], [0, -0.5, 0, 0], [-1, -0.5, 0, 0]
    halves = [100 * over_problems(gains) for gains in all_gains]
    assert below.endswith(f"± {min(halves):.1f} to {max(halves):.1f} points.")
    assert lines[0].split(" | ")[1:5] == ["10%", "30%", "50%", "70%"]
    assert lines[2] == "| the paper's score | +12.5 | -12.5 | -37.5 | -37.5 | 10% |"
    together = lines[3].split(" | ")
    assert together[0] == "| all of these but random" and together[1].startswith("+12.5 (")


def test_where_the_choice_counts_ways_are_compared_with_random_ones():
    rows = [found for choice in head_tables.LABELS for found in curve_rows(choice, ["=xxx"] * 5)]
    for draw in range(2):
        rows += curve_rows(f"lot {draw}", ["=xxx", "xxxx", "=xxx", "====", "=xxx"])
    rows = [found | {"seed": seed} for seed in range(3) for found in rows]
    rows = [found | {"verdicts": 9 * found["verdicts"]} for found in rows]
    lines = head_tables.choice_table({"nothing": rows}).splitlines()[2:]
    assert lines[0] == "| nothing | 10% | 0.0 | 0.0 | 10 | 0 | 0 |"
    assert lines[1] == "| nothing | 30% | 0.0 | 0.0 | 0 | 10 | 0 |"
    assert lines[2] == "| nothing | 50% | 0.0 | 0.0 | 0 | 0 | 10 |"
    cells = head_tables.contrasts_table({"nothing": rows}).splitlines()[4].split(" | ")
    assert cells[0] == "| nothing" and cells[1] == "50%"
    assert [cell.split(" (")[0] for cell in cells[2:]] == 3 * ["-75.0"] + ["+0.0"]


def test_ways_that_are_equally_good_differ_by_chance():
    """One of two ways is right at all problems of each of eight models.

    Names exchanged, one way has 0 to 8 models. 6 of 8 or more apart: 18 of 256 draws, 8: 2 of them.
    """
    right = [row("====", "paper", seed) for seed in range(8)]
    wrong = [row("xxxx", "lot", seed) for seed in range(8)]
    assert head_tables.gap_by_chance([right, wrong]) == 0.75


def test_costs_are_relative_to_the_whole_model():
    found = {"ratios": [0.0, 0.3], "parameters": [200, 150], "flops": [100, 60],
             "seconds, batch 1": [4.0, 2.0], "seconds, batch 128": [2.0, 1.6]}
    slower = found | {"seconds, batch 1": [4.0, 4.0]}
    table = head_tables.costs_table([found, found, slower])
    assert table.splitlines()[-1] == ("| 30% | -25.0% | -40.0% | ×2.00 (1.00 to 2.00) | "
                                      "×1.25 (1.25 to 1.25) |")
    assert head_tables.costs_table([found]).splitlines()[-1].endswith("| ×2.00 | ×1.25 |")


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


@pytest.mark.parametrize("count, quantile",
                         [(2, 12.71), (3, 4.30), (4, 3.18), (5, 2.78), (9, 2.78)])
def test_few_values_have_a_wide_interval(count, quantile):
    values = {(None, seed): float(seed) for seed in range(count)}
    _, half = over_seeds.mean_and_half(values)
    assert half == pytest.approx(quantile * np.std(range(count), ddof=1) / math.sqrt(count))


def found_criteria(paper, oracle, seed=0):
    """Of both studies of criteria: four heads of each kind, all kinds scored alike."""
    heads = [[kind, 0, index] for kind in head_tables.KINDS for index in range(4)]
    scores = {choice: 3 * paper for choice in head_tables.LABELS} | {"leave-one-out": 3 * oracle}
    pairs = [0.5 + a + b for i, a in enumerate(3 * oracle) for b in (3 * oracle)[i + 1:]]
    pairs[0] += 1.0  # one pair costs 1 more than the sum of both
    entry = dict(criterion="paper", size=32)
    calibration = [entry | dict(draw=0, scores=3 * paper), entry | dict(draw=1, scores=3 * oracle)]
    return {"fold": None, "seed": seed, "heads": heads, "scores": scores, "loss": 0.5,
            "calibration": calibration, "leave-one-out": 3 * oracle, "pairs": pairs}


def test_equal_values_share_the_mean_of_their_ranks():
    assert head_tables.ranks([3, 1, 3, 7]).tolist() == [1.5, 0, 1.5, 3]
    assert head_tables.spearman([1, 1, 2], [2, 2, 5]) == pytest.approx(1)


def test_correlations_are_within_a_kind_with_an_interval_over_teachers():
    same = found_criteria([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])
    reverse = found_criteria([4, 3, 2, 1], [0.1, 0.2, 0.3, 0.4], seed=1)
    lines = head_tables.criteria_table([same, reverse]).splitlines()
    half = over_seeds.T_QUANTILE[2] * math.sqrt(2) / math.sqrt(2)  # of 1 and -1
    assert lines[2] == "| the paper's score |" + f" +0.00 ± {half:.2f} |" * 3
    assert "Teachers: 2." in lines[-1]
    again = same | {"seed": 1}
    same["scores"]["norm_qkvo"] = 3 * [1, 2, 4, 3]  # as ranks: a correlation of 0.8
    alphas = head_tables.alpha_table([same, again]).splitlines()
    assert alphas[2] == "| 0 | +1.00 ± 0.00 | -1.00 ± 0.00 |", "entropy alone"
    assert alphas[6] == "| 1 | +0.80 ± 0.00 | +0.80 ± 0.00 |", "norm alone"
    stability = head_tables.stability_table([same, again]).splitlines()[2]
    assert stability == "| the paper's score | +1.00 ± 0.00 |"
    assert head_tables.shown_correlation([same], lambda found: 0.5) == "+0.50"


def test_models_of_one_fold_count_as_one():
    values = {(0, 0): 1.0, (0, 1): 3.0, (1, 0): 5.0}
    assert over_seeds.independent(values) == [2.0, 5.0]
    assert over_seeds.independent({(None, 0): 1.0, (None, 1): 3.0}) == [1.0, 3.0]
    assert over_seeds.mean_and_half({(0, 0): 1.0}) == (1.0, None)


def test_pruned_heads_have_ranks_within_their_kind_and_costs_alone_and_together():
    found = found_criteria([1, 2, 3, 4], [0.4, 0.3, 0.2, 0.1])
    shares = {"encoder": [0.8, 0.2, 0.2, 0.2, 0.3], "cross": [0.6, 0.4, 0.4, 0.4, 0.1]}
    found |= {"pruned": {"paper": [0, 4, 8], "lot 0": [1, 6, 11], "lot 1": [2, 5, 8]},
              "on numbers": shares, "losses": {"paper": 2.5, "lot 0": 0.75, "lot 1": 0.5}}
    lines = head_tables.pruned_table([found, found]).splitlines()
    # without heads 0, 4 and 8, the first of each kind, the loss rises from 0.5 to 2.5
    assert lines[2] == "| the paper's score | 0.00 | 0.00 | 0.80 | 0.60 | 1.20 | 2.00 |"
    assert lines[3].endswith("five draws | 0.50 | 0.50 | 0.20 | 0.50 | 0.75 | 0.12 |")
    assert "| 0.30 | 0.10 |" in lines[4] and lines[-1] == "Teachers: 2."
    assert head_tables.relative_ranks(found, 3 * [5, 7, 9, 6]).tolist() == 3 * [0, 2 / 3, 1, 1 / 3]


def test_pairs_are_compared_with_the_sum_of_their_single_costs():
    found = found_criteria([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])
    lines = head_tables.pairs_table([found]).splitlines()
    assert lines[2].endswith(f"| {1 / 66:.1%} of all pairs |")
    assert lines[3].endswith("| 1.00 nats |")


def test_agreement_is_a_mean_over_runs():
    def file(fold, test):
        measures = {"train": 0.01, "test": test, "same equations": 0.75, "whole": 0.5,
                    "one in ten hidden": 1.0}
        return {"fold": fold, "seed": 0, "models": {"teacher": measures}}

    names = {"teacher": "another teacher", "scratch": "not asked"}
    files = [file(0, 0.1), file(1, 0.3)]
    *_, line, _, teachers = head_tables.agreement_table(files, names, {}).splitlines()
    half = over_seeds.T_QUANTILE[2] * 0.1
    assert line == (f"| another teacher | 0.010 ± 0.000 | 0.200 ± {half:.3f} | 75.0% ± 0.0 | "
                    "50.0% ± 0.0 | 100.0% ± 0.0 |")
    assert teachers == "Models of each line: 2."
    assert " | 0.100 | 75.0% | " in head_tables.agreement_table(files[:1], names, {})
    for found in files:
        found["models"]["scratch"] = found["models"]["teacher"] | {"test": 0.25, "whole": 0.25}
    pairs = {"scratch − teacher": ("scratch", "teacher"), "not asked": ("scratch", "copy")}
    lines = head_tables.agreement_table(files, names, pairs).splitlines()
    assert lines[-1] == ("| scratch − teacher | +0.000 ± 0.000 | +0.050 ± 1.271 | +0.0 ± 0.0 | "
                         "-25.0 ± 0.0 | +0.0 ± 0.0 |")


def test_inference_shows_speed_beside_accuracy():
    rows = []
    ways = [("whole", "====", 6.0, 1.0), ("removed", "==xx", 5.0, 0.8),
            ("router", "===x", 7.5, 2.0), ("oracle", "====", None, None)]
    for way, outcomes, single, together in ways:
        found = row(outcomes, "30%", decoding=GREEDY)
        found["settings"] |= {"way": way, "different choices": 3,
                              "milliseconds": {"1": single, "32": together}}
        rows.append(found)
    *lines, _, teachers = head_tables.inference_table(rows).splitlines()[2:]
    assert teachers == "Teachers: 1."
    speeds = [line.split(" | ")[4:6] for line in lines]
    assert speeds == [["×1.00", "×6.00"], ["×1.20", "×7.50"], ["×0.80", "×3.00"], ["", ""]]
    assert lines[2].endswith("| 75% |"), "3 choices for 4 problems"
    assert lines[2].startswith("| 30% | heads chosen for each problem by the router | 75.0% (")
    assert " | +25.0 (" in lines[2], "against removal, which answers two of four"


def test_roberta_cannot_save_more_than_a_third_of_what_its_heads_lose():
    parameters, flops = tables.roberta_shares(0.3)
    assert math.isclose(parameters, 0.1)
    assert 0.1 < flops < 0.105
