"""Tables of curves: ways to choose heads, at each ratio."""
import pytest

import curves_tables
import over_seeds
from study_rows import TEACHERS, curve_rows, over_problems, row


def test_curves_stand_in_the_order_of_their_accuracy_at_30_percent():
    rows = curve_rows("paper", ["====", "===x", "=xxx", "xxxx", "xxxx"])
    rows += curve_rows("greedy", ["====", "====", "====", "==xx", "=xxx"])
    for draw in range(5):
        rows += curve_rows(f"lot {draw}", ["====", "====", "==xx", "xxxx", "xxxx"])
    lines = curves_tables.curves_table(rows).splitlines()[2:5]
    assert [line.split(" | ")[0] for line in lines] == [
        "| greedy elimination", "| random, the mean of five draws",
        "| the paper's score"]
    assert lines[0].endswith("| 100.0% | 100.0% | 50.0% | 25.0% | 30% |")
    assert lines[2].endswith("| under 10% |")


def test_five_random_draws_are_one_curve():
    rows = [*curve_rows("lot 0", ["xxxx", "xxxx"]), *curve_rows("lot 4", ["====", "==xx"]),
            *curve_rows("paper", ["====", "===="])]
    curve = curves_tables.curve_of(rows, curves_tables.LOT)
    assert list(curve) == [0.0, 0.1]
    assert list(map(over_seeds.accuracy_of, curve.values())) == [0.5, 0.25]


@pytest.mark.parametrize("points, expected", [
    ({0.1: 0.2, 0.2: -0.7, 0.3: -0.8, 0.4: 0.0}, "20%"),  # what comes after a fall does not count
    ({0.3: -0.71, 0.5: 3.0}, "under 30%"),
    ({0.1: -0.7, 0.3: 1.0}, "30%")])
def test_a_way_reaches_as_far_as_no_ratio_falls_below(points, expected):
    assert curves_tables.largest_ratio(points) == expected


def test_after_training_points_stand_beside_how_far_a_way_reaches():
    rows = curve_rows("paper", ["====", "=x=x", "=xxx", "xxxx", "xxxx"])[1:]
    *lines, _, below = curves_tables.trained_curves_table(rows, TEACHERS).splitlines()
    all_gains = [0, -0.5, 1, 0], [0, -0.5, 0, 0], [-1, -0.5, 0, 0]
    halves = [100 * over_problems(gains) for gains in all_gains]
    assert below.endswith(f"± {min(halves):.1f} to {max(halves):.1f} points.")
    assert lines[0].split(" | ")[1:5] == ["10%", "30%", "50%", "70%"]
    assert lines[2] == "| the paper's score | +12.5 | -12.5 | -37.5 | -37.5 | 10% |"
    together = lines[3].split(" | ")
    assert together[0] == "| all of these but random" and together[1].startswith("+12.5 (")


def test_where_the_choice_counts_ways_are_compared_with_random_ones():
    rows = [found for choice in curves_tables.LABELS for found in curve_rows(choice, ["=xxx"] * 5)]
    for draw in range(2):
        rows += curve_rows(f"lot {draw}", ["=xxx", "xxxx", "=xxx", "====", "=xxx"])
    rows = [found | {"seed": seed} for seed in range(3) for found in rows]
    rows = [found | {"verdicts": 9 * found["verdicts"]} for found in rows]
    lines = curves_tables.choice_table({"nothing": rows}).splitlines()[2:]
    assert lines[0] == "| nothing | 10% | 0.0 | 0.0 | 10 | 0 | 0 |"
    assert lines[1] == "| nothing | 30% | 0.0 | 0.0 | 0 | 10 | 0 |"
    assert lines[2] == "| nothing | 50% | 0.0 | 0.0 | 0 | 0 | 10 |"
    cells = curves_tables.contrasts_table({"nothing": rows}).splitlines()[4].split(" | ")
    assert cells[0] == "| nothing" and cells[1] == "50%"
    assert [cell.split(" (")[0] for cell in cells[2:6]] == 3 * ["-75.0"] + ["+0.0"]
    assert cells[6] == " |", "a way that has not been run"


def test_ways_that_are_equally_good_differ_by_chance():
    """One of two ways is right at all problems of each of eight models.

    Names exchanged, one way has 0 to 8 models. 6 of 8 or more apart: 18 of 256 draws, 8: 2 of them.
    """
    right = [row("====", "paper", seed) for seed in range(8)]
    wrong = [row("xxxx", "lot", seed) for seed in range(8)]
    assert curves_tables.gap_by_chance([right, wrong]) == 0.75


def test_costs_are_relative_to_the_whole_model():
    found = {"ratios": [0.0, 0.3], "parameters": [200, 150], "flops": [100, 60],
             "seconds, batch 1": [4.0, 2.0], "seconds, batch 128": [2.0, 1.6]}
    slower = found | {"seconds, batch 1": [4.0, 4.0]}
    table = curves_tables.costs_table([found, found, slower])
    assert table.splitlines()[-1] == ("| 30% | -25.0% | -40.0% | ×2.00 (1.00 to 2.00) | "
                                      "×1.25 (1.25 to 1.25) |")
    assert curves_tables.costs_table([found]).splitlines()[-1].endswith("| ×2.00 | ×1.25 |")
