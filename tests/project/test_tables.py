"""The tables' promises: means over folds, paired intervals. (That the pages are new, CI checks.)"""
import pytest

import make_tables
import teacher_tables
from tinyprune.evaluate import Report
from tinyprune.results import BEST, MAJORITY, result_row


def row(outcomes, settings, **facts):
    report = Report(outcomes, [["N0"]] * len(outcomes), 0.0, 0.0)
    return result_row(report, settings=settings, **facts)


def teacher_rows():
    """Two ASDiv-A folds of 5 and 2 problems; in the first, a training text is like problem 0."""
    rows = []
    for fold, outcomes, near in ((0, "=~x!=", [0]), (1, "x=", [])):
        facts = dict(study="teacher", data="asdiv-a", fold=fold, seed=0)
        analysis = {"decoding": BEST, "near_texts": near, "equal_texts": 0,
                    "time": {"matrix products": 0.5},
                    "kinds": {"with +": [len(outcomes), 3 - 2 * fold, 1, 0]}}
        rows.append(row(outcomes, analysis, model="teacher", **facts))
        rows.append(row(outcomes, {"baseline": MAJORITY}, model="baseline", **facts))
    return rows


def test_the_teachers_table_adds_the_folds_up_and_leaves_near_texts_out():
    lines = teacher_tables.teacher_table(teacher_rows()).splitlines()
    best = next(line for line in lines if line.startswith(f"| **teacher, {BEST}"))
    without_near = next(line for line in lines if line.startswith("| the same"))
    assert "| – | 57.1% (" in best, f"3 + 1 of 5 + 2, and nothing of Math23k: {best}"
    assert "| – | 50.0% (" in without_near, f"2 + 1 of 4 + 2: {without_near}"
    assert all(line.count("|") == 4 for line in lines)
    assert any("*75.6%*" in line for line in lines), "published solvers stand beside it"


def test_the_failures_table_adds_the_folds_up():
    lines = teacher_tables.failures_table(teacher_rows()).splitlines()
    expected = "| with + | 7 | 57% | 29% | 0% |"
    assert lines[2:] == [expected], "3 + 1 of 5 + 2 right; majority 2, nearest neighbour 0"


def test_the_ingredients_table_pairs_each_seed_with_its_own_teacher():
    def ingredient(outcomes, without, seed, epochs=20):
        return row(outcomes, {"without": without, "decoding": BEST, "epochs": epochs},
                   study="ingredients", data="asdiv-a", fold=seed, seed=seed)

    rows = [ingredient("====", "nothing", 0), ingredient("==xx", "dropout", 0),
            ingredient("xxxx", "nothing", 1), ingredient("=xxx", "dropout", 1),
            ingredient("=xxx", "nothing", 0, epochs=50)]
    lines = teacher_tables.ingredients_table(rows).splitlines()
    assert "ASDiv-A, 20 epochs: right" in lines[0]
    assert lines[2] == f"| nothing | {BEST} | 50.0% |  | 25.0% |  |"
    assert lines[3].startswith(f"| dropout | {BEST} | 37.5% | -12.5 (")
    assert lines[3].endswith(") |  |  |")
    assert lines[-1] == ("ASDiv-A: 2 model(s) for each cell, with a seed and a fold of its own, "
                         "4 validation problems each.")


def test_tables_replace_only_what_stands_between_their_marks():
    text = "a\n<!-- table one -->\nold\n<!-- end -->\nb\n<!-- table two -->\nkeep\n<!-- end -->\n"
    expected = text.replace("old", "new")
    assert make_tables.put_tables(text, {"one": "new"}) == expected
    assert make_tables.put_tables(expected, {"one": "new"}) == expected
    with pytest.raises(ValueError, match="three"):
        make_tables.put_tables(text, {"three": "nowhere"})
