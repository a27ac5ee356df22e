"""Tables of criteria, of agreement, and of heads chosen for each problem."""
import math

import pytest

import criteria_tables
import curves_tables
import inference_tables
import over_seeds
from agreement_tables import agreement_table
from plans import HIDDEN, LIVE, ROUNDS
from study_rows import row
from tinyprune.results import GREEDY
from tinyprune.transformer import KINDS


def found_criteria(paper, oracle, seed=0):
    """Of both studies of criteria: four heads of each kind, all kinds scored alike."""
    heads = [[kind, 0, index] for kind in KINDS for index in range(4)]
    scores = {choice: 3 * paper for choice in curves_tables.LABELS} | {"leave-one-out": 3 * oracle}
    pairs = [0.5 + a + b for i, a in enumerate(3 * oracle) for b in (3 * oracle)[i + 1:]]
    pairs[0] += 1.0  # one pair costs 1 more than the sum of both
    entry = dict(criterion="paper", size=32)
    calibration = [entry | dict(draw=0, scores=3 * paper), entry | dict(draw=1, scores=3 * oracle)]
    return {"fold": None, "seed": seed, "heads": heads, "scores": scores, "loss": 0.5,
            "calibration": calibration, "leave-one-out": 3 * oracle, "pairs": pairs}


def test_equal_values_share_the_mean_of_their_ranks():
    assert criteria_tables.ranks([3, 1, 3, 7]).tolist() == [1.5, 0, 1.5, 3]
    assert criteria_tables.spearman([1, 1, 2], [2, 2, 5]) == pytest.approx(1)


def test_correlations_are_within_a_kind_with_an_interval_over_teachers():
    same = found_criteria([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])
    reverse = found_criteria([4, 3, 2, 1], [0.1, 0.2, 0.3, 0.4], seed=1)
    lines = criteria_tables.criteria_table([same, reverse]).splitlines()
    half = over_seeds.T_QUANTILE[2] * math.sqrt(2) / math.sqrt(2)  # of 1 and -1
    assert lines[2] == "| the paper's score |" + f" +0.00 ± {half:.2f} |" * 3
    assert "Teachers: 2." in lines[-1]
    again = same | {"seed": 1}
    same["scores"]["norm_qkvo"] = 3 * [1, 2, 4, 3]  # as ranks: a correlation of 0.8
    alphas = criteria_tables.alpha_table([same, again]).splitlines()
    assert alphas[2] == "| 0 | +1.00 ± 0.00 | -1.00 ± 0.00 |", "entropy alone"
    assert alphas[6] == "| 1 | +0.80 ± 0.00 | +0.80 ± 0.00 |", "norm alone"
    stability = criteria_tables.stability_table([same, again]).splitlines()[2]
    assert stability == "| the paper's score | +1.00 ± 0.00 |"
    assert criteria_tables.shown_correlation([same], lambda found: 0.5) == "+0.50"


def test_pruned_heads_have_ranks_within_their_kind_and_costs_alone_and_together():
    found = found_criteria([1, 2, 3, 4], [0.4, 0.3, 0.2, 0.1])
    shares = {"encoder": [0.8, 0.2, 0.2, 0.2, 0.3], "cross": [0.6, 0.4, 0.4, 0.4, 0.1]}
    found |= {"pruned": {"paper": [0, 4, 8], "lot 0": [1, 6, 11], "lot 1": [2, 5, 8]},
              "on numbers": shares, "losses": {"paper": 2.5, "lot 0": 0.75, "lot 1": 0.5}}
    lines = criteria_tables.pruned_table([found, found]).splitlines()
    # without heads 0, 4 and 8, the first of each kind, the loss rises from 0.5 to 2.5
    assert lines[2] == "| the paper's score | 0.00 | 0.00 | 0.80 | 0.60 | 1.20 | 2.00 |"
    assert lines[3].endswith("five draws | 0.50 | 0.50 | 0.20 | 0.50 | 0.75 | 0.12 |")
    assert "| 0.30 | 0.10 |" in lines[4] and lines[-1] == "Teachers: 2."
    relative = criteria_tables.relative_ranks(found, 3 * [5, 7, 9, 6])
    assert relative.tolist() == 3 * [0, 2 / 3, 1, 1 / 3]


def test_pairs_are_compared_with_the_sum_of_their_single_costs():
    found = found_criteria([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4])
    lines = criteria_tables.pairs_table([found]).splitlines()
    assert lines[2].endswith(f"| {1 / 66:.1%} of all pairs |")
    assert lines[3].endswith("| 1.00 nats |")


def test_agreement_is_a_mean_over_runs():
    def file(fold, test):
        measures = {"train": 0.01, "test": test, "same equations": 0.75, "whole": 0.5,
                    "one in ten hidden": 1.0}
        return {"fold": fold, "seed": 0, "models": {LIVE: measures}}

    files = [file(0, 0.1), file(1, 0.3)]
    *_, line, _, teachers = agreement_table(files).splitlines()
    half = over_seeds.T_QUANTILE[2] * 0.1
    assert line == (f"| {ROUNDS[LIVE]} | 0.010 ± 0.000 | 0.200 ± {half:.3f} | 75.0% ± 0.0 | "
                    "50.0% ± 0.0 | 100.0% ± 0.0 |")
    assert teachers == "Models of each line: 2."
    assert " | 0.100 | 75.0% | " in agreement_table(files[:1])
    for found in files:
        found["models"][HIDDEN] = found["models"][LIVE] | {"test": 0.15, "whole": 0.75}
    last = agreement_table(files).splitlines()[-1]
    assert last.startswith("| 30% hidden: ") and last.endswith(
        "| +0.000 ± 0.000 | +0.050 ± 1.271 | +0.0 ± 0.0 | -25.0 ± 0.0 | +0.0 ± 0.0 |")


def test_inference_shows_speed_beside_accuracy():
    rows = []
    ways = [("whole", "====", 6.0, 1.0), ("removed", "==xx", 5.0, 0.8),
            ("router", "===x", 7.5, 2.0), ("oracle", "====", None, None)]
    for way, outcomes, single, together in ways:
        found = row(outcomes, "30%", decoding=GREEDY)
        found["settings"] |= {"way": way, "different choices": 3,
                              "milliseconds": {"1": single, "32": together}}
        rows.append(found)
    *lines, _, teachers = inference_tables.inference_table(rows).splitlines()[2:]
    assert teachers == "Teachers: 1."
    speeds = [line.split(" | ")[4:6] for line in lines]
    assert speeds == [["×1.00", "×6.00"], ["×1.20", "×7.50"], ["×0.80", "×3.00"], ["", ""]]
    assert lines[2].endswith("| 75% |"), "3 choices for 4 problems"
    assert lines[2].startswith("| 30% | heads chosen for each problem by the router | 75.0% (")
    assert " | +25.0 (" in lines[2], "against removal, which answers two of four"
