"""Result files: complete rows, whole files, honest intervals."""
import json

import numpy as np
import pytest

from tinyprune import results
from tinyprune.evaluate import Report
from tinyprune.files import FileError, write_text
from tinyprune.results import (
    KEYS,
    bootstrap_interval,
    is_correct,
    judge_claim,
    result_path,
    result_row,
    write_result,
)

REPORT = Report("=~x!=", [["N0"]] * 5, 0.4, 0.5)


def test_a_row_has_every_key_and_counts_right_answers():
    row = result_row(REPORT, study="teacher", seed=3)
    assert list(row) == KEYS
    expected = dict(problems=5, correct=3, correct_by_rounding=1, answer_accuracy=0.6,
                    equation_accuracy=0.4, commutative_accuracy=0.5,
                    verdicts="=~x!=", study="teacher", seed=3, flops=None)
    assert {key: row[key] for key in expected} == expected


def test_a_fact_that_is_no_key_is_refused():
    with pytest.raises(KeyError, match="sped"):
        result_row(REPORT, sped=2)


def test_a_result_file_says_how_it_was_made(tmp_path):
    path = tmp_path / "a.json"
    rows = [result_row(REPORT), result_row(REPORT, study="teacher")]
    write_result(path, rows, started=0.0)
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["rows"] == rows
    assert result["command"].startswith("python")
    assert result["started"] == "1970-01-01T00:00:00Z"
    assert result["threads"] >= 1


@pytest.mark.parametrize("facts, suffix, name", [
    (dict(data="asdiv-a", fold=0, seed=3), "-ratio0.3", "teacher-asdiv-a-fold0-seed3-ratio0.3"),
    (dict(data="math23k", fold=None, seed=0), "", "teacher-math23k-seed0")])
def test_a_result_file_is_named_after_its_first_row(tmp_path, facts, suffix, name):
    row = result_row(REPORT, study="teacher", **facts)
    assert result_path(tmp_path, row, suffix) == tmp_path / f"{name}.json"


@pytest.mark.parametrize("text", ["", '{"rows": [{"study": "rou', "[" * 10**5])
def test_a_result_file_that_is_not_whole_is_named(text, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FileError, match="a.json is no whole JSON file"):
        results.read_rows("*.json")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interval_agrees_with_the_normal_approximation():
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    interval = bootstrap_interval(is_correct("=~x=" * 100))
    assert interval == pytest.approx((0.75 - half, 0.75 + half), abs=0.01)


def test_the_paired_interval_of_a_model_with_itself_is_zero():
    outcomes = is_correct("=x=~x")
    assert bootstrap_interval(outcomes - outcomes) == (0.0, 0.0)


@pytest.mark.parametrize("low, high, says", [
    (-0.02, 0.01, "not excluded: our interval holds it"),
    (-0.05, -0.0074, "not excluded: our interval holds it"),  # -0.7%, as it is shown
    (-0.05, -0.0076, "does not hold here: ours is lower"),
    (-0.006, 0.02, "does not hold here: ours is higher")])
def test_a_verdict_says_where_our_interval_lies(low, high, says):
    assert judge_claim(-0.007, low, high) == says
