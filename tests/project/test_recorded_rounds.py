"""Lesson 08 shows the recorded rounds where result files of them are there."""
import json
import re
import sys

import pytest

import test_tables
from tinyprune import results
from tinyprune.files import ROOT

TEXT = (ROOT / "lessons" / "08_distillation.py").read_text(encoding="utf-8")
CELLS = {cell.split()[2]: cell for cell in re.split("^(?=# %% )", TEXT, flags=re.MULTILINE) if cell}


def row(fold, verdicts, number, decoding=results.BEST, **more):
    """A result row of a teacher, or of a student of five teachers in a later round."""
    settings = {"round": number, "teachers": 5 if number > 1 else 0,
                "plan": "teacher" if number == 1 else "scratch", "decoding": decoding,
                "start": "scratch", "origin": None, "live": False, "word_dropout": 0.1} | more
    schedule = "one-shot" if settings["origin"] else "none"
    return test_tables.row(verdicts, settings, study="rounds", data="asdiv-a", split="test",
                           fold=fold, schedule=schedule)


@pytest.fixture
def show(tmp_path, monkeypatch, capsys):
    """Runs the cell on these rows, each in a file of its own -> what it prints"""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["08_distillation.py", "--threads", "1"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(rows):
        (tmp_path / "study").mkdir()
        for number, found in enumerate(rows):
            path = tmp_path / "study" / f"rounds-asdiv-a-{number}.json"
            path.write_text(json.dumps({"rows": [found]}), encoding="utf-8")
        namespace = {}
        exec(CELLS["8.1"], namespace)
        exec(CELLS["8.10"], namespace)
        return capsys.readouterr().out.split("as recorded\n")[1]

    return run


def test_without_files_one_line_says_so(show):
    assert "no result of a round is in lessons/results/study/ yet" in show([])


@pytest.mark.parametrize("verdicts, words", [("=" * 40, "did better"), ("x" * 40, "did worse"),
                                             ("=x" * 20, "cannot be told apart")])
def test_a_later_round_is_compared_with_plain_teachers_on_the_same_folds(show, verdicts, words):
    first = "=x" * 20
    rows = [row(0, first, 1), row(0, first, 1), row(1, first, 1),
            row(0, verdicts, 2), row(0, "x" * 40, 2, decoding=results.GREEDY)]
    lines = show(rows).splitlines()[2:]
    assert len(lines) == 2, "a line for each kind of model, greedy answers left out"
    assert lines[0].split() == ["1", "random", "weights", "3", "0.500"], "nothing to compare with"
    share = verdicts.count("=") / 40
    difference = f"{100 * (share - 0.5):+.1f}"
    assert lines[1].split()[:8] == ["2", "random", "weights", "five,", "recorded", "10%", "1",
                                    f"{share:.3f}"]
    assert lines[1].split()[8] == difference and lines[1].endswith(f"), {words}")


def test_a_model_that_went_on_names_the_line_of_the_one_that_it_was(show):
    rows = [row(0, "==", 2, plan="later", origin="first", live=True, word_dropout=[0.0, 0.6]),
            row(0, "==", 2, plan="first"), row(0, "==", 1)]
    last = show(rows).splitlines()[-1]
    assert last.split()[:11] == ["3", "line", "2", "five,", "live", "0%", "to", "60%", "at", "once",
                                 "1"]
