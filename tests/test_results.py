"""Result files: complete rows, honest intervals, tables that come from files alone."""
import json

import numpy as np
import pytest

from tinyprune.results import (BEST, KEYS, failures_table, ingredients_table, interval, result_path, result_row,
                               right, teacher_table, update, write_result, write_text)
from tinyprune.train import Report

REPORT = Report("=~x!=", "=xx!=", [["N0"]] * 5, 0.4, 0.6)


def test_row_has_every_key_and_counts_right_answers():
    row = result_row(REPORT, study="teacher", seed=3)
    assert list(row) == KEYS
    assert (row["problems"], row["correct"], row["correct_by_rounding"]) == (5, 3, 1)
    assert (row["answer_accuracy"], row["strict_accuracy"], row["seed"], row["flops"]) == (0.6, 0.4, 3, None)


def test_a_fact_that_is_no_key_is_refused():
    with pytest.raises(KeyError, match="sped"):
        result_row(REPORT, sped=2)


def test_result_file_says_how_it_was_made(tmp_path):
    write_result(tmp_path / "a.json", [result_row(REPORT), result_row(REPORT)], started=0.0)
    result = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert len(result["rows"]) == 2 and result["command"].startswith("python")
    assert result["started"] == "1970-01-01T00:00:00Z" and result["threads"] >= 1


@pytest.mark.parametrize("facts, more, name", [
    (dict(data="asdiv-a", fold=0, seed=3), "-ratio0.3", "teacher-asdiv-a-fold0-seed3-ratio0.3.json"),
    (dict(data="math23k", fold=None, seed=0), "", "teacher-math23k-seed0.json")])
def test_result_files_are_named_after_what_they_are_about(tmp_path, facts, more, name):
    assert result_path(tmp_path, result_row(REPORT, study="teacher", **facts), more) == tmp_path / name


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")
    assert (tmp_path / "a.txt").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_interval_agrees_with_the_normal_approximation():
    values = right("=" * 300 + "x" * 100)
    low, high = interval(values)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert abs(low - (0.75 - half)) < 0.01 and abs(high - (0.75 + half)) < 0.01


def test_paired_interval_of_a_model_with_itself_is_zero():
    assert interval(right("=x=~x") - right("=x=~x")) == (0.0, 0.0)


def test_tables_replace_only_what_stands_between_their_marks():
    text = "a\n<!-- table asdiv-a -->\nold\n<!-- end -->\nb\n<!-- table math23k -->\nkeep\n<!-- end -->\n"
    expected = "a\n<!-- table asdiv-a -->\nnew\n<!-- end -->\nb\n<!-- table math23k -->\nkeep\n<!-- end -->\n"
    assert update(text, {"asdiv-a": "new"}) == expected == update(expected, {"asdiv-a": "new"})
    empty = "<!-- table asdiv-a -->\n<!-- end -->\n<!-- table math23k -->\n<!-- end -->\n"
    assert update(empty, {"asdiv-a": "new"}) == empty.replace("-a -->\n", "-a -->\nnew\n")
    with pytest.raises(ValueError, match="sample"):
        update(text, {"sample": "nowhere"})


def teacher_rows():
    """Two ASDiv-A folds of 5 and 2 problems; in the first, problem 0 has a near twin in training."""
    rows = []
    for fold, verdicts, near in ((0, "=~x!=", [0]), (1, "x=", [])):
        report = Report(verdicts, verdicts, [["N0"]] * len(verdicts), 0.0, 0.0)
        facts = dict(study="teacher", data="asdiv-a", fold=fold, seed=0)
        rows.append(result_row(report, model="teacher", settings={
            "decoding": BEST, "near_texts": near,
            "equal_texts": 0, "time": {"matrix products": 0.5},
            "kinds": {"with +": [len(verdicts), 3 - 2 * fold, 1, 0]}}, **facts))
        rows.append(result_row(report, model="baseline", settings={
            "baseline": "the commonest equation for such numbers"}, **facts))
    return rows


def test_teacher_table_averages_folds_and_leaves_near_twins_out():
    lines = teacher_table(teacher_rows()).splitlines()
    main, without = (next(line for line in lines if line.startswith(start)) for start in ("| **teacher", "| the same"))
    assert "| – | 55.0% (" in main, f"the mean of 3/5 and 1/2, and nothing of Math23k: {main}"
    assert "| – | 50.0% (" in without, f"the mean of 2/4 and 1/2: {without}"
    assert all(line.count("|") == 4 for line in lines) and any("*75.6%*" in line for line in lines)


def test_failures_table_adds_the_folds_up():
    lines = failures_table(teacher_rows()).splitlines()
    assert lines[2:] == ["| with + | 7 | 57% | 29% | 0% |"], "3 + 1 of 5 + 2 right; numbers alone 2, nearest text 0"


def test_ingredients_table_pairs_each_seed_with_its_own_teacher():
    rows = []
    for seed, whole, less in ((0, "====", "==xx"), (1, "xxxx", "=xxx")):
        for name, verdicts in (("nothing", whole), ("dropout", less)):
            report = Report(verdicts, verdicts, [["N0"]] * 4, 0.0, 0.0)
            rows.append(result_row(report, study="ingredients", data="asdiv-a", fold=seed, seed=seed, settings={
                "without": name, "decoding": BEST, "epochs": 20}))
    report = Report("=xxx", "=xxx", [["N0"]] * 4, 0.0, 0.0)
    rows.append(result_row(report, study="ingredients", data="asdiv-a", fold=0, seed=0, settings={
        "without": "nothing", "decoding": BEST, "epochs": 50}))
    header, _, whole, less, _, note = ingredients_table(rows).splitlines()
    assert "asdiv-a, 20 epochs: right" in header and note == "asdiv-a: 2 seed(s), 4 validation problems each."
    assert whole == f"| nothing | {BEST} | 50.0% |  | 25.0% |  |"
    assert less.startswith(f"| dropout | {BEST} | 37.5% | -12.5 (") and less.endswith(") |  |  |"), less
